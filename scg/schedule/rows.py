"""Rows: ops that a kernel computes a row, or a matrix, at a time.

The loop of such an op runs over the axes that do not lie inside a row, and its operands broadcast
there as in NumPy. What is done with a row is a function of :mod:`scg.engine.codegen.rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scg.ir.expr import Expr
from scg.schedule.lower import View, view_of, whole

RowAxes = tuple[int, ...]


@dataclass(frozen=True)
class RowOp:
    """How an op runs row by row.

    Parameters
    ----------
    function : str
        The name of the row function.
    inside : callable
        From the expression to the event axes that lie inside a row, counted from the end: of the
        result, and of each argument.
    numbers : callable
        From the expression to what the function takes besides addresses and steps.
    from_zero : bool
        Whether the result begins as zeros.
    adjoint : bool
        Whether the op is the adjoint of a view, which its VJP then is: the rows of the argument
        are added to where the view would find them in the result.
    """

    function: str
    inside: Callable[[Expr], tuple[RowAxes, ...]]
    numbers: Callable[[Expr], tuple[int, ...]] = lambda e: ()
    from_zero: bool = False
    adjoint: bool = False


def _along(function: str, *numbers: Callable[[Expr], int]) -> RowOp:
    """Rows along the axis that the op names."""
    return RowOp(
        function,
        lambda e: ((e.attrs["axis"],), (e.attrs["axis"],)),
        lambda e: (e.shape[e.attrs["axis"]], *(number(e) for number in numbers)),
    )


def _last(function: str) -> RowOp:
    """A number for each row along the last axis."""
    return RowOp(function, lambda e: ((), (-1,)), lambda e: (e.args[0].shape[-1],))


_MATRIX = (-2, -1)

ROWS = {
    "take": RowOp("take", lambda e: ((), (-e.args[0].ndim,), ()), lambda e: (e.args[0].shape[0],)),
    "add_at": RowOp(
        "add_at", lambda e: ((-e.ndim,), (), ()), lambda e: (e.shape[0],), from_zero=True
    ),
    "unslice": RowOp("add", lambda e: ((), ()), from_zero=True, adjoint=True),
    "fold": RowOp("add", lambda e: ((), ()), from_zero=True, adjoint=True),
    "cumsum": _along("cumsum", lambda e: int(e.attrs["reverse"])),
    "argsort": _along("argsort"),
    "argmax": _last("argmax"),
    "argmin": _last("argmin"),
    "sparsemax": RowOp("sparsemax", lambda e: ((-1,), (-1,)), lambda e: (e.shape[-1],)),
    "log_over_means": RowOp("log_over_means", lambda e: ((-1,),) * 3, lambda e: (e.shape[-1],)),
    "dirichlet_core": RowOp(
        "dirichlet_core", lambda e: ((), (-1,), (-1,)), lambda e: (e.args[0].shape[-1],)
    ),
    "cholesky": RowOp("cholesky", lambda e: (_MATRIX, _MATRIX), lambda e: (e.shape[-1],)),
    "diagonalize": RowOp("diagonalize", lambda e: (_MATRIX, _MATRIX), lambda e: (e.shape[-1],)),
    "lu": RowOp("lu", lambda e: (_MATRIX, _MATRIX), lambda e: (e.shape[-1],)),
    "sign_of_lu": RowOp("sign_det", lambda e: ((), _MATRIX), lambda e: (e.args[0].shape[-1],)),
    "lu_solve": RowOp("lu_solve", lambda e: (_MATRIX,) * 3, lambda e: e.shape[-2:]),
    "solve_triangular": RowOp(
        "solve_triangular",
        lambda e: (_MATRIX,) * 3,
        lambda e: (*e.shape[-2:], int(e.attrs["lower"]), int(e.attrs["transposed"])),
    ),
}


def operands(
    expr: Expr, views: Mapping[Expr, View]
) -> tuple[list[tuple[View, tuple[int, ...]]], tuple[int, ...]]:
    """Return the operands of an op of the table, as the loop over its rows sees them.

    Returns
    -------
    outside : list of (View, shape)
        Of the result and the arguments, what is left without the axes inside a row.
    numbers : tuple of int
        The steps inside the rows, and what the function takes besides.
    """
    row = ROWS[expr.op.name]
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
