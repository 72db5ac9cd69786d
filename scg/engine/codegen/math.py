"""Elementary functions as polynomials that LLVM can vectorise, for float32 and float64.

libm takes one element at a time; these functions are inlined into the loop of a kernel and take
whole vectors. Coefficients are those of Taylor series, on ranges so small that no fitted polynomial
is needed: exp on |r| <= log(2)/2, and log by the series of atanh. The helpers allow contraction to
fused multiply-adds only, because reassociation would destroy their compensations.

Each function is made for both types from one text: :data:`FUNCTIONS` maps ("exp", "f4") to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.engine.codegen.instruction import of_floats
from scg.engine.codegen.intrinsics import exponent, scale, significand, sqrt
from scg.engine.codegen.jit import jit

helper = jit(fastmath={"contract"}, forceinline=True)

#: (function name, type code) to the compiled helper.
FUNCTIONS: dict[tuple[str, str], Any] = {}

#: The normal quantile's numerators and denominators (without their leading 1) in the centre, the
#: tails and the far tails. Wichura (1988), "Algorithm AS 241", Applied Statistics 37, PPND16.
_NORMAL_QUANTILE = (
    "3.3871328727963665 133.14166789178438 1971.5909503065513 13731.69376550946"
    " 45921.95393154987 67265.7709270087 33430.57558358813 2509.0809287301227",
    "42.31333070160091 687.1870074920579 5394.196021424751 21213.794301586597"
    " 39307.89580009271 28729.085735721943 5226.495278852854",
    "1.4234371107496835 4.630337846156546 5.769497221460691 3.6478483247632045"
    " 1.2704582524523684 0.2417807251774506 0.022723844989269184 0.0007745450142783414",
    "2.053191626637759 1.6763848301838038 0.6897673349851 0.14810397642748008"
    " 0.015198666563616457 0.0005475938084995345 1.0507500716444169e-09",
    "6.657904643501103 5.463784911164114 1.7848265399172913 0.29656057182850487"
    " 0.026532189526576124 0.0012426609473880784 2.7115555687434876e-05 2.0103343992922881e-07",
    "0.599832206555888 0.1369298809227358 0.014875361290850615 0.0007868691311456133"
    " 1.8463183175100548e-05 1.421511758316446e-07 2.0442631033899397e-15",
)


def polynomial(coefficients: list[float]) -> Any:
    """x -> c[0] + c[1] x + c[2] x^2 + ... as straight-line code, by Horner's rule."""

    @of_floats(1)
    def evaluate(builder, x):
        total = x.type(coefficients[-1])
        for c in coefficients[-2::-1]:
            product = builder.fmul(total, x, flags=("contract",))
            total = builder.fadd(product, x.type(c), flags=("contract",))
        return total

    return evaluate


