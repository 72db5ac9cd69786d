"""Choosing event elements by integer arrays along an axis; sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op, constant
from scg.ops.arrange import moveaxis
from scg.ops.base import one_axis
from scg.ops.elementwise import maximum, not_equal, where
from scg.ops.reductions import zeros
from scg.ops.shape import concatenate, cumsum, getitem, np_reshape, reshape, take_slice


# --- along an axis, as np.take_along_axis; and the adjoint, which adds up ---------------------
def _aligned(x: np.ndarray, k: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Give both arrays all plate axes; event axes are equally many and count from the end."""
    ndim = max(x.ndim, k.ndim)
    x, k = (a.reshape((1,) * (ndim - a.ndim) + a.shape) for a in (x, k))
    at = ndim + axis
    shape = list(np.broadcast_shapes(x.shape[:at], k.shape[:at]))
    return (
        np.broadcast_to(x, (*shape, *x.shape[at:])),
        np.broadcast_to(k, (*shape, *k.shape[at:])),
    )


def _take(x: Any, k: Any, axis: int) -> Any:
    x, k = _aligned(x, k, axis)
    return np.take_along_axis(x, k, axis=axis)


def _add_along(g: Any, k: Any, axis: int, length: int) -> Any:
    g, k = _aligned(g, k, axis)
    g, k = np.moveaxis(g, axis, -1), np.moveaxis(k, axis, -1)
    rows, columns = int(np.prod(k.shape[:-1], dtype=int)), k.shape[-1]
    place = k.reshape(rows, columns) % length + length * np.arange(rows)[:, None]
    out = np.bincount(place.ravel(), g.reshape(-1), rows * length)
    return np.moveaxis(out.reshape(*k.shape[:-1], length), -1, axis).astype(g.dtype)


def _taken(x: tuple[int, ...], k: tuple[int, ...], axis: int) -> tuple[int, ...]:
    if len(x) != len(k) or any(
        a != b for i, (a, b) in enumerate(zip(x, k, strict=True), -len(x)) if i != axis
    ):
        raise ValueError(f"an index of shape {k} does not fit an event of shape {x}")
    return k


_take_along = Op(
    "take_along_axis",
    _take,
    _taken,
    (
        lambda g, y, x, k, axis: _scatter_along(g, k, axis=axis, length=x.shape[axis]),
        None,
    ),
    kind="same",
    linear=(0,),
)
_scatter_along = Op(
    "scatter_along_axis",
    _add_along,
    lambda g, k, axis, length: tuple(length if i == axis else n for i, n in enumerate(g, -len(g))),
    (lambda g, y, x, k, axis, length: _take_along(g, k, axis=axis), None),
    linear=(0,),
)

# --- sorting: continuous, as opposed to the permutation ---------------------------------------
_argsort = Op(
    "argsort",
    lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    lambda x, axis: x,
    (None,),
    kind="int",
    continuous=False,
    smooth=False,
)
_sort = Op(
    "sort",
    lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    lambda x, axis: x,
    (
        lambda g, y, x, axis: _scatter_along(
            _shared_by_ties(g, y, axis), _argsort(x, axis=axis), axis=axis, length=x.shape[axis]
        ),
    ),
    kind="same",
    smooth=False,
)


def _shared_by_ties(g: Expr, y: Expr, axis: int) -> Expr:
    """Give elements that are equal, and thus neighbours, the mean of their cotangents."""
    n = y.shape[axis]
    if n < 2:
        return g

    def part(start: int, stop: int) -> Expr:
        index = [(0, length, 1) for length in y.shape]
        index[axis] = (start, stop, 1)
        return take_slice(y, index=tuple(index))

    steps = where(not_equal(part(1, n), part(0, n - 1)), 1, 0)
    first = np.zeros([1 if i == axis else m for i, m in enumerate(y.shape, -y.ndim)], int)
    group = cumsum(concatenate(first, steps, axis=axis), axis)
    total, count = (
        _scatter_along(values, group, axis=axis, length=n) for values in (g, zeros(y) + 1.0)
    )
    return _take_along(total / maximum(count, 1.0), group, axis=axis)


# --- what users call --------------------------------------------------------------------------
def _flat(x: Any) -> Any:
    return reshape(x, shape=(int(np.prod(np.shape(x), dtype=int)),))


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """Choose elements along an event axis (of the flattened event with ``axis=None``)."""
    if isinstance(indices, Expr) and indices.kind != "int":
        raise DeclarationError(
            f"take_along_axis: expected an integer node as index, got {indices!r} ({indices.kind})"
        )
    if axis is None:
        x, indices, axis = _flat(x), _flat(indices), -1
    return _take_along(x, indices, axis=one_axis(axis, np.ndim(x)))


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Choose elements along an event axis (of the flattened event by default), as ``np.take``."""
    if isinstance(indices, Expr) and not isinstance(x, Expr):
        x = constant(indices.graph, x)
    if axis is None:
        x, axis = np_reshape(x, (-1,)), 0
    at, count = one_axis(axis, np.ndim(x)) + np.ndim(x), np.ndim(indices)
    index = indices if isinstance(indices, (Expr, int, np.integer)) else np.asarray(indices)
    if at == 0:
        return getitem(x, index)
    chosen = getitem(moveaxis(x, at, 0), index)
    return moveaxis(chosen, tuple(range(count)), tuple(range(at, at + count)))


def sort(x: Any, axis: int | None = -1) -> Any:
    """Sort along an event axis, in ascending order; equal elements share the gradient equally.

    With ``axis=None`` the event is flattened first, as in NumPy.
    """
    x, axis = (_flat(x), -1) if axis is None else (x, axis)
    return _sort(x, axis=one_axis(axis, np.ndim(x)))


def argsort(x: Any, axis: int | None = -1) -> Any:
    """Permutation that sorts along an event axis; equal elements keep their order."""
    x, axis = (_flat(x), -1) if axis is None else (x, axis)
    return _argsort(x, axis=one_axis(axis, np.ndim(x)))
