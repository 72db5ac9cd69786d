"""Special functions; SciPy is loaded when a value is first computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import UnsupportedError
from scg.ops.base import integer
from scg.ops.elementary import sin
from scg.ops.elementwise import absolute, elementwise, exp, less, log, log1p, sign, square, where
from scg.special import incomplete_gamma, quantiles, von_mises

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ERF = 2.0 / math.sqrt(math.pi)  # derivative of erf at 0


def _scipy(name: str) -> Any:
    def rule(*args: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*args)

    return rule


def _gammainc_da(a: Any, x: Any, order: int) -> Any:
    from scg.special.incomplete_gamma import gammainc_da

    return gammainc_da(a, x, order)


def _polygamma(a: Any, order: int) -> Any:
    import scipy.special

    return scipy.special.polygamma(order, a)


def _of_order(order: int, *values: Any) -> Any:
    """Return one of the values for order 0, 1, ...; what lies beyond is not known."""
    if order >= len(values):
        raise UnsupportedError(
            f"a special function has no derivative of order {len(values) + 1} here: its law can be "
            "differentiated less often"
        )
    return values[order]


def _next(order: int) -> int:
    """Return the order of one more derivative, of which the kernels know three."""
    return _of_order(order, 1, 2, 3)


gammaln = elementwise("gammaln", _scipy("gammaln"), lambda g, y, a: g * digamma(a))
digamma = elementwise("digamma", _scipy("digamma"), lambda g, y, a: g * polygamma(a, order=1))
_higher_digamma = elementwise(
    "polygamma", _polygamma, lambda g, y, a, order: g * polygamma(a, order=order + 1)
)


def polygamma(a: Any, order: int) -> Any:
    """Return the derivative of digamma of some order."""
    return _higher_digamma(a, order=integer(order, "polygamma: order", 0))


def gamma_density(a: Any, x: Any) -> Any:
    """Density of the standard gamma distribution, x^(a-1) exp(-x) / Γ(a), around x = a."""
    t = x / a
    return exp(
        (a - 1.0) * log(t) - a * (t - 1.0) - 0.5 * log(a) - stirling(a, order=0) - HALF_LOG_2PI
    )


def _density_derivative(a: Any, x: Any, order: int) -> Any:
    """Return the derivative in `a` of the gamma density, of order 0, 1 or 2."""
    score = log(x) - digamma(a)
    factor = _of_order(order, 1.0, score, square(score) - polygamma(a, order=1))
    return gamma_density(a, x) * factor


#: ∂^k P(a, x) / ∂a^k of the regularised lower incomplete gamma function, k = order.
gammainc_da = elementwise(
    "gammainc_da",
    _gammainc_da,
    lambda g, y, a, x, order: g * gammainc_da(a, x, order=_next(order)),
    lambda g, y, a, x, order: g * _density_derivative(a, x, order),
)
gammainc = elementwise(
    "gammainc",
    _scipy("gammainc"),
    lambda g, y, a, x: g * gammainc_da(a, x, order=1),
    lambda g, y, a, x: g * gamma_density(a, x),
)
#: The inverse CDF of the standard gamma law, with its implicit VJP (Figurnov et al. 2018, eq. 5).
gammaincinv = elementwise(
    "gammaincinv",
    _scipy("gammaincinv"),
    lambda g, y, a, u: -(g * gammainc_da(a, y, order=1)) / gamma_density(a, y),
    lambda g, y, a, u: g / gamma_density(a, y),
)


# --- the gamma law in logarithms --------------------------------------------------------------
#: G_k(a, y) = ∂_a^k P(a, x) / (x p(x)) at x = exp(y), k = order ≥ 1. Its derivatives follow from
#: ∂_a x p(x) = s x p(x) with s = y − ψ(a), and ∂_y x p(x) = (a − x) x p(x).
gamma_implicit = elementwise(
    "gamma_implicit",
    incomplete_gamma.gamma_implicit,
    lambda g, out, a, y, order: (
        g * (gamma_implicit(a, y, order=_next(order)) - out * (y - digamma(a)))
    ),
    lambda g, out, a, y, order: g * (_score_power(a, y, order) - out * (a - exp(y))),
)


def _score_power(a: Any, y: Any, order: int) -> Any:
    """Return ∂_a^k of the density of y over that density, k = 1 or 2."""
    score = y - digamma(a)
    return _of_order(order - 1, score, square(score) - polygamma(a, order=1))


#: log x with P(a, x) = u: a gamma variate in logarithms does not underflow for small a.
log_gammaincinv = elementwise(
    "log_gammaincinv",
    quantiles.log_gammaincinv,
    lambda g, y, a, u: -(g * gamma_implicit(a, y, order=1)),
    lambda g, y, a, u: g * exp(gammaln(a) + exp(y) - a * y),
)
#: log x with 1 − P(a, x) = u, also where 1 − u rounds to one.
log_gammainccinv = elementwise(
    "log_gammainccinv",
    quantiles.log_gammainccinv,
    lambda g, y, a, u: -(g * gamma_implicit(a, y, order=1)),
    lambda g, y, a, u: -(g * exp(gammaln(a) + exp(y) - a * y)),
)
#: Derivative of some order of the remainder δ of Stirling's formula.
stirling = elementwise(
    "stirling",
    incomplete_gamma.stirling,
    lambda g, y, a, order: g * stirling(a, order=order + 1),
)


def betaln(a: Any, b: Any) -> Any:
    """Return log Γ(a) + log Γ(b) − log Γ(a + b), by Stirling's formula: nothing large cancels."""
    total = a + b
    remainder = stirling(a, order=0) + stirling(b, order=0) - stirling(total, order=0)
    main = (0.5 - a) * log1p(b / a) + (0.5 - b) * log1p(a / b) - 0.5 * log(total)
    return main + remainder + HALF_LOG_2PI


