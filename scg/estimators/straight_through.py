"""Straight-through: the derivative of a hard draw is taken to be that of its mean or logit."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.options import among
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import graft, stop


class StraightThrough(Estimator):
    """Derivative of the sample taken to be that of its mean or logits; biased.

    f′(x)ᵀ ∇θ m(θ), with m the mean, or the logits: one evaluation and its slope. Use it as a cheap
    start for smooth costs; :class:`ReinMax` is of second order at the same price.
    :class:`GumbelSoftmax` differentiates a relaxed sample instead of the mean.

    Parameters
    ----------
    through : {"mean", "logits"}
        m. For binary values the mean brings the sigmoid's derivative with it; Bengio et al. report
        better results without it.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Bengio, Léonard and Courville (2013).
    """

    unbiased = False
    orders = 0
    credit = "pathwise"
    formula = "f′(x)ᵀ ∇θ m(θ)"
    symbols = {  # noqa: RUF012
        "m": "the mean or the logits"
    }
    cites = ("bengio2013",)

    def __init__(self, through: str = "mean", *, allow_biased: bool = False):
        self.through = among("StraightThrough", through, "through", "mean", "logits")
        self.allow_biased = allow_biased

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A mean or logits to differentiate, and costs that have a slope."""
        return "mean" if self.through == "mean" else "binary values", "differentiable costs"

    def where(self) -> dict[str, Any]:
        return {"m(θ)": "μ(θ)" if self.through == "mean" else "α(θ)"}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a value with the derivative of the mean or of the logits."""
        path = dist.mean() if self.through == "mean" else dist.location()
        return Draw(graft(stop(dist.sample(noise)), path))
