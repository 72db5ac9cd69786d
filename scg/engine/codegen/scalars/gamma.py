"""Derivatives of the gamma function and, in its shape, of the incomplete one."""

from __future__ import annotations

import math
import sys
from math import exp, inf, log, log1p, nan

from scg.engine.codegen.calls import CALLS
from scg.engine.codegen.intrinsics import cos, floor, sin, sqrt
from scg.engine.codegen.math import helper, polynomial
from scg.engine.codegen.scalars.base import numbers, part, scalar
from scg.special.incomplete_gamma import _BERNOULLI, _NODES, _SERIES, _SHIFT, _STEP
from scg.special.quantiles import _LOG_SMALL

gamma, gammainccinv, gammaincinv, gammaln, psi = (
    CALLS[name] for name in ("gamma", "gammainccinv", "gammaincinv", "gammaln", "psi")
)
largest = sys.float_info.max

#: B_2n / (2n)!
_tail = numbers([b / math.factorial(2 * n + 2) for n, b in enumerate(_BERNOULLI)])
_bernoulli = numbers(_BERNOULLI)


@part
def hurwitz(s, a):
    """Σ_k (a + k)^-s for an integer s > 1, by Euler and Maclaurin's formula (DLMF 25.11.28)."""
    if a <= 0.0 and floor(a) == a:
        return inf
    if a == inf:
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
    """Twin of :func:`scg.special.incomplete_gamma.stirling`."""
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


@part
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
    """Twin of :func:`scg.special.incomplete_gamma.gammainc_da`."""
    if not (a > 0.0 and a < inf and x >= 0.0):
        return nan
    if x == 0.0:
        return 0.0
    x = min(x, largest)
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
    """Twin of :func:`scg.special.incomplete_gamma.gamma_implicit`."""
    if not (a > 0.0 and a < inf and abs(y) < inf):
        return nan
    mu = a + _SHIFT
    d = (exp(y) - mu) / mu
    log_x = log1p(d) if abs(d) < 0.5 else y - log(mu)
    front = _SHIFT - a * log1p(_SHIFT / a) + 0.5 * log(2.0 * math.pi / a) + stirling(a, 0)
    return contour(front, a, mu, d, log_x, order)


@scalar
def log_gammaincinv(a, u):
    """Twin of :func:`scg.special.quantiles.log_gammaincinv`."""
    small = (log(u) + gammaln(a + 1.0)) / a
    return small if small < _LOG_SMALL else log(gammaincinv(a, u))


@scalar
def log_gammainccinv(a, u):
    """Twin of :func:`scg.special.quantiles.log_gammainccinv`."""
    small = (log1p(-u) + gammaln(a + 1.0)) / a
    return small if small < _LOG_SMALL else log(gammainccinv(a, u))
