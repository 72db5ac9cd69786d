"""The Laplace family."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.ops.elementwise import absolute, exp, less, log, square, where


class Laplace(Distribution):
    """Independent Laplace (double exponential) values.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Scale b > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −|x − μ| / b − log 2b.
    """

    reparameterized = True
    extends_to_mean = True
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.real

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """μ + b log 2u below the median, and its mirror image above."""
        lower = less(u, 0.5)
        tail = log(2.0 * where(lower, u, 1.0 - u))
        return self.loc + self.scale * where(lower, tail, -tail)

    def log_prob_elementwise(self, x: Any) -> Any:
        """−|x − μ| / b − log 2b."""
        return -absolute(x - self.loc) / self.scale - log(self.scale) - math.log(2.0)

    def mean(self) -> Any:
        """μ, of the event shape."""
        return self.full(self.loc)

    def variance(self) -> Any:
        """2 b²."""
        return self.full(2.0 * square(self.scale))

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.mean()

    def entropy_elementwise(self) -> Any:
        """1 + log 2b."""
        return self.full(log(self.scale) + (1.0 + math.log(2.0)))

    def kl_elementwise(self, other: Any) -> Any:
        """log(c / b) + (|μ − m| + b exp(−|μ − m| / b)) / c − 1 against Laplace(m, c)."""
        distance = absolute(self.loc - other.loc)
        near = self.scale * exp(-distance / self.scale)
        return (distance + near) / other.scale - 1.0 + log(other.scale / self.scale)
