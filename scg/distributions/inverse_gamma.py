"""The inverse gamma family."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.distributions.gamma import Gamma
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_exp
from scg.ops.elementwise import greater, log, square, where
from scg.ops.proportions import gamma_log_density
from scg.ops.special import digamma, log_gammainccinv


class InverseGamma(Distribution):
    """Independent reciprocals of gamma values.

    Parameters
    ----------
    concentration : array_like or node
        Shape α > 0.
    rate : array_like or node
        Rate β > 0 of the gamma value, the scale of its reciprocal; it broadcasts with
        `concentration` to the event shape.

    Notes
    -----
    log p(x) = α log β − log Γ(α) − (α + 1) log x − β / x.
    """

    reparameterized = True
    weak_parameters = ("rate",)
    extends_to_mean = True
    support = sets.positive
    constraints = sets.of(concentration=sets.positive, rate=sets.positive)

    def __init__(self, concentration: Any, rate: Any = 1.0):
        self.declare(concentration=concentration, rate=rate)
        self.concentration, self.rate = self.parameters.values()

    @property
    def reciprocal(self) -> Gamma:
        """The law of 1 / x."""
        return Gamma(self.concentration, self.rate)

    def quantile(self, u: Any) -> Any:
        """β / Q⁻¹(α, u), by its logarithm, with Q = 1 − P."""
        return open_exp(log(self.rate) - log_gammainccinv(self.concentration, u))

    def log_prob_elementwise(self, x: Any) -> Any:
        """Density of 1 / x, times 1 / x²."""
        return gamma_log_density(x, self.concentration, self.rate, reciprocal=True) - 2.0 * log(x)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """Those of 1 / x."""
        parts = self.reciprocal.weak_derivatives(1.0 / x, noise)
        return [(theta, c, 1.0 / plus, 1.0 / minus) for theta, c, plus, minus in parts]

    def mean(self) -> Any:
        """β / (α − 1) for α > 1, otherwise infinite."""
        a = self.concentration
        finite = greater(a, 1.0)
        return where(finite, self.rate / (where(finite, a, 2.0) - 1.0), np.inf)

    def variance(self) -> Any:
        """β² / ((α − 1)² (α − 2)) for α > 2, otherwise infinite."""
        a = self.concentration
        finite = greater(a, 2.0)
        b = where(finite, a, 3.0)
        return where(finite, square(self.rate / (b - 1.0)) / (b - 2.0), np.inf)

    def mode(self) -> Any:
        """β / (α + 1)."""
        return self.rate / (self.concentration + 1.0)

    def entropy_elementwise(self) -> Any:
        """Entropy of 1 / x, minus 2 E log(1 / x)."""
        expected = digamma(self.concentration) - log(self.rate)
        return self.reciprocal.entropy_elementwise() - 2.0 * expected

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence of the gamma laws."""
        return self.reciprocal.kl_elementwise(other.reciprocal)
