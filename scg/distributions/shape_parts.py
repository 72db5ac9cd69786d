"""Parts of weak derivatives in shapes, where no known distribution is one.

With the distribution function F, G = −∂F/∂θ rises from 0 to a single maximum C and falls to 0, so
that C is the mass of both parts. Below the maximum G/C is the distribution function of the negative
part, above it 1 − G/C that of the positive one. One uniform gives a quantile of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg.distributions.base import FAR
from scg.ops.elementary import arctan
from scg.ops.elementwise import (
    equal,
    exp,
    expm1,
    less,
    log,
    log1p,
    maximum,
    minimum,
    softplus,
    sqrt,
    where,
)
from scg.ops.proportions import beta_log_density
from scg.ops.quantiles import beta_implicit
from scg.ops.special import digamma, gamma_implicit, gammaln

_STEPS = 8
#: Where the derivative of a Weibull distribution function in its shape has its extrema, as log t,
#: and their heights; t = (x/λ)^k is exponential.
_ENDS = np.log([0.259246356648305, 2.23997788765655])
_LOW, _HIGH = np.abs(np.exp(_ENDS - np.exp(_ENDS)) * _ENDS)

#: Logarithm of G over its maximum, and its slope, at a distance from the maximum.
Height = Callable[[Any], tuple[Any, Any]]


def at_level(height: Height, log_v: Any, start: Any) -> Any:
    """The distance at which `height` is `log_v`, by Newton steps in √(−2 height).

    That root is nearly linear around the maximum, and concave where G falls exponentially.
    """
    root, d = sqrt(-2.0 * log_v), start
    for _ in range(_STEPS):
        level, slope = height(d)
        r = sqrt(maximum(-2.0 * level, 0.0))
        d = d - (root - r) * r / where(equal(slope, 0.0), 1.0, slope)
    return d


def gamma_parts(a: Any, u: Any) -> tuple[Any, Any, Any]:
    """C, and the logarithms of the positive and the negative part of a standard gamma value."""
    mode = digamma(a)
    top, peak = gamma_implicit(a, mode, order=1), exp(mode)
    width = sqrt(-top)

    def height(d: Any) -> tuple[Any, Any]:
        now = gamma_implicit(a, mode + d, order=1)
        # small shapes have modes of which the exponential is 0
        rise = where(less(mode, -1.0), exp(mode + d) - peak, peak * expm1(minimum(d, FAR)))
        return log(now / top) + a * d - rise, d / now

    log_u, log_v = log(u), log1p(-u)
    far = log(a + sqrt(-2.0 * a * log_v) - log_v + 1.0) - mode
    plus = at_level(height, log_v, minimum(width * sqrt(-2.0 * log_v), far))
    minus = at_level(height, log_u, -width * sqrt(-2.0 * log_u))
    return -top * exp(a * mode - peak - gammaln(a)), mode + plus, mode + minus


def beta_parts(a: Any, b: Any, u: Any) -> tuple[Any, Any, Any]:
    """C, and the log-odds of the parts of a beta value, of the derivative in `a`."""
    gap = digamma(a + b) - digamma(a)
    mode = -gap - log(-expm1(-gap))
    top = beta_implicit(a, b, mode, order=(1, 0))
    width = sqrt(-top * (1.0 + exp(mode)))

    def height(d: Any) -> tuple[Any, Any]:
        s = mode + d
        now = beta_implicit(a, b, s, order=(1, 0))
        left, right = softplus(-s) - gap, softplus(s) - softplus(mode)
        return log(now / top) - a * left - b * right, -left / now

    log_u, log_v = log(u), log1p(-u)
    high = log((a + 1.0) / b) + (1.0 - log_v) / b + 1.0 - mode
    low = log((b + 1.0) / a) + (1.0 - log_u) / a + 1.0 + mode
    plus = at_level(height, log_v, minimum(width * sqrt(-2.0 * log_v), high))
    minus = at_level(height, log_u, -minimum(width * sqrt(-2.0 * log_u), low))
    density = beta_log_density(mode, a, b, logit=True) - softplus(-mode) - softplus(mode)
    return -top * exp(density), mode + plus, mode + minus


def weibull_parts(u: Any) -> tuple[float, Any, Any]:
    """k C, and the logarithms of the parts of t = (x/λ)^k, which do not depend on the shape k.

    k G = −t log t e^(−t) has a maximum and a minimum: the positive part lies between them.
    """
    whole = _LOW + _HIGH

    def tail(end: float, log_v: Any, start: Any) -> Any:
        def height(d: Any) -> tuple[Any, Any]:
            y = end + d
            return log(y / end) + d - np.exp(end) * expm1(d), 1.0 / y + 1.0 - exp(y)

        return end + at_level(height, log_v, start)

    below = less(u * whole, _LOW)
    log_u = log(where(below, u * (whole / _LOW), 0.5))
    log_v = log(where(below, 0.5, (1.0 - u) * (whole / _HIGH)))
    width = [float(1.0 / np.sqrt(1.0 / end**2 + np.exp(end))) for end in _ENDS]
    spread = float(np.exp(_ENDS[1])) * width[1]
    far = log1p(float(np.exp(-_ENDS[1])) * (spread * sqrt(-2.0 * log_v) - log_v))
    minus = where(
        below,
        tail(float(_ENDS[0]), log_u, -width[0] * sqrt(-2.0 * log_u)),
        tail(float(_ENDS[1]), log_v, far),
    )
    # k G = _LOW − whole (1 − cos φ)/2 with an angle φ that is nearly linear in log t.
    goal = 2.0 * arctan(sqrt(u / (1.0 - u)))
    y = _ENDS[0] + (_ENDS[1] - _ENDS[0]) / np.pi * goal
    for _ in range(_STEPS):
        t = exp(y)
        fallen = (_LOW + y * exp(y - t)) / whole
        share = minimum(maximum(fallen, 0.0), 1.0)
        angle = 2.0 * arctan(sqrt(share / maximum(1.0 - share, 1e-30)))
        slope = (1.0 + y * (1.0 - t)) * exp(y - t)
        y = y + (goal - angle) * whole * sqrt(share * (1.0 - share)) / where(
            equal(slope, 0.0), 1.0, slope
        )
    return whole, y, minus
