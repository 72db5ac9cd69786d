"""The Poisson family."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.ops.elementary import floor
from scg.ops.elementwise import log, xlogy
from scg.ops.special import HALF_LOG_2PI, poisson_quantile, stirling


class Poisson(Distribution):
    """Independent counts 0, 1, 2, ... (as floats).

    Parameters
    ----------
    rate : array_like or node
        Mean λ > 0, of any shape: the event shape.

    Notes
    -----
    log p(k) = k log λ − λ − log k!, which extends to the mean.
    """

    extends_to_mean = True
    support = sets.natural
    constraints = sets.of(rate=sets.positive)

    def __init__(self, rate: Any):
        self.declare(rate=rate)
        (self.rate,) = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """The smallest k with P(K ≤ k) ≥ u."""
        return poisson_quantile(self.rate, u)

    def log_prob_elementwise(self, x: Any) -> Any:
        """k log λ − λ − log k!, by Stirling's formula for k + 1."""
        n = x + 1.0
        remainder = 0.5 * log(n) + stirling(n, order=0) + HALF_LOG_2PI
        ratio = self.rate / n  # rounded once: what it is wrong by cancels between the two terms
        return xlogy(x, ratio) + n * (1.0 - ratio) - remainder

    def weak_derivatives(self, x: Any, noise: Any) -> list[tuple[Any, Any, Any, Any]]:
        """In λ: x + 1 against x."""
        return [(self.rate, 1.0, x + 1.0, x)]

    def mean(self) -> Any:
        """λ."""
        return self.rate

    def variance(self) -> Any:
        """λ."""
        return self.rate

    def mode(self) -> Any:
        """⌊λ⌋."""
        return floor(self.rate)

    def kl_elementwise(self, other: Any) -> Any:
        """λ log(λ / l) − λ + l against Poisson(l)."""
        return self.rate * log(self.rate / other.rate) - self.rate + other.rate
