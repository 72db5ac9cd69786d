"""Views: the array in which each expression's elements lie, where an op moves none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scg.ir.expr import Expr
from scg.ops.convolution import _windows
from scg.ops.elementwise import broadcast
from scg.ops.shape import reshape, take_slice, transpose
from scg.ops.within import continuous, jumps

Shape = tuple[int, ...]


class View(NamedTuple):
    """Elements of an expression in the array of another; they repeat along plates it lacks."""

    base: Expr  # whose array it is: plates first, then the event, contiguous
    strides: Shape  # steps along the event axes, in elements
    offset: int  # where the event begins


@functools.cache
def contiguous(shape: Shape) -> Shape:
    """Strides of a contiguous event, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def whole(expr: Expr) -> View:
    """View of an expression that has its own array."""
    return View(expr, contiguous(expr.shape), 0)


def is_whole(view: View, expr: Expr) -> bool:
    """Whether a view of `expr` is contiguous and nowhere repeats."""
    steps = zip(expr.shape, view.strides, contiguous(expr.shape), strict=True)
    same = all(a == b for n, a, b in steps if n != 1)
    return same and expr.plates == view.base.plates and view.base.size == expr.size


def view_of(expr: Expr, views: Mapping[Expr, View]) -> View | None:
    """View of an expression in its argument's array, or None where it needs its own."""
    rule = _RULES.get(expr.op)
    return None if rule is None else rule(expr, views[expr.args[0]])


def _reshaped(expr: Expr, view: View) -> View | None:
    (arg,) = expr.args
    solid = [(n, s) for n, s in zip(arg.shape, view.strides, strict=True) if n != 1]
    lengths = tuple(n for n, _ in solid)
    if lengths == tuple(n for n in expr.shape if n != 1):
        steps = iter(solid)
        return view._replace(strides=tuple(next(steps)[1] if n != 1 else 0 for n in expr.shape))
    if tuple(s for _, s in solid) == contiguous(lengths):
        return view._replace(strides=contiguous(expr.shape))
    return None  # elements must move


def _repeated(expr: Expr, view: View) -> View:
    (arg,) = expr.args
    fresh = expr.ndim - arg.ndim
    inner = zip(arg.shape, expr.shape[fresh:], view.strides, strict=True)
    kept = tuple(step if n == m else 0 for n, m, step in inner)
    return view._replace(strides=(0,) * fresh + kept)


def _transposed(expr: Expr, view: View) -> View:
    return view._replace(strides=tuple(view.strides[a] for a in expr.attrs["axes"]))


def _sliced(expr: Expr, view: View) -> View:
    offset, strides = view.offset, []
    for part, step in zip(expr.attrs["index"], view.strides, strict=True):
        offset += step * (part if isinstance(part, int) else part[0])
        if not isinstance(part, int):
            strides.append(step * part[2])
    return view._replace(strides=tuple(strides), offset=offset)


def _of_windows(expr: Expr, view: View) -> View:
    inside, between = (
        tuple(a * b for a, b in zip(view.strides[-2:], expr.attrs[name], strict=True))
        for name in ("dilation", "stride")
    )
    return view._replace(strides=(*view.strides[:-2], *inside, *between))


_RULES: dict[Any, Callable[[Expr, View], View | None]] = {
    continuous: lambda expr, view: view,
    jumps: lambda expr, view: view,
    reshape: _reshaped,
    broadcast: _repeated,
    transpose: _transposed,
    take_slice: _sliced,
    _windows: _of_windows,
}


def row_operands(
    expr: Expr, views: Mapping[Expr, View]
) -> tuple[list[tuple[View, Shape]], tuple[int, ...]]:
    """Operands of an op with a row function, and its numbers.

    The operands are views with shapes, of the result and the arguments, without the axes inside a
    row. The numbers are the steps inside the rows, and whatever else the function takes.
    """
    row = expr.op.row
    found: list[Any] = [(whole(expr), expr.shape), *((views[arg], arg.shape) for arg in expr.args)]
    if row.adjoint:
        view = expr.op.vjp(0)(expr, expr, *expr.args, **expr.attrs)  # type: ignore[misc]
        found[0] = view_of(view, {expr: whole(expr)}), view.shape
    outside, numbers = [], []
    for (view, shape), inside in zip(found, row.inside(expr), strict=True):
        numbers += [view.strides[a] for a in inside]
        rest = [a for a in range(-len(shape), 0) if a not in inside]
        strides = tuple(view.strides[a] for a in rest)
        outside.append((view._replace(strides=strides), tuple(shape[a] for a in rest)))
    return outside, (*numbers, *row.numbers(expr))
