"""Rows: how kernels compute an op a row, or a matrix, at a time.

The loop of such an op runs over the axes that do not lie inside a row, and its operands broadcast
there as in NumPy. The function for a row stands in :mod:`scg.engine.codegen.rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scg.ir.expr import Expr

RowAxes = tuple[int, ...]
MATRIX = (-2, -1)


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
    constants : callable
        From the expression to numbers that the kernel's text names: there is a function for each.
    from_zero : bool
        Whether the result begins as zeros.
    adjoint : bool
        Whether the op is the adjoint of a view, which its VJP then is: the rows of the argument
        are added to where the view would find them in the result.
    """

    function: str
    inside: Callable[[Expr], tuple[RowAxes, ...]]
    numbers: Callable[[Expr], tuple[int, ...]] = lambda e: ()
    constants: Callable[[Expr], tuple[int, ...]] = lambda e: ()
    from_zero: bool = False
    adjoint: bool = False


#: Adds the elements of the argument to where a view would find them.
ADD = RowOp("", lambda e: ((), ()), from_zero=True, adjoint=True)


def along(function: str, *numbers: Callable[[Expr], int]) -> RowOp:
    """Rows along the axis that the op names."""
    return RowOp(
        function,
        lambda e: ((e.attrs["axis"],), (e.attrs["axis"],)),
        lambda e: (e.shape[e.attrs["axis"]], *(number(e) for number in numbers)),
    )


def last(function: str, arguments: int = 1) -> RowOp:
    """A number for each row along the last axis of the arguments."""
    return RowOp(function, lambda e: ((), *((-1,),) * arguments), lambda e: (e.args[0].shape[-1],))


def vectors(function: str, arguments: int = 1) -> RowOp:
    """A row along the last axis of the result for each of the arguments'."""
    return RowOp(function, lambda e: ((-1,),) * (1 + arguments), lambda e: (e.shape[-1],))


def matrices(function: str) -> RowOp:
    """A square matrix for each one."""
    return RowOp(function, lambda e: (MATRIX, MATRIX), lambda e: (e.shape[-1],))