# --- the error function and the normal CDF ----------------------------------------------------
erf = elementwise("erf", _scipy("erf"), lambda g, y, a: g * (_ERF * exp(-square(a))))
erfc = elementwise("erfc", _scipy("erfc"), lambda g, y, a: -(g * (_ERF * exp(-square(a)))))
erfinv = elementwise("erfinv", _scipy("erfinv"), lambda g, y, u: g * (exp(square(y)) / _ERF))
ndtr = elementwise("ndtr", _scipy("ndtr"), lambda g, y, a: g * exp(-0.5 * square(a) - HALF_LOG_2PI))
ndtri = elementwise(
    "ndtri", _scipy("ndtri"), lambda g, y, u: g * exp(0.5 * square(y) + HALF_LOG_2PI)
)


def _hazard(a: Any) -> Any:
    import scipy.special

    x = -np.asarray(a, np.float64) / math.sqrt(2.0)  # in single precision erfcx would underflow
    return math.sqrt(2.0 / math.pi) / scipy.special.erfcx(x)


#: φ(a) / Φ(a), the derivative of log Φ.
_normal_hazard = elementwise("normal_hazard", _hazard, lambda g, y, a: -(g * y * (a + y)))
log_ndtr = elementwise("log_ndtr", _scipy("log_ndtr"), lambda g, y, a: g * _normal_hazard(a))

# --- Bessel functions, times exp(−|x|) --------------------------------------------------------
#: Derivative of some order of log(exp(−κ) I₀(κ)): a cumulant of cos t − 1 under the von Mises law.
log_i0e = elementwise(
    "log_i0e",
    von_mises.log_i0e,
    lambda g, y, k, order: g * log_i0e(k, order=_next(order)),
)


def _half(x: Any, y: Any) -> Any:
    """exp(−|x|) I₁(x) / x, given exp(−|x|) I₁(x), which is rounded where x is subnormal."""
    small = less(absolute(x), 1e-30)
    return where(small, 0.5, y / where(small, 1.0, x))


# I₁ − I₀ = I₀ (log exp(−x) I₀)' for x > 0, so that nothing cancels
i0e = elementwise(
    "i0e",
    _scipy("i0e"),
    lambda g, y, x: g * (sign(x) * y * log_i0e(absolute(x), order=1)),
    smooth=False,
)
i1e = elementwise(
    "i1e",
    _scipy("i1e"),
    lambda g, y, x: -(g * (i0e(x) * log_i0e(absolute(x), order=1) + _half(x, y))),
    smooth=False,
)

#: Derivative of some order in κ of the von Mises CDF, and its inverse with the implicit VJP.
von_mises_cdf = elementwise(
    "von_mises_cdf",
    von_mises.von_mises_cdf,
    lambda g, y, k, x, order: g * von_mises_cdf(k, x, order=_next(order)),
    lambda g, y, k, x, order: g * _von_mises_density(k, x, order),
)
von_mises_quantile = elementwise(
    "von_mises_quantile",
    von_mises.von_mises_quantile,
    lambda g, y, k, u: -(g * von_mises_cdf(k, y, order=1)) / _von_mises_density(k, y, 0),
    lambda g, y, k, u: g / _von_mises_density(k, y, 0),
)

#: Derivative of some order in κ of E x² on (−π, π).
von_mises_variance = elementwise(
    "von_mises_variance",
    von_mises.von_mises_variance,
    lambda g, y, k, order: g * von_mises_variance(k, order=_next(order)),
)


def von_mises_log_density(k: Any, x: Any) -> Any:
    """Return κ (cos x − 1) − log(2π exp(−κ) I₀(κ))."""
    return -2.0 * k * square(sin(0.5 * x)) - log_i0e(k, order=0) - 2.0 * HALF_LOG_2PI


def _von_mises_density(k: Any, x: Any, order: int) -> Any:
    """Return the derivative in κ of the density, of order 0, 1 or 2."""
    score = -2.0 * square(sin(0.5 * x)) - log_i0e(k, order=1)
    factor = _of_order(order, 1.0, score, square(score) - log_i0e(k, order=2))
    return exp(von_mises_log_density(k, x)) * factor


# --- quantiles of counts: constant almost everywhere ------------------------------------------
poisson_quantile, binomial_quantile, negative_binomial_quantile = (
    elementwise(
        f"{name}_quantile",
        getattr(quantiles, name),
        *(None,) * arguments,
        continuous=False,
        smooth=False,
    )
    for name, arguments in (("poisson", 2), ("binomial", 3), ("negative_binomial", 3))
)
