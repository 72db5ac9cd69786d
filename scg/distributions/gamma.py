"""Gamma values, and their reciprocals."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.protocols import Noise
from scg.distributions.shape_parts import gamma_parts
from scg.distributions.standardized import accepted_log_gamma, standardized_log_gamma
from scg.ops.elementary import open_exp
from scg.ops.elementwise import exp, greater, log, maximum, square, where
from scg.ops.gradient import graft, held, stop
from scg.ops.proportions import gamma_log_density, log_ratio, relative_entropy
from scg.ops.special import (
    HALF_LOG_2PI,
    digamma,
    gamma_implicit,
    gammainc,
    log_gammainccinv,
    log_gammaincinv,
    stirling,
)


class Gamma(Distribution):
    """Gamma distribution with independent elements, by shape and rate.

    Use it for positive values, or as the conjugate prior of a Poisson rate or of a precision. SciPy
    and NumPy take the scale 1/β in place of the rate β.

    Parameters
    ----------
    concentration : array_like or node
        Shape α > 0.
    rate : array_like or node
        Rate β > 0; it broadcasts with `concentration` to the event shape.

    Notes
    -----
    p(x; α, β) = β^α x^(α−1) exp(−β x) / Γ(α) for x ≥ 0. A sample is x = P⁻¹(α, u) / β, where P is
    the regularised lower incomplete gamma function. Its derivative in α is implicit (Figurnov et
    al. 2018).

    Examples
    --------
    >>> import scg
    >>> float(scg.Gamma(3.0, rate=2.0).mean())
    1.5
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("concentration", "rate")
    constraints = sets.of(concentration=sets.positive, rate=sets.positive)
    support = sets.nonnegative

    def __init__(self, concentration: Any, rate: Any = 1.0):
        self.declare(concentration=concentration, rate=rate)
        self.concentration, self.rate = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """P⁻¹(α, u) / β, by its logarithm, which does not underflow for small α."""
        return open_exp(log_gammaincinv(self.concentration, u) - log(self.rate))

    cdf = closed_form("P(α, β x)", lambda d, x: gammainc(d.concentration, d.rate * x))

    def opened(self, x: Any) -> Any:
        """P⁻¹(α, u) / β at fixed u, with the implicit derivative of its logarithm in α."""
        a, y = self.concentration, held(log(self.rate * x))
        y = graft(y, -held(gamma_implicit(a, y, order=1)) * a)
        return graft(x, exp(y) / self.rate)

    def rounding(self, x: Any, noise: Noise) -> Any:
        """α times what rounding takes from log x, which is much where x would underflow."""
        y = log_gammaincinv(self.concentration, noise.uniform(self.uniforms)) - log(self.rate)
        return self.concentration * stop(y - log(x))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In α by inversion; in β: the sample against one of shape α + 1 (Mohamed et al. 2020)."""
        a, b = self.full(self.concentration), self.full(self.rate)
        factor, *logs = gamma_parts(a, noise.uniform(self.shape, "shape"))
        plus, minus = (open_exp(y - log(b)) for y in logs)
        more = -log(noise.uniform(self.shape, "more")) / b
        return [(a, factor, plus, minus), (b, a / b, x, x + more)]

    def accepted(self, noise: Noise, augment: int) -> tuple[Any, Any]:
        """Through the proposal of Marsaglia and Tsang (2000)."""
        y, logp = accepted_log_gamma(self.full(self.concentration), noise, augment)
        return open_exp(y - log(self.rate)), logp

    def standardized(self, noise: Noise) -> tuple[Any, Any]:
        """Through the standardized logarithm."""
        y, logp = standardized_log_gamma(self.full(self.concentration), noise)
        return open_exp(y - log(self.rate)), logp

    def log_prob_elementwise(self, x: Any) -> Any:
        """α log β + (α − 1) log x − β x − log Γ(α), arranged around the mean."""
        return gamma_log_density(x, self.concentration, self.rate)

    mean = closed_form("α / β", lambda d: d.concentration / d.rate)
    variance = closed_form("α / β²", lambda d: d.concentration / square(d.rate))
    mode = closed_form("max(α − 1, 0) / β", lambda d: maximum(d.concentration - 1.0, 0.0) / d.rate)

    def entropy_elementwise(self) -> Any:
        """α − log β + log Γ(α) + (1 − α) ψ(α), by Stirling's formula."""
        a = self.concentration
        rest = stirling(a, order=0) + (1.0 - a) * stirling(a, order=1) - 0.5 / a
        return 0.5 * log(a) - log(self.rate) + rest + (HALF_LOG_2PI + 0.5)

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Gamma(a, b)."""
        alpha, beta, a, b = self.concentration, self.rate, other.concentration, other.rate
        shapes = relative_entropy(a, alpha) + shape_remainder(alpha, a)
        return shapes + alpha / beta * relative_entropy(beta, b) + (a - alpha) * log_ratio(beta, b)


def shape_remainder(alpha: Any, a: Any) -> Any:
    """log Γ(a) − log Γ(α) − ψ(α) (a − α), without a log(a / α) − a + α, by Stirling."""
    gap = a - alpha
    rest = stirling(a, order=0) - stirling(alpha, order=0) - gap * stirling(alpha, order=1)
    return rest - 0.5 * log_ratio(a, alpha) + 0.5 * gap / alpha


class InverseGamma(Distribution):
    """Inverse gamma distribution with independent elements: 1/x is gamma.

    It is the conjugate prior of a normal variance. The rate of 1/x is the scale of x: SciPy calls
    it `scale`.

    Parameters
    ----------
    concentration : array_like or node
        Shape α > 0.
    rate : array_like or node
        Rate β > 0 of 1/x, the scale of x; it broadcasts with `concentration` to the event shape.

    Notes
    -----
    p(x; α, β) = β^α x^(−α−1) exp(−β / x) / Γ(α) for x > 0. The mean is infinite for α ≤ 1, the
    variance for α ≤ 2. Pathwise: x = β / Q⁻¹(α, u) with the upper incomplete gamma function Q.

    Examples
    --------
    >>> import scg
    >>> float(scg.InverseGamma(3.0, 2.0).mean())
    1.0
    """

    reparameterized = True
    weak_parameters = ("concentration", "rate")
    extends_to_mean = True
    support = sets.positive
    constraints = sets.of(concentration=sets.positive, rate=sets.positive)

    def __init__(self, concentration: Any, rate: Any = 1.0):
        self.declare(concentration=concentration, rate=rate)
        self.concentration, self.rate = self.parameters.values()

    @property
    def reciprocal(self) -> Gamma:
        """Distribution of 1 / x."""
        return Gamma(self.concentration, self.rate)

    def quantile(self, u: Any) -> Any:
        """β / Q⁻¹(α, u), by its logarithm, with Q = 1 − P."""
        return open_exp(log(self.rate) - log_gammainccinv(self.concentration, u))

    def rounding(self, x: Any, noise: Noise) -> Any:
        """That of 1 / x, where x would overflow."""
        y = log(self.rate) - log_gammainccinv(self.concentration, noise.uniform(self.uniforms))
        return self.concentration * stop(log(x) - y)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Density of 1 / x, times 1 / x²."""
        return gamma_log_density(x, self.concentration, self.rate, reciprocal=True) - 2.0 * log(x)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """Weak derivatives of 1 / x."""
        parts = self.reciprocal.weak_derivatives(1.0 / x, noise)
        return [(theta, c, 1.0 / plus, 1.0 / minus) for theta, c, plus, minus in parts]

    opened = closed_form("That of 1 / x", lambda d, x: 1.0 / d.reciprocal.opened(1.0 / x))

    def accepted(self, noise: Noise, augment: int) -> tuple[Any, Any]:
        """That of 1 / x."""
        value, logp = self.reciprocal.accepted(noise, augment)
        return 1.0 / value, logp

    def standardized(self, noise: Noise) -> tuple[Any, Any]:
        """That of 1 / x."""
        value, logp = self.reciprocal.standardized(noise)
        return 1.0 / value, logp

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

    mode = closed_form("β / (α + 1)", lambda d: d.rate / (d.concentration + 1.0))

    def entropy_elementwise(self) -> Any:
        """Entropy of 1 / x, minus 2 E log(1 / x)."""
        expected = digamma(self.concentration) - log(self.rate)
        return self.reciprocal.entropy_elementwise() - 2.0 * expected

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence of the gamma distributions."""
        return self.reciprocal.kl_elementwise(other.reciprocal)
