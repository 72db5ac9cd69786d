"""Special functions of one element, in double precision: SciPy's, and twins of our own.

The interpreter's versions, in :mod:`scg.engine.special`, :mod:`scg.engine.quantiles` and
:mod:`scg.engine.von_mises`, say where each formula comes from; here they stand for one element, in
real arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from scg.engine import intrinsics
from scg.engine.calls import CALLS
from scg.engine.incomplete_beta import _NODES as _BETA_NODES
from scg.engine.math import helper, polynomial
from scg.engine.quantiles import _LOG_SMALL
from scg.engine.special import _BERNOULLI, _NODES, _SERIES, _SHIFT, _STEP
from scg.engine.von_mises import _DECAY, _POINTS, _WEIGHTS

exp, expm1, log, log1p = (
    math.exp,
    math.expm1,
    math.log,
    math.log1p,
)  # calls: to inline ours takes long to compile
(
    betainc,
    betainccinv,
    betaincinv,
    betaln,
    expit,
    gamma,
    gammaincc,
    gammaincinv,
    gammaln,
    i0e,
    psi,
) = (
    CALLS[name]
    for name in (
        "betainc",
        "betainccinv",
        "betaincinv",
        "betaln",
        "expit",
        "gamma",
        "gammaincc",
        "gammaincinv",
        "gammaln",
        "i0e",
        "psi",
    )
)
cos: Any = intrinsics.cos
sin: Any = intrinsics.sin
floor: Any = intrinsics.floor
ceil: Any = intrinsics.ceil
sqrt: Any = intrinsics.sqrt

scalar: Any = numba.njit(  # pyright: ignore[reportCallIssue]
    fastmath={"contract"}, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)
_inf, _nan = math.inf, math.nan
_largest, _tiny = float(np.finfo(np.float64).max), float(np.finfo(np.float64).tiny)


# --- the polygamma functions ----------------------------------------------------------------------
def numbers(values: Any) -> Any:
    """Return k -> values[k], for an unsigned k, from a table in the object code."""
    array = ir.ArrayType(ir.DoubleType(), len(values))

    @intrinsic
    def look_up(typingctx, k):
        def codegen(context, builder, signature, args):
            name = builder.module.get_unique_name("scg.numbers")
            table = ir.GlobalVariable(builder.module, array, name)
            table.initializer = array([float(x) for x in values])  # type: ignore[assignment]
            table.linkage, table.global_constant = "internal", True
            return builder.load(builder.gep(table, [args[0].type(0), args[0]]))

        return types.float64(k), codegen

    return look_up


#: B_2n / (2n)!
_tail = numbers([b / math.factorial(2 * n + 2) for n, b in enumerate(_BERNOULLI)])
_bernoulli = numbers(_BERNOULLI)


@scalar
def hurwitz(s, a):
    """Σ_k (a + k)^-s for an integer s > 1, by Euler and Maclaurin's formula (DLMF 25.11.28)."""
    if a <= 0.0 and floor(a) == a:
        return _inf
    if a == _inf:
        return 0.0
    total = 0.0
    while a < 10.0:
        total += a**-s
        a += 1.0
    power = a**-s
    total += a ** (1.0 - s) / (s - 1.0) + 0.5 * power
    factor = power * s / a
    for n in range(9):
        total += _tail(n) * factor
        factor *= (s + 2.0 * n + 1.0) * (s + 2.0 * n + 2.0) / (a * a)
    return total


@scalar
def polygamma(a, order):
    """ψ^(order)(a), by the Hurwitz zeta function (DLMF 5.15.1)."""
    if order == 0:
        return psi(a)
    sign = 1.0 if order % 2 else -1.0
    return sign * gamma(order + 1.0) * hurwitz(order + 1.0, a)


@scalar
def stirling(a, order):
    """Twin of :func:`scg.engine.special.stirling`."""
    if a > 9.0:
        total = 0.0
        for i in range(9):
            n = 9.0 - i
            power = 1.0
            for k in range(order):
                power *= 1.0 - 2.0 * n - k
            power *= a ** (1.0 - 2.0 * n - order)
            total += _bernoulli(8 - i) / (2.0 * n * (2.0 * n - 1.0)) * power
        return total
    if order == 0:
        return gammaln(a) - (a - 0.5) * log(a) + a - 0.5 * math.log(2.0 * math.pi)
    if order == 1:
        return psi(a) - log(a) + 0.5 / a
    sign = -1.0 if order % 2 else 1.0
    factorial = 1.0
    for k in range(1, order - 1):
        factorial *= k
    direct = polygamma(a, order - 1) - sign * factorial * a ** (1.0 - order)
    return direct - sign * 0.5 * factorial * (order - 1.0) * a ** (-1.0 * order)


