"""Choosing event elements by integer arrays along an axis, as NumPy does; sorting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.common.arguments import array_of
from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op, constant
from scg.ops import attributes
from scg.ops.arrange import moveaxis
from scg.ops.base import one_axis
from scg.ops.elementwise import JUMPS, maximum, not_equal, where
from scg.ops.gather import scatter_along, take_along
from scg.ops.indexing import getitem
from scg.ops.reductions import zeros
from scg.ops.rows import along
from scg.ops.shape import concatenate, cumsum, part, ravel

# --- sorting: continuous, as opposed to the permutation ---------------------------------------
_argsort = Op(
    "argsort",
    lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    lambda x, axis: x,
    (None,),
    kind="int",
    attributes={"axis": attributes.axis},
    row=along("argsort"),
    **JUMPS,
)
_sort = Op(
    "sort",
    lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    lambda x, axis: x,
    (
        lambda g, y, x, axis: scatter_along(
            _shared_by_ties(g, y, axis), _argsort(x, axis=axis), axis=axis, length=x.shape[axis]
        ),
    ),
    kind="same",
    smooth=False,
    attributes={"axis": attributes.axis},
)


def _shared_by_ties(g: Expr, y: Expr, axis: int) -> Expr:
    """Give elements that are equal, and thus neighbours, the mean of their cotangents."""
    n = y.shape[axis]
    if n < 2:
        return g
    steps = where(not_equal(part(y, 1, n, axis=axis), part(y, 0, n - 1, axis=axis)), 1, 0)
    first = np.zeros([1 if i == axis else m for i, m in enumerate(y.shape, -y.ndim)], int)
    group = cumsum(concatenate(first, steps, axis=axis), axis)
    total, count = (
        scatter_along(values, group, axis=axis, length=n) for values in (g, zeros(y) + 1.0)
    )
    return take_along(total / maximum(count, 1.0), group, axis=axis)


# --- what users call --------------------------------------------------------------------------
def _on_axis(x: Any, axis: int | None) -> tuple[Any, int]:
    """An event and one of its axes; the flattened event where the axis is None."""
    return (ravel(x), -1) if axis is None else (x, one_axis(axis, x))


@implements(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """Choose elements along an event axis (of the flattened event with ``axis=None``)."""
    if isinstance(indices, Expr) and indices.kind != "int":
        raise DeclarationError(
            f"take_along_axis: expected an integer node as index, got {indices!r} ({indices.kind})"
        )
    indices = ravel(indices) if axis is None else indices
    x, axis = _on_axis(x, axis)
    return take_along(x, indices, axis=axis)


@implements(np.take)
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Choose elements along an event axis, as ``np.take``.

    ``scg.take(table, z)`` chooses from an array by an integer node, where ``table[z]`` and
    ``np.take`` cannot: NumPy asks `x` alone whether it is a node. The other way round both work.

    Parameters
    ----------
    x : array or node
        The elements.
    indices : array or node of integers
        Places, which count from the end where they are negative.
    axis : int, optional
        The axis of the event; without it the event is flattened.

    Returns
    -------
    array or node
        Of the shape of `x`, with that of `indices` in place of the axis.

    Raises
    ------
    DeclarationError
        If `indices` is a node of other numbers, or `x` has no such axis.
    """
    if not isinstance(x, Expr):
        if not isinstance(indices, Expr):
            return np.take(x, indices, axis)
        x = constant(indices.graph, x)
    x, axis = _on_axis(x, axis)
    index = indices
    if not isinstance(index, (Expr, int, np.integer)):
        index = array_of("an index", indices, DeclarationError)
    at, count = axis + np.ndim(x), np.ndim(index)
    if at == 0:
        return getitem(x, index)
    chosen = getitem(moveaxis(x, at, 0), index)
    return moveaxis(chosen, tuple(range(count)), tuple(range(at, at + count)))


@implements(np.select)
def _select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0.0) -> Any:
    """The choice of the first condition that holds, element by element."""
    if len(conditions) != len(choices):
        raise DeclarationError(
            f"np.select: expected a choice for each condition, got {len(conditions)} conditions "
            f"and {len(choices)} choices"
        )
    found = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        found = where(condition, choice, found)
    return found


@implements(np.sort)
def sort(x: Any, axis: int | None = -1) -> Any:
    """Sort along an event axis, in ascending order; equal elements share the gradient equally.

    With ``axis=None`` the event is flattened first, as in NumPy.
    """
    x, axis = _on_axis(x, axis)
    return _sort(x, axis=axis)


@implements(np.argsort)
def argsort(x: Any, axis: int | None = -1) -> Any:
    """Permutation that sorts along an event axis; equal elements keep their order."""
    x, axis = _on_axis(x, axis)
    return _argsort(x, axis=axis)
