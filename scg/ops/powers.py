"""Powers, x log y, and quotients, with their limits at zero.

A factor that is zero makes a product zero, whatever the other one is. The ops do this themselves,
without comparisons of their arguments, so that their derivatives are smooth, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ops.base import elementwise
from scg.ops.elementwise import (
    TOUCHING,
    cast,
    counted,
    divide,
    multiply,
    negative,
    possible,
    square,
)
from scg.ops.shape import reshape


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
    kernel="{0} ** {1}",
    turns=TOUCHING,
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
log_or_zero = elementwise(
    "log_or_zero",
    _log_or_zero,
    lambda g, y, a: g * inverse_or_zero(a),
    kernel="({zero} if {0} == {zero} else log_{code}({0}))",
)
#: 1 / a, and 0 at 0.
inverse_or_zero = elementwise(
    "inverse_or_zero",
    _inverse_or_zero,
    lambda g, y, a: -(g * square(y)),
    kernel="({zero} if {0} == {zero} else {one} / {0})",
)


@implements(np.power)
def power(a: Any, b: Any) -> Any:
    """`a` to the power `b`; the constant powers 1 and 2 are `a` and its square."""
    if not isinstance(b, Expr) and np.ndim(b) == 0 and b in (1, 2):
        a = _floats(a) if np.asarray(b).dtype.kind == "f" else counted(a)
        return squared(a) if b == 2 else a
    return _power(a, b)


@implements(np.float_power)
def _float_power(a: Any, b: Any) -> Any:
    return power(_floats(a), b)


def _floats(a: Any) -> Any:
    """A node of integers or booleans as one of floats, whose square does not overflow."""
    return cast(a) if isinstance(a, Expr) and a.kind != "float" else a


@implements(np.multiply)
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


@implements(np.square)
def squared(a: Any) -> Any:
    """The square of `a`; that of a length is a sum of squares, which is smooth."""
    smoother = _by_factors(a, _DEPTH)
    return square(a) if smoother is None else smoother


_DEPTH = 4  # of the search in a product for factors whose square is smoother


def _by_factors(a: Any, depth: int) -> Any:
    """The square of `a` as the product of its factors', or None where it is no smoother."""
    if not isinstance(a, Expr) or not depth:
        return None
    if a.op.square is not None:
        return a.op.square(*a.args, **a.attrs)
    if a.op not in (multiply, divide, negative, reshape):
        return None
    found = [_by_factors(arg, depth - 1) for arg in a.args]
    if all(part is None for part in found):
        return None
    parts = [square(x) if part is None else part for x, part in zip(a.args, found, strict=True)]
    return parts[0] if a.op is negative else a.op(*parts, **a.attrs)


# --- products and quotients -------------------------------------------------------------------
#: g h, but zero where g is: a density that a mixture gives no weight may have infinite slopes.
absorb = elementwise(
    "absorb",
    lambda g, h: np.where(g == 0, 0.0, g * h),
    lambda c, y, g, h: absorb(c, h),
    lambda c, y, g, h: absorb(c, g),
    linear=(0, 1),
    kernel="({zero} if {0} == {zero} else {0} * {1})",
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
    kernel="({zero} if ({0} == {zero} or {1} == {zero}) else {0} * {1} / {2})",
)


def ratio(x: Any, y: Any) -> Any:
    """x / y, zero where x is, whatever y is."""
    return quotient(1.0, x, y)


# --- x log y ----------------------------------------------------------------------------------
def _xlogy(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x * np.log(np.where(x == 0, 1.0, y))


def _xlog1py(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        return x * np.log1p(np.where(x == 0, 0.0, y))


#: x log y and x log(1 + y), zero where x is zero, whatever y is. Beside an infinite logarithm a
#: zero x has no slope, and a zero cotangent stays zero: an event of probability 0 counts for
#: nothing, be it x or the weight of a cost log p(x).
xlogy = elementwise(
    "xlogy",
    _xlogy,
    lambda g, out, x, y: absorb(g, possible(xlogy(1.0, y), x)),
    lambda g, out, x, y: quotient(g, x, y),
    linear=(0,),
    kernel="{0} * log_{code}({one} if {0} == {zero} else {1})",
)
xlog1py = elementwise(
    "xlog1py",
    _xlog1py,
    lambda g, out, x, y: absorb(g, possible(xlog1py(1.0, y), x)),
    lambda g, out, x, y: quotient(g, x, 1.0 + y),
    linear=(0,),
    kernel="{0} * log1p_{code}({zero} if {0} == {zero} else {1})",
)
