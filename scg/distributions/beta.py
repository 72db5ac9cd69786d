"""The beta family."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, Noise
from scg.ops.elementary import open_unit
from scg.ops.elementwise import (
    greater,
    less_equal,
    log,
    log1p,
    logical_and,
    sigmoid,
    where,
)
from scg.ops.proportions import log_over_mean, log_rest_over_mean
from scg.ops.special import HALF_LOG_2PI, betaln, digamma, log_gammaincinv, stirling


class Beta(Distribution):
    """Independent proportions.

    Parameters
    ----------
    concentration1 : array_like or node
        Shape α > 0, the exponent of x.
    concentration0 : array_like or node
        Shape β > 0, the exponent of 1 − x; it broadcasts with `concentration1` to the event shape.

    Notes
    -----
    log p(x) = (α − 1) log x + (β − 1) log(1 − x) − log B(α, β). The draw is a / (a + b) with two
    gamma values a and b, in logarithms; a draw that rounds to 0 or 1 is moved inside.
    """

    reparameterized = True
    extends_to_mean = True
    support = sets.unit_interval
    constraints = sets.of(concentration1=sets.positive, concentration0=sets.positive)

    def __init__(self, concentration1: Any, concentration0: Any):
        self.declare(concentration1=concentration1, concentration0=concentration0)
        self.concentration1, self.concentration0 = self.parameters.values()

    def sample(self, noise: Noise) -> Any:
        """σ(log a − log b)."""
        a = log_gammaincinv(self.concentration1, noise.uniform(self.shape, "a"))
        b = log_gammaincinv(self.concentration0, noise.uniform(self.shape, "b"))
        return open_unit(sigmoid(a - b))

    def log_prob_elementwise(self, x: Any) -> Any:
        """(α − 1) log(x/p) + (β − 1) log((1 − x)/q) + Stirling's remainder, p = α/(α+β) = 1−q."""
        a, b = self.concentration1, self.concentration0
        n = a + b
        remainder = stirling(n, order=0) - stirling(a, order=0) - stirling(b, order=0)
        scale = 0.5 * (log(n) + log1p(b / a) + log1p(a / b)) + remainder - HALF_LOG_2PI
        left = (a - 1.0) * log_over_mean(x, a, b)
        return left + (b - 1.0) * log_rest_over_mean(x, a, b) + scale

    def mean(self) -> Any:
        """α / (α + β)."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    def variance(self) -> Any:
        """p q / (α + β + 1)."""
        n = self.concentration1 + self.concentration0
        return (self.concentration1 / n) * (self.concentration0 / n) / (n + 1.0)

    def mode(self) -> Any:
        """(α − 1) / (α + β − 2) where both are above 1; an end, or NaN for both ends."""
        a, b = self.concentration1, self.concentration0
        inside = logical_and(greater(a, 1.0), greater(b, 1.0))
        interior = (a - 1.0) / where(inside, a + b - 2.0, 1.0)
        both = logical_and(less_equal(a, 1.0), less_equal(b, 1.0))
        end = where(greater(a, 1.0), 1.0, 0.0)
        return where(inside, interior, where(both, np.nan, end))

    def entropy_elementwise(self) -> Any:
        """log B(α, β) − (α − 1) ψ(α) − (β − 1) ψ(β) + (α + β − 2) ψ(α + β)."""
        a, b = self.concentration1, self.concentration0
        total = digamma(a + b)
        return betaln(a, b) - (a - 1.0) * (digamma(a) - total) - (b - 1.0) * (digamma(b) - total)

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Beta(a, b)."""
        alpha, beta = self.concentration1, self.concentration0
        a, b = other.concentration1, other.concentration0
        total = digamma(alpha + beta)
        return (
            betaln(a, b)
            - betaln(alpha, beta)
            + (alpha - a) * (digamma(alpha) - total)
            + (beta - b) * (digamma(beta) - total)
        )
