"""Rows: ops that a kernel computes a row, or a matrix, at a time.

The loop of such an op runs over the axes that do not lie inside a row, and its operands broadcast
there as in NumPy. What is done with a row is a function of :mod:`scg.engine.codegen.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scg.ir.expr import Expr
from scg.schedule.lower import View, view_of, whole


def operands(
    expr: Expr, views: Mapping[Expr, View]
) -> tuple[list[tuple[View, tuple[int, ...]]], tuple[int, ...]]:
    """Return the operands of an op with a row function, as the loop over its rows sees them.

    Returns
    -------
    outside : list of (View, shape)
        Of the result and the arguments, what is left without the axes inside a row.
    numbers : tuple of int
        The steps inside the rows, and what the function takes besides.
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
