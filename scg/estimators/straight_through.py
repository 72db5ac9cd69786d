"""Straight-through: the derivative of a hard draw is taken to be that of its mean or logit."""

from __future__ import annotations

from typing import Any

from scg.errors import EstimatorError
from scg.estimators.gumbel_softmax import straight
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import stop


class StraightThrough(Estimator):
    """Back-propagate through the draw as if it were the mean or the logit; biased.

    Parameters
    ----------
    through : {"mean", "logits"}
        What the draw is taken for: the mean, which for binary values brings the sigmoid's
        derivative with it, or their logits, without it.
    allow_biased : bool
        Do not warn.

    Notes
    -----
    f′(x)ᵀ ∇θ μ(θ), or f′(x)ᵀ ∇θ α(θ) with the logits α; Bengio, Léonard and Courville (2013,
    section 4), who report better results with the second.
    """

    unbiased = False
    orders = 0
    credit = "pathwise"
    formula = "f′(x)ᵀ ∇θ m(θ)"
    cites = ("bengio2013",)

    def __init__(self, through: str = "mean", *, allow_biased: bool = False):
        if through not in ("mean", "logits"):
            raise EstimatorError(
                f'StraightThrough: through must be "mean" or "logits", got {through!r}'
            )
        self.through = through
        self.allow_biased = allow_biased

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A mean or logits to differentiate, and costs that have a slope."""
        return "mean" if self.through == "mean" else "binary values", "differentiable costs"

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide."""
        return {"m(θ)": "μ(θ)" if self.through == "mean" else "α(θ)"}

    def draw(self, dist: Any, noise: Sampler) -> Draw:
        """Draw a value with the derivative of the mean or of the logits."""
        path = dist.mean() if self.through == "mean" else dist.location()
        return Draw(straight(stop(dist.sample(noise)), path))
