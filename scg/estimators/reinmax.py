"""ReinMax: straight-through of second order, by Heun's method."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import graft, stop


class ReinMax(Estimator):
    """Straight-through at the probabilities and half-way to the sample; biased, of second order.

    f′(x)ᵀ (2 J(ρ) − 1/2 J(π))ᵀ ∇θ log p(θ), with π = p(θ), ρ = (x + softmax(log p(θ)/τ))/2, J(π)
    the derivative of a softmax whose value is π, and the temperature τ: one evaluation and its
    slope. Use it in place of :class:`StraightThrough` for smooth costs. For binary values its mean
    is the derivative with f(1) − f(0) by the trapezoidal rule: exact for costs quadratic in each
    value.

    Parameters
    ----------
    temperature : float or callable
        τ > 0; at 1 the estimate is of second order. Or a schedule: a function of the number of
        calls made, in NumPy notation.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Liu et al. (2023).
    """

    unbiased = False
    orders = 0
    requires = ("latent of each element", "differentiable costs")
    credit = "pathwise"
    formula = "f′(x)ᵀ (2 J(ρ) − 1/2 J(π))ᵀ ∇θ log p(θ), π = p(θ), ρ = (x + softmax(log p(θ)/τ))/2"
    symbols = {  # noqa: RUF012
        "J": "the derivative of a softmax with the given value"
    }
    cites = ("liu2023",)

    def __init__(self, temperature: Temperature = 1.0, *, allow_biased: bool = False):
        self.temperature = checked("ReinMax", temperature)
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        return {"τ": self.temperature}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the discrete value with the derivative of Heun's step."""
        tau = temperature_of(self.temperature, None, noise.memory)
        x, place = stop(dist.sample(noise)), dist.location()
        half_way = dist.location((x + dist.relax(place, tau)) / 2.0)
        there = dist.relax(place + stop(half_way - place), 1.0)
        return Draw(graft(x, 2.0 * there - 0.5 * dist.relax(place, 1.0)))
