"""Rao-Blackwellised straight-through Gumbel-softmax."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import graft, stop
from scg.ops.reductions import plate_sum


class RaoGumbel(Estimator):
    """Straight-through Gumbel-softmax averaged over the noise given the sample; biased.

    f′(x)ᵀ 1/K Σ_k ∇θ softmax((log p(θ) + ε_k)/τ), ε_k ~ p(ε | x), with the temperature τ and
    perturbations ε: one evaluation and its slope. Its mean is that of
    ``GumbelSoftmax(hard=True)`` and its variance never larger: use it in its place.

    Parameters
    ----------
    temperature : float or callable
        τ > 0, or a schedule: a function of the number of calls made, in NumPy notation.
    resamples : int
        K ≥ 1, the number of conditional perturbations.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Paulus et al. (2021).
    """

    unbiased = False
    orders = 0
    requires = ("relaxation", "differentiable costs")
    credit = "pathwise"
    formula = "f′(x)ᵀ 1/K Σₖ ∇θ softmax((log p(θ) + εₖ)/τ), εₖ ~ p(ε | x)"
    symbols = {  # noqa: RUF012
        "ε": "Gumbel noise"
    }
    cites = ("paulus2021",)

    def __init__(
        self, temperature: Temperature = 0.5, resamples: int = 10, *, allow_biased: bool = False
    ):
        self.temperature = checked("RaoGumbel", temperature)
        self.resamples = resamples
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        return {"K": self.resamples, "τ": self.temperature}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the discrete value with the derivative of the averaged relaxed ones."""
        tau = temperature_of(self.temperature, None, noise.memory)
        x = stop(dist.sample(noise))
        again = noise.plate(self.resamples)
        shift = dist.condition(x, noise.on(again)) - dist.location()
        soft = dist.relax(dist.location() + stop(shift), tau)
        return Draw(graft(x, plate_sum(soft, (again,)) / float(self.resamples)))