# --- derivatives of the incomplete gamma function in its shape ------------------------------------
_log1p_rest = polynomial(_SERIES[::-1])
#: (arctan(y) - y) / y^3 as a series in y^2
_arctan_rest = polynomial([(-1) ** n / (2 * n + 1) for n in range(1, 6)])


@helper
def log1p_minus(d, log_of_sum):
    """log(1 + d) - d, `log_of_sum` being log(1 + d)."""
    return d * d * _log1p_rest(d) if abs(d) < 0.02 else log_of_sum - d


@helper
def arctan_minus(y):
    """arctan(y) - y."""
    return y * y * y * _arctan_rest(y * y) if abs(y) < 0.02 else math.atan(y) - y


@scalar
def contour(front, a, mu, d, log_x, order):
    """Real part of the contour integral, with the logarithm of what stands before it."""
    h = _STEP / sqrt(mu)
    total = 0.0
    for k in range(_NODES):
        y = h * (k + 0.5)
        real, rest = 0.5 * log1p(y * y), arctan_minus(y)  # log(1 + iy) - iy
        grown = exp(front - a * (2.0 * real) - mu * y * y)
        angle = (mu - a) * (2.0 * y) - a * (2.0 * rest)
        u, v = grown * cos(angle), grown * sin(angle)
        u, v = u - v * y, v + u * y  # times 1 + iy
        below = -(d + y * y)
        norm = below * below + 4.0 * y * y
        u, v = (u * below + 2.0 * v * y) / norm, (v * below - 2.0 * u * y) / norm
        power, turn = log_x - 2.0 * real, -2.0 * (rest + y)
        for _ in range(order):
            u, v = u * power - v * turn, u * turn + v * power
        total += u
    return (2.0 / math.pi) * h * total


@scalar
def gammainc_da(a, x, order):
    """Twin of :func:`scg.engine.special.gammainc_da`."""
    if not (a > 0.0 and a < _inf and x >= 0.0):
        return _nan
    if x == 0.0:
        return 0.0
    x = min(x, _largest)
    mu = a + _SHIFT
    d = (x - mu) / mu
    log_x = log1p(d) if abs(d) < 0.5 else log(x) - log(mu)
    total = contour(a * log1p_minus(d, log_x) - (mu - a) * d, a, mu, d, log_x, order)
    if order > 0:
        return total
    rate = math.pi / _STEP
    r = a / (0.5 * rate + sqrt(0.25 * rate * rate + a))
    if sqrt(x) > r:
        total += 1.0 / (1.0 + exp(2.0 * rate * (mu - x) / (sqrt(x) + sqrt(mu))))
    return min(max(total, 0.0), 1.0)


@scalar
def gamma_implicit(a, y, order):
    """Twin of :func:`scg.engine.special.gamma_implicit`."""
    if not (a > 0.0 and a < _inf and abs(y) < _inf):
        return _nan
    mu = a + _SHIFT
    d = (exp(y) - mu) / mu
    log_x = log1p(d) if abs(d) < 0.5 else y - log(mu)
    front = _SHIFT - a * log1p(_SHIFT / a) + 0.5 * log(2.0 * math.pi / a) + stirling(a, 0)
    return contour(front, a, mu, d, log_x, order)


@scalar
def log_gammaincinv(a, u):
    """Twin of :func:`scg.engine.quantiles.log_gammaincinv`."""
    small = (log(u) + gammaln(a + 1.0)) / a
    return small if small < _LOG_SMALL else log(gammaincinv(a, u))


# --- the von Mises law ----------------------------------------------------------------------------
_point, _weight = numbers(_POINTS), numbers(_WEIGHTS)


@scalar
def mass(kappa, start, stop, power):
    """Integrate (cos t − 1)^power exp(κ (cos t − 1)) over (start, stop)."""
    total = 0.0
    for k in range(64):
        half = sin(0.5 * (start + (stop - start) * _point(k)))
        versine = -2.0 * half * half
        term = exp(kappa * versine) * _weight(k)
        for _ in range(power):
            term *= versine
        total += term
    return (stop - start) * total


@scalar
def reach(kappa, z):
    """Where the density has fallen far below its value at z, or π."""
    half = sin(0.5 * z) ** 2 + 0.5 * _DECAY / kappa
    return 2.0 * math.asin(sqrt(min(half, 1.0)))


