"""Special functions: gamma, error and Bessel functions, quantiles, with all their derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.common.lazy import scipy_function
from scg.errors import UnsupportedError
from scg.ops.attributes import between
from scg.ops.base import integer, special
from scg.ops.elementary import sin
from scg.ops.elementwise import (
    JUMPS,
    POSITIVE,
    SATURATING,
    absolute,
    exp,
    less,
    log,
    log1p,
    sign,
    square,
    where,
)
from scg.special import gamma, incomplete_gamma, quantiles, von_mises

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ERF = 2.0 / math.sqrt(math.pi)  # derivative of erf at 0


def _of_order(order: int, *values: Any) -> Any:
    """The value for this order, of those for orders 0, 1, ...; higher ones are an error."""
    if order >= len(values):
        raise UnsupportedError(
            f"a special function has no derivative of order {len(values) + 1} here; differentiate "
            "the distribution less often"
        )
    return values[order]


def _next(order: int) -> int:
    """Order of one more derivative, of which kernels know three."""
    return _of_order(order, 1, 2, 3)


gammaln = special(
    "gammaln",
    lambda g, y, a: g * digamma(a),
    numpy=gamma.by_numpy("log_gamma"),
    kernel="{code}(log_gamma(f8({0})))",
    doc="log |Γ(x)|.",
)
digamma = special(
    "digamma",
    lambda g, y, a: g * polygamma(a, order=1),
    numpy=gamma.by_numpy("digamma"),
    doc="ψ(x), the derivative of log Γ(x).",
)
_polygamma = special(
    "polygamma",
    lambda g, y, a, order: g * polygamma(a, order=order + 1),
    numpy=lambda a, order: scipy_function("polygamma")(order, a),
    attributes={"order": between(0, 8)},
)


def polygamma(a: Any, order: int) -> Any:
    """Derivative of digamma, of some order; order 0 is digamma itself."""
    return _polygamma(a, order=integer(order, "polygamma: order", 0))


def gamma_density(a: Any, x: Any) -> Any:
    """Density of the standard gamma distribution, x^(a-1) exp(-x) / Γ(a), around x = a."""
    t = x / a
    return exp(
        (a - 1.0) * log(t) - a * (t - 1.0) - 0.5 * log(a) - stirling(a, order=0) - HALF_LOG_2PI
    )


def _density_derivative(a: Any, x: Any, order: int) -> Any:
    """Derivative in `a` of the gamma density, of order 0, 1 or 2."""
    score = log(x) - digamma(a)
    factor = _of_order(order, 1.0, score, square(score) - polygamma(a, order=1))
    return gamma_density(a, x) * factor


#: ∂^k P(a, x) / ∂a^k of the regularised lower incomplete gamma function, k = order.
gammainc_da = special(
    "gammainc_da",
    lambda g, y, a, x, order: g * gammainc_da(a, x, order=_next(order)),
    lambda g, y, a, x, order: g * _density_derivative(a, x, order),
    numpy=incomplete_gamma.gammainc_da,
    attributes={"order": between(0, 3)},
)
gammainc = special(
    "gammainc",
    lambda g, y, a, x: g * gammainc_da(a, x, order=1),
    lambda g, y, a, x: g * gamma_density(a, x),
    doc="The regularized lower incomplete gamma function P(a, x).",
)
#: Quantile of the standard gamma distribution, with its implicit VJP (Figurnov et al. 2018).
gammaincinv = special(
    "gammaincinv",
    lambda g, y, a, u: -(g * gammainc_da(a, y, order=1)) / gamma_density(a, y),
    lambda g, y, a, u: g / gamma_density(a, y),
    doc="The inverse of `gammainc` in its second argument.",
)


# --- the gamma distribution in logarithms -----------------------------------------------------
#: G_k(a, y) = ∂_a^k P(a, x) / (x p(x)) at x = exp(y), k = order ≥ 1. Its derivatives follow from
#: ∂_a x p(x) = s x p(x) with s = y − ψ(a), and ∂_y x p(x) = (a − x) x p(x).
gamma_implicit = special(
    "gamma_implicit",
    lambda g, out, a, y, order: (
        g * (gamma_implicit(a, y, order=_next(order)) - out * (y - digamma(a)))
    ),
    lambda g, out, a, y, order: g * (_score_power(a, y, order) - out * (a - exp(y))),
    numpy=incomplete_gamma.gamma_implicit,
    attributes={"order": between(1, 3)},
)


def _score_power(a: Any, y: Any, order: int) -> Any:
    """∂_a^k of the density of y over that density, k = 1 or 2."""
    score = y - digamma(a)
    return _of_order(order - 1, score, square(score) - polygamma(a, order=1))


#: log x with P(a, x) = u: in logarithms, a gamma variate does not underflow for small a.
log_gammaincinv = special(
    "log_gammaincinv",
    lambda g, y, a, u: -(g * gamma_implicit(a, y, order=1)),
    lambda g, y, a, u: g * exp(gammaln(a) + exp(y) - a * y),
    numpy=quantiles.log_gammaincinv,
)
#: log x with 1 − P(a, x) = u, also where 1 − u rounds to one.
log_gammainccinv = special(
    "log_gammainccinv",
    lambda g, y, a, u: -(g * gamma_implicit(a, y, order=1)),
    lambda g, y, a, u: -(g * exp(gammaln(a) + exp(y) - a * y)),
    numpy=quantiles.log_gammainccinv,
)
#: Derivative of some order of the remainder δ of Stirling's formula.
stirling = special(
    "stirling",
    lambda g, y, a, order: g * stirling(a, order=order + 1),
    numpy=incomplete_gamma.stirling,
    attributes={"order": between(0, 8)},
)


def betaln(a: Any, b: Any) -> Any:
    """log Γ(a) + log Γ(b) − log Γ(a + b), by Stirling's formula: large terms do not cancel."""
    total = a + b
    remainder = stirling(a, order=0) + stirling(b, order=0) - stirling(total, order=0)
    main = (0.5 - a) * log1p(b / a) + (0.5 - b) * log1p(a / b) - 0.5 * log(total)
    return main + remainder + HALF_LOG_2PI


