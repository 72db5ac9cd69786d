"""Gapped straight-through: the softmax of logits that were moved to agree with the sample."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import graft, stop


class GappedStraightThrough(Estimator):
    """Straight-through with the sample's class raised a gap above the others; biased.

    f′(x)ᵀ ∇θ softmax((log p(θ) + m(x))/τ), with the temperature τ and m held fixed:
    m_c = [c = x] (max log p − log p_c) − [c ≠ x] max(0, log p_c − max log p + gap). One evaluation
    and its slope. Use it like straight-through :class:`GumbelSoftmax`; m depends on the sample
    alone, not on perturbations, so that the derivative varies less.

    Parameters
    ----------
    temperature : float or callable
        τ > 0, or a schedule: a function of the number of calls made, in NumPy notation.
    gap : float or None
        The gap > 0; None is −log(1 − π)/π with π = p(x), the mean gap of Gumbel-perturbed logits.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Fan et al. (2022).
    """

    unbiased = False
    orders = 0
    requires = ("latent of each element", "differentiable costs")
    credit = "pathwise"
    formula = "f′(x)ᵀ ∇θ softmax((log p(θ) + m(x))/τ)"
    symbols = {  # noqa: RUF012
        "m": "logits that raise the sample's class by a gap, held fixed"
    }
    cites = ("fan2022",)

    def __init__(
        self, temperature: Temperature = 0.5, gap: float | None = 1.0, *, allow_biased: bool = False
    ):
        if gap is not None and not gap > 0:
            raise EstimatorError(
                f"GappedStraightThrough: gap must be positive, or None for the mean gap of "
                f"perturbed logits, got {gap!r}"
            )
        self.temperature = checked("GappedStraightThrough", temperature)
        self.gap = gap
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        return {"τ": self.temperature}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the discrete value with the derivative of the separated softmax."""
        tau = temperature_of(self.temperature, None, noise.memory)
        x, place = stop(dist.sample(noise)), dist.location()
        soft = dist.relax(place + stop(dist.separate(x, self.gap) - place), tau)
        return Draw(graft(x, soft))
