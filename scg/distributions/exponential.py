"""Exponential values, their powers (Weibull), and their exponentials (Pareto)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.protocols import Noise
from scg.distributions.shape_parts import weibull_parts
from scg.ops.elementary import open_exp, open_positive
from scg.ops.elementwise import (
    exp,
    expm1,
    greater,
    greater_equal,
    log,
    log1p,
    maximum,
    sqrt,
    square,
    where,
)
from scg.ops.gradient import graft, held
from scg.ops.proportions import absorb, log_ratio
from scg.ops.special import gammaln
from scg.ops.within import within


class Exponential(Distribution):
    """Exponential distribution with independent elements: waiting times of constant rate.

    `rate` is the inverse of the mean; SciPy and NumPy take the scale 1/λ.

    Parameters
    ----------
    rate : array_like or node
        Rate λ > 0, of any shape: the event shape.

    Notes
    -----
    p(x; λ) = λ exp(−λ x) for x ≥ 0. Pathwise: x = −log(1 − u) / λ.

    Examples
    --------
    >>> import scg
    >>> float(scg.Exponential(rate=4.0).mean())
    0.25
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("rate",)
    constraints = sets.of(rate=sets.positive)
    support = sets.nonnegative

    def __init__(self, rate: Any = 1.0):
        self.declare(rate=rate)
        (self.rate,) = self.parameters.values()

    quantile = closed_form("−log(1 − u) / λ", lambda d, u: open_positive(-log1p(-u) / d.rate))

    cdf = closed_form("1 − exp(−λ x)", lambda d, x: -expm1(-(d.rate * x)))
    opened = closed_form("z / λ at fixed z", lambda d, x: graft(x, held(x * d.rate) / d.rate))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In λ: the sample against the sum of two (Mohamed et al. 2020)."""
        more = -log(noise.uniform(self.shape, "more")) / self.rate
        return [(self.rate, 1.0 / self.rate, x, x + more)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """log λ − λ x."""
        return log(self.rate) - self.rate * x

    mean = closed_form("1 / λ", lambda d: 1.0 / d.rate)
    variance = closed_form("1 / λ²", lambda d: 1.0 / square(d.rate))
    mode = closed_form("0", lambda d: d.full(0.0))
    entropy_elementwise = closed_form("1 − log λ", lambda d: 1.0 - log(d.rate))

    def kl_elementwise(self, other: Any) -> Any:
        """r − 1 − log r against Exponential(rλ)."""
        ratio = other.rate / self.rate
        return ratio - 1.0 - log(ratio)


class Weibull(Distribution):
    """Weibull distribution with independent elements: waiting times of a changing rate.

    The hazard grows with time for k > 1, falls for k < 1, and is constant for k = 1, where the
    distribution is exponential with rate 1/λ.

    Parameters
    ----------
    scale : array_like or node
        Scale λ > 0.
    concentration : array_like or node
        Shape k > 0; it broadcasts with `scale` to the event shape.

    Notes
    -----
    p(x; λ, k) = (k/λ) z^(k−1) exp(−z^k) with z = x / λ ≥ 0. Pathwise: x = λ (−log(1 − u))^(1/k).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.Weibull(2.0, 1.0).log_prob(1.0)), 4)
    -1.1931
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("scale", "concentration")
    constraints = sets.of(scale=sets.positive, concentration=sets.positive)
    support = sets.nonnegative

    def __init__(self, scale: Any, concentration: Any):
        self.declare(scale=scale, concentration=concentration)
        self.scale, self.concentration = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """λ (−log(1 − u))^(1/k)."""
        return open_exp(log(self.scale) + log(-log1p(-u)) / self.concentration)

    def opened(self, x: Any) -> Any:
        """λ y^(1/k) at fixed y."""
        y = held(log(x / self.scale) * self.concentration)
        return graft(x, self.scale * exp(y / self.concentration))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In λ: z^k is exponential; two against one (Mohamed et al. 2020). In k by inversion."""
        scale, k = self.full(self.scale), self.full(self.concentration)
        both = exp(k * log(x / scale)) - log(noise.uniform(self.shape, "more"))
        factor, *logs = weibull_parts(noise.uniform(self.shape, "shape"))
        further, plus, minus = (scale * open_exp(y / k) for y in (log(both), *logs))
        return [(scale, k / scale, further, x), (k, factor / k, plus, minus)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """log k − log λ + (k − 1) log z − z^k."""
        k = self.concentration
        power = exp(k * log_ratio(open_positive(x), self.scale))  # of slope 0 at 0, or beside −∞
        return log(k) - log(self.scale) + absorb(k - 1.0, log_ratio(x, self.scale)) - power

    def _moment(self, order: float) -> Any:
        return exp(gammaln(1.0 + order / self.concentration))

    mean = closed_form("λ Γ(1 + 1/k)", lambda d: d.scale * d._moment(1.0))

    def variance(self) -> Any:
        """λ² (Γ(1 + 2/k) − Γ(1 + 1/k)²)."""
        return square(self.scale) * (self._moment(2.0) - square(self._moment(1.0)))

    def mode(self) -> Any:
        """λ (1 − 1/k)^(1/k) for k > 1, otherwise 0."""
        k = self.concentration
        base = maximum(1.0 - 1.0 / k, 0.0)
        inside = greater(base, 0.0)
        return self.scale * where(inside, exp(log(where(inside, base, 1.0)) / k), 0.0)

    def entropy_elementwise(self) -> Any:
        """γ (1 − 1/k) + log(λ / k) + 1."""
        k = self.concentration
        return np.euler_gamma * (1.0 - 1.0 / k) + log(self.scale / k) + 1.0

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Weibull(l, c); Bauckhage (2013)."""
        k, c = self.concentration, other.concentration
        distance = log(self.scale / other.scale)
        moment = exp(c * distance + gammaln(1.0 + c / k))
        return log(k / c) - c * distance + np.euler_gamma * (c / k - 1.0) + moment - 1.0