# --- the error function and the normal CDF ----------------------------------------------------
erf = special(
    "erf", lambda g, y, a: g * (_ERF * exp(-square(a))), turns=SATURATING, doc="The error function."
)
erfc = special(
    "erfc",
    lambda g, y, a: -(g * (_ERF * exp(-square(a)))),
    turns=SATURATING,
    doc="1 − erf(x), accurate for large x.",
)
erfinv = special(
    "erfinv",
    lambda g, y, u: g * (exp(square(y)) / _ERF),
    kernel="erfinv_{code}({0})",
    doc="The inverse of the error function.",
)
ndtr = special(
    "ndtr",
    lambda g, y, a: g * exp(-0.5 * square(a) - HALF_LOG_2PI),
    turns=SATURATING,
    doc="Φ(x), the standard normal CDF.",
)
ndtri = special(
    "ndtri",
    lambda g, y, u: g * exp(0.5 * square(y) + HALF_LOG_2PI),
    kernel="ndtri_{code}({0})",
    doc="Φ⁻¹(p), the standard normal quantile.",
)


def _hazard(a: Any) -> Any:
    import scipy.special

    x = -np.asarray(a, np.float64) / math.sqrt(2.0)  # in single precision erfcx would underflow
    return math.sqrt(2.0 / math.pi) / scipy.special.erfcx(x)


#: φ(a) / Φ(a), the derivative of log Φ.
_normal_hazard = special(
    "normal_hazard",
    lambda g, y, a: -(g * y * (a + y)),
    numpy=_hazard,
    kernel=f"{{code}}({math.sqrt(2.0 / math.pi)} / erfcx(-f8({{0}}) / {math.sqrt(2.0)}))",
)
log_ndtr = special(
    "log_ndtr",
    lambda g, y, a: g * _normal_hazard(a),
    turns=SATURATING,
    doc="log Φ(x), with Φ the standard normal CDF.",
)

# --- Bessel functions, times exp(−|x|) --------------------------------------------------------
#: Derivative of some order of log(exp(−κ) I₀(κ)): a cumulant of cos t − 1 for a von Mises t.
log_i0e = special(
    "log_i0e",
    lambda g, y, k, order: g * log_i0e(k, order=_next(order)),
    numpy=von_mises.log_i0e,
    attributes={"order": between(0, 3)},
)


def _half(x: Any, y: Any) -> Any:
    """exp(−|x|) I₁(x) / x for y = exp(−|x|) I₁(x), which is rounded where x is subnormal."""
    small = less(absolute(x), 1e-30)
    return where(small, 0.5, y / where(small, 1.0, x))


# For x > 0, I₁ − I₀ = I₀ (log exp(−x) I₀)': no terms cancel.
i0e = special(
    "i0e",
    lambda g, y, x: g * (sign(x) * y * log_i0e(absolute(x), order=1)),
    smooth=False,
    doc="exp(−|x|) I₀(x), with I₀ the modified Bessel function of order 0.",
)
i1e = special(
    "i1e",
    lambda g, y, x: -(g * (i0e(x) * log_i0e(absolute(x), order=1) + _half(x, y))),
    smooth=False,
    doc="exp(−|x|) I₁(x), with I₁ the modified Bessel function of order 1.",
)

#: Derivative of some order in κ of the von Mises CDF, and its inverse with the implicit VJP.
von_mises_cdf = special(
    "von_mises_cdf",
    lambda g, y, k, x, order: g * von_mises_cdf(k, x, order=_next(order)),
    lambda g, y, k, x, order: g * _von_mises_density(k, x, order),
    numpy=von_mises.von_mises_cdf,
    attributes={"order": between(0, 3)},
)
von_mises_quantile = special(
    "von_mises_quantile",
    lambda g, y, k, u: -(g * von_mises_cdf(k, y, order=1)) / _von_mises_density(k, y, 0),
    lambda g, y, k, u: g / _von_mises_density(k, y, 0),
    numpy=von_mises.von_mises_quantile,
)

#: Derivative of some order in κ of E x² on (−π, π).
von_mises_variance = special(
    "von_mises_variance",
    lambda g, y, k, order: g * von_mises_variance(k, order=_next(order)),
    numpy=von_mises.von_mises_variance,
    attributes={"order": between(0, 3)},
)


def von_mises_log_density(k: Any, x: Any) -> Any:
    """κ (cos x − 1) − log(2π exp(−κ) I₀(κ))."""
    return -2.0 * k * square(sin(0.5 * x)) - log_i0e(k, order=0) - 2.0 * HALF_LOG_2PI


def _von_mises_density(k: Any, x: Any, order: int) -> Any:
    """Derivative in κ of the density, of order 0, 1 or 2."""
    score = -2.0 * square(sin(0.5 * x)) - log_i0e(k, order=1)
    factor = _of_order(order, 1.0, score, square(score) - log_i0e(k, order=2))
    return exp(von_mises_log_density(k, x)) * factor


# --- quantiles of counts: constant almost everywhere ------------------------------------------
poisson_quantile, binomial_quantile, negative_binomial_quantile = (
    special(f"{f.__name__}_quantile", *(None,) * arguments, numpy=f, range=POSITIVE, **JUMPS)
    for f, arguments in (
        (quantiles.poisson, 2),
        (quantiles.binomial, 3),
        (quantiles.negative_binomial, 3),
    )
)
