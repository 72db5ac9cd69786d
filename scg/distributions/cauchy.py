"""The Cauchy family."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.ops.elementary import tan
from scg.ops.elementwise import log, log1p, square


class Cauchy(Distribution):
    """Independent Cauchy values; mean and variance do not exist.

    Parameters
    ----------
    loc : array_like or node
        Median μ.
    scale : array_like or node
        Half width γ > 0 at half the height; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −log(1 + ((x − μ) / γ)²) − log πγ.
    """

    reparameterized = True
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.real

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """μ + γ tan(π (u − 1/2))."""
        return self.loc + self.scale * tan(math.pi * (u - 0.5))

    def log_prob_elementwise(self, x: Any) -> Any:
        """−log(1 + ((x − μ) / γ)²) − log πγ."""
        return -log1p(square((x - self.loc) / self.scale)) - log(self.scale) - math.log(math.pi)

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.full(self.loc)

    def entropy_elementwise(self) -> Any:
        """log 4πγ."""
        return self.full(log(self.scale) + math.log(4.0 * math.pi))

    def kl_elementwise(self, other: Any) -> Any:
        """log of ((γ + c)² + (μ − m)²) / 4γc against Cauchy(m, c); Chyzak and Nielsen (2019)."""
        # ((γ + c)² + (μ − m)²) / 4γc = 1 + ((γ − c)² + (μ − m)²) / 4γc: small where they are near
        excess = square(self.scale - other.scale) + square(self.loc - other.loc)
        return log1p(excess / (4.0 * self.scale * other.scale))
