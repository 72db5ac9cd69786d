"""The logistic family."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.ops.elementwise import absolute, log, log1p, softplus, square


class Logistic(Distribution):
    """Independent logistic values.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Scale s > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −z − 2 log(1 + exp(−z)) − log s with z = |x − μ| / s.
    """

    reparameterized = True
    extends_to_mean = True
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.real

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """μ + s (log u − log(1 − u))."""
        return self.loc + self.scale * (log(u) - log1p(-u))

    def log_prob_elementwise(self, x: Any) -> Any:
        """−z − 2 log(1 + exp(−z)) − log s."""
        z = absolute((x - self.loc) / self.scale)
        return -z - 2.0 * softplus(-z) - log(self.scale)

    def mean(self) -> Any:
        """μ, of the event shape."""
        return self.full(self.loc)

    def variance(self) -> Any:
        """s² π² / 3."""
        return self.full(square(self.scale) * (math.pi**2 / 3.0))

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.mean()

    def entropy_elementwise(self) -> Any:
        """2 + log s."""
        return self.full(log(self.scale) + 2.0)
