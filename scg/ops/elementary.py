"""Elementary functions beyond the core: trigonometric, hyperbolic, base 2, rounding, clipping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ops.base import elementwise
from scg.ops.elementwise import JUMPS, maximum, minimum, sigmoid_of, square

_LN2 = math.log(2.0)

# --- exponential, trigonometric and hyperbolic ------------------------------------------------
exp2 = elementwise(
    "exp2", np.exp2, lambda g, y, a: g * (_LN2 * y), kernel="exp2({0})", turns=("exponential", 0)
)
log2 = elementwise("log2", np.log2, lambda g, y, a: g / (_LN2 * a), kernel="log2({0})")
log10 = elementwise(
    "log10", np.log10, lambda g, y, a: g / (math.log(10.0) * a), kernel="log10({0})"
)
sin = elementwise("sin", np.sin, lambda g, y, a: g * cos(a), kernel="sin({0})", turns=("wave", 0))
cos = elementwise(
    "cos", np.cos, lambda g, y, a: -(g * sin(a)), kernel="cos({0})", turns=("wave", 0)
)
tan = elementwise(
    "tan", np.tan, lambda g, y, a: g * (1.0 + square(y)), kernel="tan({0})", turns=("wave", 0)
)
arctan = elementwise(
    "arctan", np.arctan, lambda g, y, a: g / (1.0 + square(a)), kernel="arctan({0})"
)
sinh = elementwise(
    "sinh", np.sinh, lambda g, y, a: g * cosh(a), kernel="sinh({0})", turns=("exponential", 0)
)
cosh = elementwise(
    "cosh", np.cosh, lambda g, y, a: g * sinh(a), kernel="cosh({0})", turns=("exponential", 0)
)


# --- rounding: constant almost everywhere -------------------------------------------------------
floor, ceil, rint = (
    elementwise(
        f.__name__,
        f,
        None,
        kind="number",
        kernel=f"{f.__name__}({{0}})",
        kernels={"int": "{0}"},
        **JUMPS,
    )
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


#: A sample that rounds to the end of its support is moved to the nearest number inside, in the
#: program's precision. Like every rounding this has the derivative of the exact function.
open_unit = elementwise(
    "open_unit", _open_unit, lambda g, y, x: g, kernel="open_unit_{code}({0})", range=(0.0, 1.0)
)
open_positive = elementwise(
    "open_positive",
    _open_positive,
    lambda g, y, x: g,
    kernel="open_positive_{code}({0})",
    range=(0.0, np.inf),
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
    range=(0.0, np.inf),
)
open_sigmoid = elementwise(
    "open_sigmoid",
    lambda x: _open_unit(sigmoid_of(x)),
    lambda g, y, x: g * (y * (1.0 - y)),
    kernel="open_unit_{code}(sigmoid_{code}({0}))",
    range=(0.0, 1.0),
)
