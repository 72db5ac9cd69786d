"""Elementary functions beyond the core: trigonometric, hyperbolic, base 2, rounding, clipping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ops.base import elementwise, function
from scg.ops.elementwise import (
    EXPONENTIAL,
    JUMPS,
    POSITIVE,
    UNIT,
    WAVE,
    maximum,
    minimum,
    sigmoid_of,
    square,
)

_LN2 = math.log(2.0)

# --- exponential, trigonometric and hyperbolic ------------------------------------------------
exp2 = function(np.exp2, lambda g, y, a: g * (_LN2 * y), turns=EXPONENTIAL)
log2 = function(np.log2, lambda g, y, a: g / (_LN2 * a))
log10 = function(np.log10, lambda g, y, a: g / (math.log(10.0) * a))
sin = function(np.sin, lambda g, y, a: g * cos(a), turns=WAVE)
cos = function(np.cos, lambda g, y, a: -(g * sin(a)), turns=WAVE)
tan = function(np.tan, lambda g, y, a: g * (1.0 + square(y)), turns=WAVE)
arctan = function(np.arctan, lambda g, y, a: g / (1.0 + square(a)))
sinh = function(np.sinh, lambda g, y, a: g * cosh(a), turns=EXPONENTIAL)
cosh = function(np.cosh, lambda g, y, a: g * sinh(a), turns=EXPONENTIAL)


# --- rounding: constant almost everywhere -------------------------------------------------------
floor, ceil, rint = (
    function(f, None, kind="number", kernels={"int": "{0}"}, **JUMPS)
    for f in (np.floor, np.ceil, np.rint)
)


@implements(np.round)
def round(x: Any, decimals: int = 0) -> Any:
    """Round to the nearest multiple of 10^−decimals, halves to the even one."""
    if not isinstance(decimals, (int, np.integer)) or abs(decimals) > 300:
        raise DeclarationError(f"round: decimals is an integer up to 300, got {decimals!r}")
    if decimals == 0:
        return rint(x)
    factor = 10.0 ** abs(decimals)
    return rint(x * factor) / factor if decimals > 0 else rint(x / factor) * factor


@implements(np.clip)
def clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """Limit `x` to [a_min, a_max]; the derivative is zero outside, and a half at a bound.

    The bounds may be named `min` and `max` instead, as in NumPy.

    Raises
    ------
    scg.errors.DeclarationError
        If bounds are given both ways.
    """
    if not (a_min is a_max is None or min is max is None):
        raise DeclarationError("clip: give the bounds in order or as min= and max=, not both")
    for bound, limit in ((a_min, maximum), (min, maximum), (a_max, minimum), (max, minimum)):
        x = x if bound is None else limit(x, bound)
    return x


# --- rounding into an open set ------------------------------------------------------------------
def _open_unit(x: Any) -> Any:
    info = np.finfo(x.dtype)
    return np.clip(x, info.tiny, 1 - info.epsneg)


def _open_positive(x: Any) -> Any:
    info = np.finfo(x.dtype)
    return np.clip(x, info.tiny, info.max)


#: A sample that rounds to the end of its support is moved to the nearest number inside, in the
#: program's precision. Like every rounding this has the derivative of the exact function.
open_unit = elementwise(
    "open_unit", _open_unit, lambda g, y, x: g, kernel="open_unit_{code}({0})", range=UNIT
)
open_positive = elementwise(
    "open_positive",
    _open_positive,
    lambda g, y, x: g,
    kernel="open_positive_{code}({0})",
    range=POSITIVE,
)


def _open_exp(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return _open_positive(np.exp(x))


#: exp x and 1 / (1 + exp(−x)), rounded likewise. Their derivatives are taken at the rounded value:
#: the logarithm of a sample, which densities need, then has the derivative of the exact one.
open_exp = elementwise(
    "open_exp",
    _open_exp,
    lambda g, y, x: g * y,
    kernel="open_positive_{code}(exp_{code}({0}))",
    range=POSITIVE,
)
open_sigmoid = elementwise(
    "open_sigmoid",
    lambda x: _open_unit(sigmoid_of(x)),
    lambda g, y, x: g * (y * (1.0 - y)),
    kernel="open_unit_{code}(sigmoid_{code}({0}))",
    range=UNIT,
)
