"""Normal values, their exponentials, and their absolute values."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.location_scale import Symmetric
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_exp, open_positive
from scg.ops.elementwise import exp, expm1, log, sqrt, square
from scg.ops.gradient import graft, held
from scg.ops.special import HALF_LOG_2PI, erf, erfinv, ndtr, ndtri


class Normal(Symmetric):
    """Normal (Gaussian) distribution with independent elements.

    Use :class:`MultivariateNormal` for correlated elements. `scale` is not the variance.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Standard deviation σ > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, σ) = exp(−(x − μ)² / 2σ²) / (σ √2π). Pathwise: x = μ + σ ε with ε ~ N(0, 1).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.Normal(1.0, 2.0).log_prob(0.0)), 4)
    -1.7371
    """

    standard_entropy = 0.5 + HALF_LOG_2PI

    def sample(self, noise: Noise) -> Any:
        """μ + σ ε."""
        return self.loc + self.scale * noise.normal(self.shape)

    standard_quantile = closed_form("Φ⁻¹(u)", lambda d, u: ndtri(u))
    cdf = closed_form("Φ((x − μ) / σ)", lambda d, x: ndtr(d.standardize(x)))

    def standard_log_density(self, z: Any) -> Any:
        """−z² / 2 − ½ log 2π."""
        return -0.5 * square(z) - HALF_LOG_2PI

    def outward(self, z: Any, log_v: Any) -> Any:
        """√(z² − 2 log v): from zero a Rayleigh deviate, from a normal one a Maxwell deviate."""
        return sqrt(square(z) - 2.0 * log_v)

    def kl_elementwise(self, other: Any) -> Any:
        """½ (σ² + (μ − m)²) / s² − ½ + log s/σ against N(m, s²)."""
        ratio = self.scale / other.scale
        distance = (self.loc - other.loc) / other.scale
        return 0.5 * (square(ratio) + square(distance) - 1.0) - log(ratio)


class LogNormal(Distribution):
    """Log-normal distribution with independent elements: log x is normal.

    Use it for positive values with multiplicative noise. `loc` and `scale` are the mean and
    standard deviation of log x, not of x; the median is exp(μ).

    Parameters
    ----------
    loc : array_like or node
        Mean μ of log x.
    scale : array_like or node
        Standard deviation σ > 0 of log x; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, σ) = N(log x; μ, σ²) / x for x > 0. Pathwise: x = exp(μ + σ ε) with ε ~ N(0, 1).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.LogNormal(0.0, 1.0).mean()), 4)
    1.6487
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("loc", "scale")
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.positive

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    @property
    def logarithm(self) -> Normal:
        """Distribution of log x."""
        return Normal(self.loc, self.scale)

    def sample(self, noise: Noise) -> Any:
        """exp(μ + σ ε)."""
        return open_exp(self.logarithm.sample(noise))

    quantile = closed_form("exp(μ + σ Φ⁻¹(u))", lambda d, u: open_exp(d.loc + d.scale * ndtri(u)))
    cdf = closed_form("That of log x", lambda d, x: d.logarithm.cdf(log(x)))
    opened = closed_form(
        "exp(μ + σ ε) at fixed ε", lambda d, x: graft(x, exp(d.logarithm.opened(log(x))))
    )

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """Weak derivatives of log x."""
        parts = self.logarithm.weak_derivatives(log(x), noise)
        return [(theta, c, open_exp(plus), open_exp(minus)) for theta, c, plus, minus in parts]

    def log_prob_elementwise(self, x: Any) -> Any:
        """log N(log x; μ, σ²) − log x."""
        y = log(x)
        return self.logarithm.log_prob_elementwise(y) - y

    mean = closed_form("exp(μ + σ² / 2)", lambda d: exp(d.loc + 0.5 * square(d.scale)))

    def variance(self) -> Any:
        """(exp(σ²) − 1) exp(2μ + σ²)."""
        return expm1(square(self.scale)) * exp(2.0 * self.loc + square(self.scale))

    mode = closed_form("exp(μ − σ²)", lambda d: exp(d.loc - square(d.scale)))

    def entropy_elementwise(self) -> Any:
        """Entropy of log x, plus μ."""
        return self.logarithm.entropy_elementwise() + self.loc

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence of the normal distributions."""
        return self.logarithm.kl_elementwise(other.logarithm)


class HalfNormal(Distribution):
    """Half-normal distribution with independent elements: |x| of a centred normal x.

    It is a common prior for a standard deviation. `scale` is the standard deviation of the normal
    variable before the absolute value is taken.

    Parameters
    ----------
    scale : array_like or node
        Standard deviation σ > 0 of the normal variable, of any shape: the event shape.

    Notes
    -----
    p(x; σ) = √(2/π) exp(−x² / 2σ²) / σ for x ≥ 0. Pathwise: x = σ √2 erf⁻¹(u).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.HalfNormal(2.0).mean()), 4)
    1.5958
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("scale",)
    constraints = sets.of(scale=sets.positive)
    support = sets.nonnegative

    def __init__(self, scale: Any = 1.0):
        self.declare(scale=scale)
        (self.scale,) = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """σ √2 erf⁻¹(u)."""
        return open_positive(self.scale * (math.sqrt(2.0) * erfinv(u)))

    cdf = closed_form("erf(x / σ√2)", lambda d, x: erf(x / (d.scale * math.sqrt(2.0))))
    opened = closed_form("σ z at fixed z", lambda d, x: graft(x, d.scale * held(x / d.scale)))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In σ: a Maxwell deviate against the sample, as for a normal distribution."""
        further = square(self.scale) * (-2.0 * log(noise.uniform(self.shape, "out")))
        return [(self.scale, 1.0 / self.scale, sqrt(square(x) + further), x)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """½ log(2/π) − log σ − x² / (2σ²)."""
        normal = -0.5 * square(x / self.scale) - log(self.scale)
        return normal + 0.5 * math.log(2.0 / math.pi)

    mean = closed_form("σ √(2/π)", lambda d: d.scale * math.sqrt(2.0 / math.pi))
    variance = closed_form("σ² (1 − 2/π)", lambda d: square(d.scale) * (1.0 - 2.0 / math.pi))
    mode = closed_form("0", lambda d: d.full(0.0))

    def entropy_elementwise(self) -> Any:
        """½ log(π/2) + ½ + log σ."""
        return log(self.scale) + (0.5 * math.log(math.pi / 2.0) + 0.5)

    def kl_elementwise(self, other: Any) -> Any:
        """(r² − 1) / 2 − log r with r = σ / s, against HalfNormal(s)."""
        ratio = self.scale / other.scale
        return 0.5 * (square(ratio) - 1.0) - log(ratio)
