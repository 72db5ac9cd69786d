"""The normal family."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, Noise
from scg.ops.elementwise import greater, log, sqrt, square, where
from scg.ops.special import ndtri

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Normal(Distribution):
    """Independent normal values.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Standard deviation σ > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −(x − μ)² / (2σ²) − log σ − ½ log 2π. Pathwise: x = μ + σ ε, ε ~ N(0, 1).
    """

    reparameterized = True
    extends_to_mean = True

    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.real

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    def sample(self, noise: Noise) -> Any:
        """μ + σ ε."""
        return self.loc + self.scale * noise.normal(self.shape)

    def quantile(self, u: Any) -> Any:
        """μ + σ Φ⁻¹(u)."""
        return self.loc + self.scale * ndtri(u)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In μ a Weibull deviate to both sides; in σ a two-sided Maxwell deviate against a normal.

        A two-sided Maxwell deviate times an independent uniform is normal, which couples the two.
        """
        loc, scale = self.loc + 0.0 * self.scale, self.scale + 0.0 * self.loc
        weibull = scale * sqrt(-2.0 * log(noise.uniform(self.shape, "weibull")))
        a, b, c = (square(noise.normal(self.shape, f"maxwell{i}")) for i in range(3))
        radius = sqrt(a + b + c)
        sign = where(greater(noise.uniform(self.shape, "sign"), 0.5), 1.0, -1.0)
        maxwell = scale * sign * radius
        normal = maxwell * noise.uniform(self.shape, "shrink")
        return [
            (loc, 1.0 / (scale * math.sqrt(2.0 * math.pi)), loc + weibull, loc - weibull),
            (scale, 1.0 / scale, loc + maxwell, loc + normal),
        ]

    def log_prob_elementwise(self, x: Any) -> Any:
        """−(x − μ)² / (2σ²) − log σ − ½ log 2π."""
        return -0.5 * square((x - self.loc) / self.scale) - log(self.scale) - _HALF_LOG_2PI

    def mean(self) -> Any:
        """μ, of the event shape."""
        return self.loc + 0.0 * self.scale

    def variance(self) -> Any:
        """σ², of the event shape."""
        return square(self.scale) + 0.0 * self.loc

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.mean()

    def entropy_elementwise(self) -> Any:
        """½ log 2πe + log σ."""
        return log(self.scale) + 0.0 * self.loc + (0.5 + _HALF_LOG_2PI)

    def kl_elementwise(self, other: Any) -> Any:
        """½ (σ² + (μ − m)²) / s² − ½ + log s/σ against N(m, s²)."""
        ratio = self.scale / other.scale
        distance = (self.loc - other.loc) / other.scale
        return 0.5 * (square(ratio) + square(distance) - 1.0) - log(ratio)
