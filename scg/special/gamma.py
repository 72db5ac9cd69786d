"""Log-gamma and digamma of positive numbers: one text that NumPy and compiled kernels both run.

Below 3 both are rational functions times factors with their poles and zeros, so that the relative
error stays small there; log Γ(x) = log Γ(x + 1) - log x serves arguments below 1. From 3 on, the
remainder of Stirling's formula (DLMF 5.11) is a polynomial of 1/x^2.
The coefficients are our own minimax fits of the relative error (Remez exchange in 45 digits).

Negative numbers are reflected. A vector without negative and subnormal numbers skips this.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.special.machine import Machine, NumPy, log_parts, polynomial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: The least normal number, and a factor that makes smaller ones normal.
LEAST, LIFT = 2.0**-1022, 2.0**54
#: Where Stirling's series begins, and the terms of the logarithm's series.
FAR, TERMS = 3.0, 11
#: Elements that NumPy computes at once: they stay in the cache.
BLOCK = 2048

# fmt: off
#: log Γ(y) / ((y - 1) (y - 2)) on 1 ≤ y ≤ 3, numerator and denominator; error 1.1e-17
_LOG_GAMMA = (
    (0.00019817360828527758773, 0.0038674461273675793034, 0.015662218188098374904,
     0.020118191581356884822, 0.0090351171709088981636, 0.0013547834711065478778,
     0.000051986602046531699861, 1.154335255327884654e-7),
    (0.000081948203253009252097, 0.0028240222757934251878, 0.017783916694689879729,
     0.034565545044868201171, 0.024621675825515207877, 0.0066207927673431204813,
     0.0006102096637445399887, 0.000013627967692041182651),
)
#: x (log Γ(x) - (x - 1/2) log x + x - log(2π) / 2) in 1/x^2 for x ≥ 3; error 1.8e-15
_STIRLING = (
    0.083333333333333184336, -0.0027777777774920989884, 0.00079365070303493774616,
    -0.0005952268521202302013, 0.00084103091692913619131, -0.0018902838073335087078,
    0.0057498207844396672632, -0.018641491961162359456, 0.047502819163393795489,
    -0.062671503768229051163,
)
#: ψ(x) x / (x - zero) on 0 ≤ x ≤ 3, numerator and denominator; error 1.1e-17
_DIGAMMA = (
    (0.063089900382543424377, 0.21859079400915336493, 0.23451302231421271904,
     0.108971050370699291, 0.023889397987097964155, 0.0023917490432125022609,
     0.000092947278975202080258, 8.7664122801660802016e-7),
    (0.09221422642197724821, 0.20318193471785104866, 0.15858750476439108331,
     0.056597514516633861072, 0.0097128313489284271981, 0.00075707359661924683773,
     0.00002210203048949269838, 1.3941397157832808394e-7),
)
#: x^2 (log x - 1 / (2 x) - ψ(x)) in 1/x^2 for x ≥ 3; error 6.4e-16
_SLOPE = (
    0.083333333333333279694, -0.0083333333331844411452, 0.0039682538997049876327,
    -0.004166654224046714789, 0.0075745761102726189883, -0.021025214541705557379,
    0.080797509070626482737, -0.37692121288428621757, 1.7739852611993930063,
    -6.893846920102172504, 17.968883394118859373, -22.450320802027887172,
)
# fmt: on
#: The zero of digamma: its double, and what the double lacks.
ZERO = (1.4616321449683622, 9.549995429965697e-17)

#: log 2 in two parts: the product of the first one and an exponent is exact.
LOG2 = (0.6931471805598903, 5.497923018708371e-14)
#: sin(π r) / r in r^2 for |r| ≤ 1/2, by Taylor's series
_SINE = [(-1) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(12)]


def log_gamma(x: Any, on: Machine) -> Any:
    """Logarithm of the gamma function's absolute value."""
    z = abs(x)
    main, rest = _log(z, on)
    near, below = z < FAR, z < 1.0
    y = on.where(below, z + 1.0, z)
    up, down = (polynomial(each, y) for each in _LOG_GAMMA)
    # One quotient: near, the rational function; far, 1 / z.
    q = on.where(near, up, 1.0) / on.where(near, down, z)
    found = on.where(below, -(main + rest), 0.0) + (z - 1.0) * on.where(below, z, z - 2.0) * q
    far = (z - 0.5) * ((main - 1.0) + rest) + (0.5 * math.log(2 * math.pi) - 0.5)
    far += polynomial(_STIRLING, q * q) * q
    found = on.where(near, found, far)
    return on.replaced(found, x < LEAST, lambda x, y: _reflected_log_gamma(x, y, on), x, found)


def _reflected_log_gamma(x: Any, positive: Any, on: Machine) -> Any:
    """By Γ(-z) Γ(z) = -π / (z sin πz), given log Γ(z); -log z where z is subnormal."""
    z = abs(x)
    subnormal = z < LEAST
    main, rest = _log(on.where(subnormal, z * LIFT, z), on)
    sine = abs(_sine(z - on.rint(z)))
    log_sine = _log(sine, on)
    reflected = math.log(math.pi) - (log_sine[0] + log_sine[1]) - (positive + (main + rest))
    found = on.where(subnormal, math.log(LIFT) - (main + rest), reflected)
    return on.where(sine > 0.0, found, math.inf)


def digamma(x: Any, on: Machine) -> Any:
    """Derivative of log-gamma."""
    z = abs(x)
    near = z < FAR
    up, down = (polynomial(each, z) for each in _DIGAMMA)
    q = on.where(near, up, 1.0) / (z * on.where(near, down, 1.0))
    found = (z - ZERO[0] - ZERO[1]) * q
    t = q * q
    main, rest = _log(z, on)
    far = main + rest - q * 0.5 - polynomial(_SLOPE, t) * t
    found = on.where(near, found, on.where(z < math.inf, far, z))
    return on.replaced(found, x < LEAST, lambda x, y: _reflected_digamma(x, y, on), x, found)


def _reflected_digamma(x: Any, positive: Any, on: Machine) -> Any:
    """By ψ(-z) = ψ(z) + 1/z + π cot πz, given ψ(z); -1/x where x is subnormal."""
    z = abs(x)
    r = z - on.rint(z)
    reflected = positive + 1.0 / z + _sine(0.5 - abs(r)) * math.pi / _sine(r)
    return on.where(z < LEAST, -1.0 / x, on.where(abs(r) > 0.0, reflected, math.nan))


def _sine(r: Any) -> Any:
    return r * polynomial(_SINE, r * r)


def _log(x: Any, on: Machine) -> tuple[Any, Any]:
    """Logarithm in two parts, of which the first is large and exact."""
    e, series = log_parts(x, TERMS, on)
    return e * LOG2[0], series + e * LOG2[1]


#: The functions by their names in kernels.
TEXTS = {"log_gamma": log_gamma, "digamma": digamma}


def by_numpy(name: str) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """One of these functions for arrays."""
    text, on = TEXTS[name], NumPy("f8")

    def rule(x: ArrayLike) -> NDArray[np.float64]:
        x = np.asarray(x, np.float64)
        out, flat = np.empty(x.size), x.reshape(-1)
        with np.errstate(all="ignore"):
            for i in range(0, x.size, BLOCK):
                part = slice(i, i + BLOCK)
                out[part] = text(flat[part], on)
        return out.reshape(x.shape)

    return rule
