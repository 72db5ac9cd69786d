"""Gapped straight-through: the softmax of logits that were moved to agree with the draw."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.gumbel_softmax import straight
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import stop


class GappedStraightThrough(Estimator):
    """Straight-through with the draw's class raised to the top and the others a gap below; biased.

    Parameters
    ----------
    temperature : float or callable
        τ > 0, or a schedule: a function of the number of calls made, in NumPy notation.
    gap : float or None
        The gap > 0; with None it is −log(1 − π)/π with π the probability of the draw, the mean gap
        of Gumbel-perturbed logits.
    allow_biased : bool
        Do not warn.

    Notes
    -----
    f′(x) ∇θ softmax((log p + m(x))/τ), held fixed
    m_c = [c = x] (max log p − log p_c) − [c ≠ x] max(0, log p_c − max log p + gap);
    Fan et al. (2022, sec. 4). The perturbation knows no noise, so that the derivative varies with
    the draw alone.
    """

    unbiased = False
    orders = 0
    requires = ("relaxation", "differentiable costs")
    credit = "pathwise"
    formula = "f′(x)ᵀ ∇θ softmax((log p(θ) + m(x))/τ)"
    cites = ("fan2022",)

    def __init__(
        self,
        temperature: Temperature = 0.5,
        gap: float | None = 1.0,
        *,
        allow_biased: bool = False,
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
        """Return the symbols of the formula that options decide."""
        return {"τ": self.temperature}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the discrete value with the derivative of the separated softmax."""
        tau = temperature_of(self.temperature, None, noise.memory)
        x, place = stop(dist.sample(noise)), dist.location()
        soft = dist.relax(place + stop(dist.separate(x, self.gap) - place), tau)
        return Draw(straight(x, soft))