class Pareto(Distribution):
    """Pareto distribution with independent elements: a power law above a least value.

    It is the first kind of Pareto distribution. The support starts at `scale`, not at 0, and moves
    with it.

    Parameters
    ----------
    scale : array_like or node
        Least value m > 0.
    concentration : array_like or node
        Exponent α > 0; it broadcasts with `scale` to the event shape.

    Notes
    -----
    p(x; m, α) = α m^α / x^(α+1) for x ≥ m. The mean is infinite for α ≤ 1, the variance for α ≤ 2.
    Pathwise: x = m (1 − u)^(−1/α).

    Examples
    --------
    >>> import scg
    >>> float(scg.Pareto(2.0, 3.0).mean())
    3.0
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
        """In m, the sample against m; in α, the rate of log(x / m), against a product."""
        m, a = self.full(self.scale), self.full(self.concentration)
        more = exp(-log(noise.uniform(self.shape, "more")) / a)
        return [(m, a / m, x, m), (a, 1.0 / a, x, x * more)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """log α − log m − (α + 1) log(x / m), where x / m may be beyond the largest number."""
        a = self.concentration
        return log(a / self.scale) - (a + 1.0) * (2.0 * log(sqrt(x) / sqrt(self.scale)))

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

    mode = closed_form("m, of the event shape", lambda d: d.full(d.scale))

    def entropy_elementwise(self) -> Any:
        """log(m / α) + 1 + 1/α."""
        return log(self.scale / self.concentration) + 1.0 + 1.0 / self.concentration

    def kl_elementwise(self, other: Any) -> Any:
        """log(α / a) + a log(m / l) + a/α − 1 against Pareto(l, a) for l ≤ m, else infinite."""
        ratio = other.concentration / self.concentration
        shift = other.concentration * log(self.scale / other.scale)
        covered = greater_equal(self.scale, other.scale)
        return where(covered, ratio - 1.0 - log(ratio) + shift, np.inf)