def _define(code: str) -> None:
    """Make all functions of one float type."""
    F: Any = {"f4": np.float32, "f8": np.float64}[code]
    info = np.finfo(F)
    wide = code == "f8"
    one, two, half, zero = F(1), F(2), F(0.5), F(0)
    inf, nan, tiny = F(np.inf), F(np.nan), F(info.tiny)
    magic = F(1.5 * 2.0**info.nmant)
    per_log2 = F(1 / math.log(2))
    # log(2) in two parts; n * log2_high is exact for every exponent n.
    high_bits = 2.0 ** (info.nmant - 11 if wide else info.nmant - 9)
    log2_high = F(math.floor(math.log(2) * high_bits) / high_bits)
    log2_low = F(float.fromhex("0x1.62e42fefa39efp-1") - float(log2_high) + 2.319046813846e-17)
    lowest, highest = (F(-746), F(710)) if wide else (F(-104), F(89))
    beyond, negligible = F(info.nmant + 2), F(info.eps / 4)
    lift, lift_bits = (F(2.0**54), F(54)) if wide else (F(2.0**25), F(25))

    degree = 13 if wide else 7
    # exp(r) = 1 + r + r^2 (1/2 + r/6 + ...)
    tail_of_exp = polynomial([1 / math.factorial(k) for k in range(2, degree + 1)])
    # log(1 + f) = f - s (f - R), s = f / (2 + f), R = s^2 (2/3 + 2/5 s^2 + ...)
    tail_of_log = polynomial([2 / (2 * k + 1) for k in range(1, 11 if wide else 5)])
    # The same for all f in [0, 1], where s^2 is up to 1/9.
    tail_of_log_wide = polynomial([2 / (2 * k + 1) for k in range(1, 17 if wide else 8)])

    def shown(function: Callable[..., Any]) -> Any:
        made = FUNCTIONS[function.__name__, code] = helper(function)
        return made

    @helper
    def clamp(x):
        """Restrict x to where exp is neither 0 nor infinite, or just so; NaN passes."""
        x = lowest if x < lowest else x
        return highest if x > highest else x

    @shown
    def exp(x):
        x = clamp(x)
        shifted = x * per_log2 + magic
        n = shifted - magic
        r = (x - n * log2_high) - n * log2_low
        return scale(one + (r + r * r * tail_of_exp(r)), shifted)

    @shown
    def expm1(x):
        x = clamp(x)
        shifted = x * per_log2 + magic
        n = shifted - magic
        r = (x - n * log2_high) - n * log2_low
        p = r + r * r * tail_of_exp(r)
        # 2^n p + (2^n - 1); for n = 0 exactly p, and for large n the 1 does not count
        power = scale(one, shifted)
        y = scale(p, shifted) + (power - one)
        return scale(one + p, shifted) if n > beyond else y

    @shown
    def log(x):
        small = x < tiny
        y = x * lift if small else x
        e = exponent(y) - (lift_bits if small else zero)
        f = significand(y) - one
        s = f / (two + f)
        z = s * s
        hfsq = half * f * f
        y = e * log2_high - ((hfsq - (s * (hfsq + z * tail_of_log(z)) + e * log2_low)) - f)
        y = x if x == inf else y
        y = -inf if x == zero else y
        return nan if (x < zero or x != x) else y

    @shown
    def log1p(x):
        u = one + x
        lost = (x - (u - one)) / u  # what the rounding of u dropped
        y = log(u) + (lost if u < inf else zero)
        y = x if abs(x) < negligible else y
        return -inf if x == -one else y

    @helper
    def log1p_of_fraction(x):
        """log(1 + x) for x between 0 and 1: no exponent to take out."""
        s = x / (two + x)
        z = s * s
        hfsq = half * x * x
        return x - (hfsq - s * (hfsq + z * tail_of_log_wide(z)))

    @shown
    def sigmoid(x):
        small = exp(-abs(x))
        return (one if x >= zero else small) / (one + small)

    @shown
    def softplus(x):
        return (x if x > zero or x != x else zero) + log1p_of_fraction(exp(-abs(x)))

    @shown
    def tanh(x):
        t = expm1(-two * abs(x))
        y = -t / (two + t)
        y = -y if x < zero else y
        return x if x == zero else y

    rows = [[float(c) for c in text.split()] for text in _NORMAL_QUANTILE]
    centre_p, near_p, far_p = map(polynomial, rows[::2])
    centre_q, near_q, far_q = (polynomial([1.0, *row]) for row in rows[1::2])

    @shown
    def ndtri(p):
        """Quantile of the standard normal distribution."""
        q = p - half
        r = F(0.180625) - q * q
        centre = q * centre_p(r) / centre_q(r)
        r = sqrt(-log(p if q < zero else one - p))
        near, far = r - F(1.6), r - F(5)
        a = near_p(near) / near_q(near)
        b = far_p(far) / far_q(far)
        tail = a if r <= F(5) else b
        tail = r if r == inf else tail
        tail = -tail if q < zero else tail
        return centre if abs(q) <= F(0.425) else tail

    last = one - F(info.epsneg)

    @shown
    def open_unit(x):
        x = tiny if x < tiny else x
        return last if x > last else x

    largest = F(info.max)

    @shown
    def open_positive(x):
        x = tiny if x < tiny else x
        return largest if x > largest else x


_define("f4")
_define("f8")
