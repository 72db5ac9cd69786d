"""Rules that ops share: shapes that broadcast, axes, integers as attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr


def is_constant(expr: Expr, value: float) -> bool:
    """Whether `expr` is the constant `value` in every element."""
    while expr.op.name == "expand":
        expr = expr.args[0]
    return expr.value is not None and bool(np.all(expr.value == value)) and expr.value.size > 0


def broadcast_shapes(*shapes: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    """Shape rule of elementwise ops."""
    distinct = {shape for shape in shapes if shape}
    if len(distinct) < 2:  # almost always, and NumPy takes a hundred times as long
        return distinct.pop() if distinct else ()
    return np.broadcast_shapes(*shapes)


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return event axes counted from the end, sorted; None means all."""
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = integers(axis, "an axis")
    for a in axes:
        if not -ndim <= a < ndim:
            raise DeclarationError(f"axis {a} is out of range for an event of {ndim} axes")
    found = tuple(sorted({a - ndim if a >= 0 else a for a in axes}))
    if len(found) != len(axes):
        raise DeclarationError(f"an axis is given twice in {axis!r}")
    return found


def one_axis(axis: Any, ndim: int) -> int:
    """Return one event axis counted from the end."""
    axes = () if axis is None else normal_axes(axis, ndim)
    if len(axes) != 1:
        raise DeclarationError(f"expected one axis, got {axis!r}")
    return axes[0]


def integers(value: Any, what: str) -> tuple[int, ...]:
    """Return an integer or several as a tuple."""
    group = (value,) if np.ndim(value) == 0 else tuple(value)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in group):
        raise DeclarationError(f"{what} is an integer or a tuple of integers, got {value!r}")
    return tuple(map(int, group))


def integer(value: Any, what: str, least: int) -> int:
    """Return an integer that is not too small."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise DeclarationError(f"{what}: expected an integer, at least {least}, got {value!r}")
    return int(value)
