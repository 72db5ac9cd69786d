"""Elementary functions beyond the core: trigonometric, hyperbolic, base 2, rounding, clipping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ops.elementwise import _sigmoid, elementwise, maximum, minimum, square

_LN2 = math.log(2.0)

# --- exponential, trigonometric and hyperbolic ------------------------------------------------
exp2 = elementwise("exp2", np.exp2, lambda g, y, a: g * (_LN2 * y))
log2 = elementwise("log2", np.log2, lambda g, y, a: g / (_LN2 * a))
log10 = elementwise("log10", np.log10, lambda g, y, a: g / (math.log(10.0) * a))
sin = elementwise("sin", np.sin, lambda g, y, a: g * cos(a))
cos = elementwise("cos", np.cos, lambda g, y, a: -(g * sin(a)))
tan = elementwise("tan", np.tan, lambda g, y, a: g * (1.0 + square(y)))
arctan = elementwise("arctan", np.arctan, lambda g, y, a: g / (1.0 + square(a)))
sinh = elementwise("sinh", np.sinh, lambda g, y, a: g * cosh(a))
cosh = elementwise("cosh", np.cosh, lambda g, y, a: g * sinh(a))


# --- rounding: constant almost everywhere -------------------------------------------------------
floor, ceil, rint = (
    elementwise(f.__name__, f, None, kind="number", continuous=False, smooth=False)
    for f in (np.floor, np.ceil, np.rint)
)


def round(x: Any, decimals: int = 0) -> Any:
    """Round to the nearest multiple of 10^−decimals, halves to the even one."""
    if not isinstance(decimals, (int, np.integer)) or abs(decimals) > 300:
        raise DeclarationError(f"round: decimals is an integer up to 300, got {decimals!r}")
    if decimals == 0:
        return rint(x)
    factor = 10.0 ** abs(decimals)
    return rint(x * factor) / factor if decimals > 0 else rint(x / factor) * factor


def clip(x: Any, a_min: Any = None, a_max: Any = None) -> Any:
    """Limit `x` to [a_min, a_max]; the derivative is zero outside, and a half at a bound."""
    x = x if a_min is None else maximum(x, a_min)
    return x if a_max is None else minimum(x, a_max)


# --- rounding into an open set ------------------------------------------------------------------
def _open_unit(x: Any) -> Any:
    info = np.finfo(x.dtype)
    return np.clip(x, info.tiny, 1 - info.epsneg)


def _open_positive(x: Any) -> Any:
    info = np.finfo(x.dtype)
    return np.clip(x, info.tiny, info.max)


#: A draw that rounds to the end of its support is moved to the nearest number inside, of the
#: program's own precision. Like every rounding this has the derivative of the exact function.
open_unit = elementwise("open_unit", _open_unit, lambda g, y, x: g)
open_positive = elementwise("open_positive", _open_positive, lambda g, y, x: g)


def _open_exp(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return _open_positive(np.exp(x))


#: exp x and 1 / (1 + exp(−x)), rounded likewise. The derivatives are those at the rounded value: in
#: the logarithm of a draw, which is what densities ask for, they are then those of the exact one.
open_exp = elementwise("open_exp", _open_exp, lambda g, y, x: g * y)
open_sigmoid = elementwise(
    "open_sigmoid", lambda x: _open_unit(_sigmoid(x)), lambda g, y, x: g * (y * (1.0 - y))
)
