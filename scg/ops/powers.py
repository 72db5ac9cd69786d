"""Powers, x log y, and quotients: at zero they are what their limits are.

A factor that is zero makes a product zero, whatever the other one. The ops say so, rather than
comparisons of their arguments: derivatives, too, are smooth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ops.elementwise import divide, elementwise, multiply, negative, possible, square


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
    lambda g, y, a, b: absorb(g, times_power(b, a, b - 1.0)),
    lambda g, y, a, b: g * (y * log_or_zero(a)),
)
#: c a^b, zero where c is zero.
times_power = elementwise(
    "times_power",
    _times_power,
    lambda g, y, c, a, b: times_power(g, a, b),
    lambda g, y, c, a, b: absorb(g, times_power(c * b, a, b - 1.0)),
    lambda g, y, c, a, b: g * (y * log_or_zero(a)),
    linear=(0,),
)
#: log a, which at 0 is 0 as well: there a power times it is zero.
log_or_zero = elementwise("log_or_zero", _log_or_zero, lambda g, y, a: g * inverse_or_zero(a))
#: 1 / a, and 0 at 0.
inverse_or_zero = elementwise("inverse_or_zero", _inverse_or_zero, lambda g, y, a: -(g * square(y)))


def power(a: Any, b: Any) -> Any:
    """Raise `a` to the power `b`; small constant powers become products."""
    if not isinstance(b, Expr) and np.ndim(b) == 0 and b in (1, 2):
        return squared(a) if b == 2 else a
    return _power(a, b)


def product(a: Any, b: Any) -> Any:
    """Multiply `a` and `b`; a length that is a factor of both is squared first."""
    smoother = _by_factors(a, _DEPTH) if a is b else None
    if smoother is not None:
        return smoother
    for whole, factor in ((a, b), (b, a)):
        if isinstance(factor, Expr) and factor.op.square and isinstance(whole, Expr):
            if whole.op is multiply and any(arg is factor for arg in whole.args):
                first, second = whole.args
                return multiply(second if first is factor else first, squared(factor))
    return multiply(a, b)


def squared(a: Any) -> Any:
    """Square `a`, by what makes it smooth: the square of a length is a sum of squares."""
    smoother = _by_factors(a, _DEPTH)
    return square(a) if smoother is None else smoother


#: How deep a product is searched for factors whose square is smoother.
_DEPTH = 4


def _by_factors(a: Any, depth: int) -> Any:
    """Return the square of `a` as the product of its factors', or None where it is no smoother."""
    if not isinstance(a, Expr) or not depth:
        return None
    if a.op.square is not None:
        return a.op.square(*a.args, **a.attrs)
    if a.op not in (multiply, divide, negative) and a.op.name != "reshape":
        return None
    found = [_by_factors(arg, depth - 1) for arg in a.args]
    if all(part is None for part in found):
        return None
    parts = [square(x) if part is None else part for x, part in zip(a.args, found, strict=True)]
    return parts[0] if a.op is negative else a.op(*parts, **a.attrs)


# --- products and quotients -------------------------------------------------------------------
#: g h, but zero where g is: what a mixture gives no weight has a density with infinite slopes.
absorb = elementwise(
    "absorb",
    lambda g, h: np.where(g == 0, 0.0, g * h),
    lambda c, y, g, h: absorb(c, h),
    lambda c, y, g, h: absorb(c, g),
    linear=(0, 1),
)


def _quotient(g: Any, x: Any, y: Any) -> Any:
    zero = (g == 0) | (x == 0)
    return np.where(zero, 0.0, g * x / np.where(zero, 1.0, y))


#: g x / y, but zero where g or x is, whatever y.
quotient = elementwise(
    "quotient",
    _quotient,
    lambda c, out, g, x, y: quotient(c, x, y),
    lambda c, out, g, x, y: quotient(c, g, y),
    lambda c, out, g, x, y: -quotient(c, out, y),
    linear=(0, 1),
)


def ratio(x: Any, y: Any) -> Any:
    """Return x / y, zero where x is, whatever y."""
    return quotient(1.0, x, y)


# --- x log y ----------------------------------------------------------------------------------
def _xlogy(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x * np.log(np.where(x == 0, 1.0, y))


def _xlog1py(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x * np.log1p(np.where(x == 0, 0.0, y))


#: x log y and x log(1 + y), zero where x is zero, whatever y. Beside log 0 a zero x has no slope,
#: and no credit passes through log 0 where none arrives: what has the probability 0 counts for
#: nothing, be it x or the weight of a cost log p(x).
xlogy = elementwise(
    "xlogy",
    _xlogy,
    lambda g, out, x, y: absorb(g, possible(xlogy(1.0, y), x)),
    lambda g, out, x, y: quotient(g, x, y),
    linear=(0,),
)
xlog1py = elementwise(
    "xlog1py",
    _xlog1py,
    lambda g, out, x, y: absorb(g, possible(xlog1py(1.0, y), x)),
    lambda g, out, x, y: quotient(g, x, 1.0 + y),
    linear=(0,),
)
