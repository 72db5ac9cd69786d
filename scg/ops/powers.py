"""Powers, x log y, and quotients: at zero they are what their limits are.

A factor that is zero makes a product zero, whatever the other one. The ops say so, rather than
comparisons of their arguments: derivatives, too, are smooth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ops.elementwise import elementwise, log, log1p, square


# --- powers -----------------------------------------------------------------------------------
def _raised(a: Any, b: Any) -> Any:
    return np.power(a, b, dtype=np.result_type(a, np.float32))


def _times_power(c: Any, a: Any, b: Any) -> Any:
    return np.where(c == 0, 0.0, c * _raised(a, np.where(c == 0, 1.0, b)))


def _log_or_zero(a: Any) -> Any:
    return np.log(np.where(a == 0, 1.0, a))


def _inverse_or_zero(a: Any) -> Any:
    return np.where(a == 0, 0.0, 1.0 / np.where(a == 0, 1.0, a))


_power = elementwise(
    "power",
    _raised,
    lambda g, y, a, b: g * times_power(b, a, b - 1.0),
    lambda g, y, a, b: g * (y * log_or_zero(a)),
)
#: c a^b, zero where c is zero.
times_power = elementwise(
    "times_power",
    _times_power,
    lambda g, y, c, a, b: g * _power(a, b),
    lambda g, y, c, a, b: g * times_power(c * b, a, b - 1.0),
    lambda g, y, c, a, b: g * (y * log_or_zero(a)),
    linear=(0,),
)
#: log a, which at 0 is 0 as well: there a power times it is zero.
log_or_zero = elementwise("log_or_zero", _log_or_zero, lambda g, y, a: g * inverse_or_zero(a))
#: 1 / a, and 0 at 0.
inverse_or_zero = elementwise("inverse_or_zero", _inverse_or_zero, lambda g, y, a: -(g * square(y)))


def power(a: Any, b: Any) -> Any:
    """Raise `a` to the power `b`; small constant powers become products."""
    if np.isscalar(b) and b == 2:
        return square(a)
    if np.isscalar(b) and b == 1:
        return a
    return _power(a, b)


# --- quotients --------------------------------------------------------------------------------
def _ratio(x: Any, y: Any) -> Any:
    return np.where(x == 0, 0.0, x / np.where(x == 0, 1.0, y))


#: x / y, zero where x is zero, whatever y.
ratio = elementwise(
    "ratio",
    _ratio,
    lambda g, out, x, y: ratio(g, y),
    lambda g, out, x, y: -ratio(g * out, y),
    linear=(0,),
)


# --- x log y ----------------------------------------------------------------------------------
def _xlogy(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x * np.log(np.where(x == 0, 1.0, y))


def _xlog1py(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x * np.log1p(np.where(x == 0, 0.0, y))


#: x log y and x log(1 + y), zero where x is zero, whatever y. No credit passes through log 0 where
#: none arrives: log p(x) is a cost of an impossible x, whose weight is 0.
xlogy = elementwise(
    "xlogy",
    _xlogy,
    lambda g, out, x, y: g * log(y),
    lambda g, out, x, y: ratio(g * x, y),
    linear=(0,),
)
xlog1py = elementwise(
    "xlog1py",
    _xlog1py,
    lambda g, out, x, y: g * log1p(y),
    lambda g, out, x, y: ratio(g * x, 1.0 + y),
    linear=(0,),
)