@scalar
def von_mises_cdf(kappa, x, order):
    """Twin of :func:`scg.engine.von_mises.von_mises_cdf`."""
    z = min(abs(x), math.pi)
    end, whole_end = reach(kappa, z), reach(kappa, 0.0)
    whole = mass(kappa, 0.0, whole_end, 0)
    i0 = mass(kappa, z, end, 0) / whole
    if order == 0:
        return 1.0 - 0.5 * i0 if x > 0.0 else 0.5 * i0
    i1, m1 = mass(kappa, z, end, 1) / whole, mass(kappa, 0.0, whole_end, 1) / whole
    ratio = i1 - i0 * m1
    if order > 1:
        i2, m2 = mass(kappa, z, end, 2) / whole, mass(kappa, 0.0, whole_end, 2) / whole
        ratio = i2 - 2.0 * i1 * m1 - i0 * (m2 - 2.0 * m1 * m1)
        if order > 2:
            i3, m3 = mass(kappa, z, end, 3) / whole, mass(kappa, 0.0, whole_end, 3) / whole
            ratio = i3 - 3.0 * i2 * m1 - 3.0 * i1 * (m2 - 2.0 * m1 * m1)
            ratio -= i0 * (m3 - 6.0 * m1 * m2 + 6.0 * m1 * m1 * m1)
    return ratio * (-0.5 if x > 0.0 else (0.5 if x < 0.0 else -0.5 * x))


@scalar
def von_mises_quantile(kappa, u):
    """Twin of :func:`scg.engine.von_mises.von_mises_quantile`."""
    if not (kappa >= 0.0 and kappa < _inf and u > 0.0 and u < 1.0):
        return _nan
    tail = 2.0 * min(u, 1.0 - u) * math.pi * i0e(kappa)
    low, high = 0.0, math.pi
    z = 0.5 * reach(kappa / 10.0, 0.0)
    for _ in range(100):
        at = z
        part = mass(kappa, at, reach(kappa, at), 0)
        excess = log(part / tail)
        if excess > 0.0:
            low = at
        else:
            high = at
        new = at + excess * part * exp(2.0 * kappa * sin(0.5 * at) ** 2)
        inside = new > low and new < high
        z = new if inside else 0.5 * (low + high)
        short = max(1e-9 * min(at, math.pi - at), 4e-16 * at)
        if (inside and abs(new - at) <= short) or not low < high:
            break
    return -z if u < 0.5 else z


@scalar
def von_mises_variance(kappa, order):
    """Twin of :func:`scg.engine.von_mises.von_mises_variance`."""
    end = reach(kappa, 0.0)
    total, mean, angle = 0.0, 0.0, 0.0
    for k in range(64):
        t = end * _point(k)
        versine = -2.0 * sin(0.5 * t) ** 2
        weight = exp(kappa * versine) * _weight(k)
        total, mean, angle = total + weight, mean + weight * t * t, angle + weight * versine
    mean, angle = mean / total, angle / total
    if order == 0:
        return mean
    joint, single, square = 0.0, 0.0, 0.0
    for k in range(64):
        t = end * _point(k)
        versine = -2.0 * sin(0.5 * t) ** 2
        weight = exp(kappa * versine) * _weight(k) / total
        versine -= angle
        term = weight * (t * t - mean) * versine
        single, square = single + term, square + weight * versine * versine
        for _ in range(order - 1):
            term *= versine
        joint += term
    return joint if order < 3 else joint - 3.0 * single * square


@scalar
def log_i0e(kappa, order):
    """Twin of :func:`scg.engine.von_mises.log_i0e`."""
    if order == 0:
        return log(i0e(kappa))
    end = reach(kappa, 0.0)
    whole = mass(kappa, 0.0, end, 0)
    m1 = mass(kappa, 0.0, end, 1) / whole
    if order == 1:
        return m1
    m2 = mass(kappa, 0.0, end, 2) / whole
    if order == 2:
        return m2 - m1 * m1
    return mass(kappa, 0.0, end, 3) / whole - 3.0 * m1 * m2 + 2.0 * m1 * m1 * m1


