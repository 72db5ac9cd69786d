"""Elementary functions as polynomials that LLVM can vectorise, for float32 and float64.

libm is called an element at a time; these functions are inlined into the loop of a kernel and run
on whole vectors. Coefficients are those of Taylor series, on ranges so small that no fitted
polynomial is needed: exp on |r| <= log(2)/2, and log by the series of atanh. The helpers allow
contraction to fused multiply-adds only: the compensations below would not survive reassociation.

Each function is made twice from one text: :data:`FUNCTIONS` maps ("exp", "f4") to it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import intrinsic

from scg.engine.codegen import intrinsics
from scg.engine.codegen.jit import jit

# numba calls an intrinsic with its typing context, which a type checker does not know.
exponent: Any = intrinsics.exponent
scale: Any = intrinsics.scale
significand: Any = intrinsics.significand
sqrt: Any = intrinsics.sqrt

helper = jit(fastmath={"contract"}, forceinline=True)

#: (function name, type code) to the compiled helper.
FUNCTIONS: dict[tuple[str, str], Any] = {}


#: Numerators and denominators (without their leading 1) of the normal quantile in the centre,
#: the tails and the far tails: Wichura (1988), "Algorithm AS 241", Applied Statistics 37, PPND16.
_NORMAL_QUANTILE = (
    (
        [
            3.3871328727963666080e0,
            1.3314166789178437745e2,
            1.9715909503065514427e3,
            1.3731693765509461125e4,
            4.5921953931549871457e4,
            6.7265770927008700853e4,
            3.3430575583588128105e4,
            2.5090809287301226727e3,
        ],
        [
            4.2313330701600911252e1,
            6.8718700749205790830e2,
            5.3941960214247511077e3,
            2.1213794301586595867e4,
            3.9307895800092710610e4,
            2.8729085735721942674e4,
            5.2264952788528545610e3,
        ],
    ),
    (
        [
            1.42343711074968357734e0,
            4.63033784615654529590e0,
            5.76949722146069140550e0,
            3.64784832476320460504e0,
            1.27045825245236838258e0,
            2.41780725177450611770e-1,
            2.27238449892691845833e-2,
            7.74545014278341407640e-4,
        ],
        [
            2.05319162663775882187e0,
            1.67638483018380384940e0,
            6.89767334985100004550e-1,
            1.48103976427480074590e-1,
            1.51986665636164571966e-2,
            5.47593808499534494600e-4,
            1.05075007164441684324e-9,
        ],
    ),
    (
        [
            6.65790464350110377720e0,
            5.46378491116411436990e0,
            1.78482653991729133580e0,
            2.96560571828504891230e-1,
            2.65321895265761230930e-2,
            1.24266094738807843860e-3,
            2.71155556874348757815e-5,
            2.01033439929228813265e-7,
        ],
        [
            5.99832206555887937690e-1,
            1.36929880922735805310e-1,
            1.48753612908506148525e-2,
            7.86869131145613259100e-4,
            1.84631831751005468180e-5,
            1.42151175831644588870e-7,
            2.04426310338993978564e-15,
        ],
    ),
)


def polynomial(coefficients: list[float]) -> Any:
    """Return x -> c[0] + c[1] x + c[2] x^2 + ... as straight-line code, by Horner's rule."""

    @intrinsic
    def evaluate(typingctx, x):
        def codegen(context, builder, signature, args):
            (value,) = args
            total = value.type(coefficients[-1])
            for c in coefficients[-2::-1]:
                product = builder.fmul(total, value, flags=("contract",))
                total = builder.fadd(product, value.type(c), flags=("contract",))
            return total

        return x(x), codegen

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

    @helper
    def clamp(x):
        """Restrict to where exp is neither 0 nor infinite, or just so; NaN passes."""
        x = lowest if x < lowest else x
        return highest if x > highest else x

    @helper
    def exp(x):
        x = clamp(x)
        shifted = x * per_log2 + magic
        n = shifted - magic
        r = (x - n * log2_high) - n * log2_low
        return scale(one + (r + r * r * tail_of_exp(r)), shifted)

    @helper
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

    @helper
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

    @helper
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

    @helper
    def sigmoid(x):
        small = exp(-abs(x))
        return (one if x >= zero else small) / (one + small)

    @helper
    def softplus(x):
        return (x if x > zero or x != x else zero) + log1p_of_fraction(exp(-abs(x)))

    @helper
    def tanh(x):
        t = expm1(-two * abs(x))
        y = -t / (two + t)
        y = -y if x < zero else y
        return x if x == zero else y

    (centre_p, centre_q), (near_p, near_q), (far_p, far_q) = (
        (polynomial(top), polynomial([1.0, *below])) for top, below in _NORMAL_QUANTILE
    )

    @helper
    def ndtri(p):
        """Quantile of the standard normal law."""
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

    @helper
    def open_unit(x):
        x = tiny if x < tiny else x
        return last if x > last else x

    largest = F(info.max)

    @helper
    def open_positive(x):
        x = tiny if x < tiny else x
        return largest if x > largest else x

    named = {
        "open_unit": open_unit,
        "open_positive": open_positive,
        "ndtri": ndtri,
        "exp": exp,
        "expm1": expm1,
        "log": log,
        "log1p": log1p,
        "sigmoid": sigmoid,
        "softplus": softplus,
        "tanh": tanh,
    }
    FUNCTIONS.update({(name, code): function for name, function in named.items()})


_define("f4")
_define("f8")
