"""The Pareto family."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_exp
from scg.ops.elementwise import exp, greater, greater_equal, log, log1p, square, where
from scg.ops.within import within


class Pareto(Distribution):
    """Independent values above a least value, with a power law.

    Parameters
    ----------
    scale : array_like or node
        Least value m > 0.
    concentration : array_like or node
        Exponent α > 0; it broadcasts with `scale` to the event shape.

    Notes
    -----
    log p(x) = log α − log m − (α + 1) log(x / m).
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("scale", "concentration")
    constraints = sets.of(scale=sets.positive, concentration=sets.positive)

    def __init__(self, scale: Any, concentration: Any):
        self.declare(scale=scale, concentration=concentration)
        self.scale, self.concentration = self.parameters.values()

    @property
    def support(self) -> sets.Constraint:
        """From the least value upwards."""
        return sets.Interval(self.scale, np.inf, name="at least the scale")

    def quantile(self, u: Any) -> Any:
        """m (1 − u)^(−1/α), by a product, which is not less than m, or by its logarithm."""
        t = -log1p(-u) / self.concentration
        far = open_exp(log(self.scale) + t)
        return within(t, -np.inf, 1.0, self.scale * open_exp(t), far, closed=True)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In m the draw against m itself; in α, the rate of log(x / m), against a product."""
        m, a = self.full(self.scale), self.full(self.concentration)
        more = exp(-log(noise.uniform(self.shape, "more")) / a)
        return [(m, a / m, x, m), (a, 1.0 / a, x, x * more)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """log α − log m − (α + 1) log(x / m)."""
        a = self.concentration
        return log(a / self.scale) - (a + 1.0) * log(x / self.scale)

    def mean(self) -> Any:
        """α m / (α − 1) for α > 1, otherwise infinite."""
        a = self.concentration
        finite = greater(a, 1.0)
        return where(finite, a * self.scale / (where(finite, a, 2.0) - 1.0), np.inf)

    def variance(self) -> Any:
        """α m² / ((α − 1)² (α − 2)) for α > 2, otherwise infinite."""
        a = self.concentration
        finite = greater(a, 2.0)
        b = where(finite, a, 3.0)
        return where(finite, b * square(self.scale / (b - 1.0)) / (b - 2.0), np.inf)

    def mode(self) -> Any:
        """m, of the event shape."""
        return self.full(self.scale)

    def entropy_elementwise(self) -> Any:
        """log(m / α) + 1 + 1/α."""
        return log(self.scale / self.concentration) + 1.0 + 1.0 / self.concentration

    def kl_elementwise(self, other: Any) -> Any:
        """log(α / a) + a log(m / l) + a/α − 1 against Pareto(l, a) for l ≤ m, else infinite."""
        ratio = other.concentration / self.concentration
        shift = other.concentration * log(self.scale / other.scale)
        covered = greater_equal(self.scale, other.scale)
        return where(covered, ratio - 1.0 - log(ratio) + shift, np.inf)