# --- the beta law ---------------------------------------------------------------------------------
@scalar
def logit_betaincinv(a, b, u):
    """Twin of :func:`scg.engine.incomplete_beta.logit_betaincinv`."""
    u = _tiny if u == 0.0 else u
    log_beta = betaln(a, b)
    low, high = (log(u) + log(a) + log_beta) / a, (log1p(-u) + log(b) + log_beta) / b
    log_x = low if low < _LOG_SMALL else log(betaincinv(a, b, u))
    log_rest = high if high < _LOG_SMALL else log(betainccinv(b, a, u))
    return log_x - log_rest


@helper
def log1pexp(x):
    """log(1 + exp(x))."""
    return max(x, 0.0) + log1p(exp(-abs(x)))


@helper
def mean_log(a, n):
    """ψ(a) − ψ(n), by Stirling's formula."""
    return log(a / n) - 0.5 / a + 0.5 / n + stirling(a, 1) - stirling(n, 1)


@scalar
def beta_implicit(a, b, s, in_a, in_b):
    """Twin of :func:`scg.engine.incomplete_beta.beta_implicit`."""
    if not (a > 0.0 and b > 0.0 and abs(a + b + s) < _inf):
        return _nan
    above = s > log(a) - log(b)
    lower, upper = (b, a) if above else (a, b)
    s, n = -s if above else s, a + b
    p = exp(-log1pexp(-s))
    rate = lower - n * p
    width = 1.0 / (rate + sqrt(n * p * exp(-log1pexp(s))) + 1e-3 * lower)
    h = (log((45.0 + n * log1pexp(s)) / lower / width) + 4.0) / _BETA_NODES
    of_lower, of_upper = mean_log(lower, n), mean_log(upper, n)
    rest = 0.0
    if in_a + in_b == 2:
        own = 0.0 if in_a == in_b else polygamma(a if in_a == 2 else b, 1)
        rest = own - polygamma(n, 1)
    total = 0.0
    for k in range(_BETA_NODES):
        y = h * (k + 0.5) - 4.0
        decay = exp(-y)
        v = width * exp(y - decay)
        term = exp(-n * log1p(p * expm1(-v)) - lower * v) * v * (1.0 + decay)
        first, second = -log1pexp(v - s) - of_lower, -log1pexp(s - v) - of_upper
        first, second = (second, first) if above else (first, second)
        score = (first if in_a > 0 else 1.0) * (second if in_b > 0 else 1.0)
        if in_a == 2:
            score *= first
        if in_b == 2:
            score *= second
        total += term * (score - rest)
    return -h * total if above else h * total


# --- quantiles of counts --------------------------------------------------------------------------
def _smallest(cdf: Any) -> Any:
    """Return the search for the smallest integer k ≥ 0 with cdf(k, a, b) ≥ u, by bisection."""

    @scalar
    def search(a, b, u, mean, deviation):
        if not (abs(mean) < _inf and abs(deviation) < _inf and abs(u) < _inf):
            return _nan
        low = floor(max(mean - 4.0 * deviation - 2.0, -1.0))
        high = ceil(mean + 4.0 * deviation + 2.0)
        step = high - low
        # No step: neighbouring numbers are further apart than the law is wide.
        while step > 0.0 and low >= 0.0 and cdf(low, a, b) >= u:
            low, high = max(low - step, -1.0), low
            step *= 2.0
        step = high - low
        while step > 0.0 and cdf(high, a, b) < u and high < 2.0**1000:
            low, high = high, high + step
            step *= 2.0
        while True:
            middle = floor(0.5 * (low + high))
            if not (middle > low and middle < high):
                return high
            if cdf(middle, a, b) >= u:
                high = middle
            else:
                low = middle

    return search


_poisson = _smallest(scalar(lambda k, rate, _: gammaincc(k + 1.0, rate)))
_binomial = _smallest(scalar(lambda k, n, p: 1.0 - betainc(k + 1.0, n - k, p) if k < n else 1.0))
_negative_binomial = _smallest(scalar(lambda k, r, z: betainc(r, k + 1.0, expit(-z))))


@scalar
def poisson_quantile(rate, u):
    """Twin of :func:`scg.engine.quantiles.poisson`."""
    return _poisson(rate, 0.0, u, rate, sqrt(rate))


@scalar
def binomial_quantile(n, p, u):
    """Twin of :func:`scg.engine.quantiles.binomial`."""
    return _binomial(n, p, u, n * p, sqrt(n * p * (1.0 - p)))


@scalar
def negative_binomial_quantile(r, z, u):
    """Twin of :func:`scg.engine.quantiles.negative_binomial`."""
    mean = r * exp(min(z, 700.0))
    return _negative_binomial(r, z, u, mean, sqrt(mean * (1.0 + mean / r)))
