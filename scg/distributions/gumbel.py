"""The Gumbel family."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.ops.elementwise import exp, log, square
from scg.ops.special import gammaln


class Gumbel(Distribution):
    """Independent Gumbel (extreme value) values.

    Parameters
    ----------
    loc : array_like or node
        Mode μ.
    scale : array_like or node
        Scale β > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −z − exp(−z) − log β with z = (x − μ) / β.
    """

    reparameterized = True
    extends_to_mean = True
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.real

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """μ − β log(−log u)."""
        return self.loc - self.scale * log(-log(u))

    def log_prob_elementwise(self, x: Any) -> Any:
        """−z − exp(−z) − log β."""
        z = (x - self.loc) / self.scale
        return -z - exp(-z) - log(self.scale)

    def mean(self) -> Any:
        """μ + γ β, with γ Euler's constant."""
        return self.full(self.loc + np.euler_gamma * self.scale)

    def variance(self) -> Any:
        """β² π² / 6."""
        return self.full(square(self.scale) * (math.pi**2 / 6.0))

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.full(self.loc)

    def entropy_elementwise(self) -> Any:
        """log β + γ + 1."""
        return self.full(log(self.scale) + (1.0 + np.euler_gamma))

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Gumbel(m, b); E[exp(−(x − m) / b)] is a gamma function."""
        ratio = self.scale / other.scale
        distance = (self.loc - other.loc) / other.scale
        moment = exp(gammaln(1.0 + ratio) - distance)
        return distance + np.euler_gamma * (ratio - 1.0) - 1.0 - log(ratio) + moment
