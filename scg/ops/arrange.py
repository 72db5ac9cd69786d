"""Rearranging event elements, composed of reshape, transpose, slices and joins."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.base import integer, integers, normal_axes, one_axis
from scg.ops.elementwise import greater_equal, where
from scg.ops.reductions import expand, sum
from scg.ops.shape import concatenate, part, ravel, reshape, take_slice, transpose, unslice


@implements(np.broadcast_to)
def broadcast_to(x: Any, shape: Any) -> Any:
    """Broadcast the event of a node to `shape`."""
    shape = integers(shape, "broadcast_to: a shape")
    if not isinstance(x, Expr):
        return np.broadcast_to(x, shape)
    try:
        joint = np.broadcast_shapes(x.shape, shape)
    except ValueError:
        joint = None
    if joint != shape:
        raise DeclarationError(f"broadcast_to: an event of shape {x.shape} does not fit {shape}")
    return expand(x, x.plates, shape)


@implements(np.squeeze)
def squeeze(x: Any, axis: Any = None) -> Any:
    """Drop event axes of length 1: all, or those given."""
    shape = np.shape(x)
    n = len(shape)
    axes = tuple(i for i in range(-n, 0) if shape[i] == 1) if axis is None else normal_axes(axis, x)
    for i in axes:
        if shape[i] != 1:
            raise DeclarationError(f"squeeze: axis {i} has length {shape[i]}, expected 1")
    return reshape(x, shape=tuple(shape[i] for i in range(-n, 0) if i not in axes))


@implements(np.moveaxis)
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Move event axes to other positions; the others keep their order."""
    n = np.ndim(x)
    sources, targets = (integers(axes, "moveaxis: an axis") for axes in (source, destination))
    if len(sources) != len(targets):
        raise DeclarationError(
            f"moveaxis: source and destination must name equally many axes, got {source!r} and "
            f"{destination!r}"
        )
    for axes in (sources, targets):
        normal_axes(axes, x)  # they exist, and once
    placed = {t % n: s % n for s, t in zip(sources, targets, strict=True)}
    rest = iter(i for i in range(n) if i not in placed.values())
    order = [placed[i] if i in placed else next(rest) for i in range(n)]
    return transpose(x, axes=tuple(i - n for i in order))


@implements(np.swapaxes)
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchange two event axes."""
    order = list(range(-np.ndim(x), 0))
    a, b = one_axis(axis1, x), one_axis(axis2, x)
    order[a], order[b] = order[b], order[a]
    return transpose(x, axes=tuple(order))


@implements(np.flip)
def flip(x: Any, axis: Any = None) -> Any:
    """Reverse the order of elements along event axes (all by default)."""
    reversed_axes = normal_axes(tuple(axis) if isinstance(axis, list) else axis, x)
    lengths = enumerate(np.shape(x), -np.ndim(x))
    index = ((n - 1, -1, -1) if i in reversed_axes else (0, n, 1) for i, n in lengths)
    return take_slice(x, index=tuple(index))


@implements(np.diff)
def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along an event axis, taken `n` times."""
    axis = one_axis(axis, x)
    if not isinstance(n, (int, np.integer)) or not 0 <= n <= np.shape(x)[axis]:
        raise DeclarationError(f"diff: expected n from 0 to {np.shape(x)[axis]}, got {n!r}")
    for left in range(np.shape(x)[axis] - 1, np.shape(x)[axis] - 1 - n, -1):
        x = part(x, 1, left + 1, axis=axis) - part(x, 0, left, axis=axis)
    return x


@implements(np.roll)
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Move elements along event axes cyclically (along the flattened event by default)."""
    if axis is None:
        return reshape(roll(ravel(x), shift, -1), shape=np.shape(x))
    shifts, axes = integers(shift, "roll: shift"), integers(axis, "roll: axis")
    if 1 not in (len(shifts), len(axes)) and len(shifts) != len(axes):
        raise DeclarationError(
            f"roll: shift and axis must be equally many, got {shift!r} and {axis!r}"
        )
    for one, a in np.broadcast(shifts, axes):
        i = one_axis(a, x)
        n = np.shape(x)[i]
        cut = -one % n if n else 0
        if cut:
            x = concatenate(part(x, cut, n, axis=i), part(x, 0, cut, axis=i), axis=i)
    return x


@implements(np.pad)
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Any:
    """Surround the event with zeros; `pad_width` as in NumPy: an integer, a pair, or one per axis.

    Raises
    ------
    DeclarationError
        If `mode` is not "constant" or `constant_values` is not 0.
    """
    if mode != "constant" or np.any(np.asarray(constant_values) != 0):
        raise DeclarationError(
            f"pad: nodes are padded with zeros, got mode={mode!r}, "
            f"constant_values={constant_values!r}. Write np.concatenate for other borders"
        )
    shape = np.shape(x)
    try:
        given = np.broadcast_to(np.asarray(pad_width), (len(shape), 2))
    except ValueError:
        given = np.array([-1])
    if given.dtype.kind not in "iu" or np.any(given < 0):
        raise DeclarationError(
            f"pad: expected a width, a pair, or a pair for each of {len(shape)} axes, "
            f"not negative, got {pad_width!r}"
        )
    widths = given.tolist()
    index = tuple((before, before + n, 1) for n, (before, _) in zip(shape, widths, strict=True))
    padded = tuple(n + before + after for n, (before, after) in zip(shape, widths, strict=True))
    return x if padded == shape else unslice(x, index=index, shape=padded)


@implements(np.tile)
def tile(x: Any, reps: Any) -> Any:
    """Repeat the whole event `reps` times along each axis, as in NumPy."""
    reps = integers(reps, "tile: reps")
    if min(reps, default=0) < 0:
        raise DeclarationError(f"tile: reps must not be negative, got {reps}")
    if not isinstance(x, Expr):
        return np.tile(x, reps)
    n = max(len(reps), x.ndim)
    reps = (1,) * (n - len(reps)) + reps
    shape = (1,) * (n - x.ndim) + x.shape
    pairs = list(zip(reps, shape, strict=True))
    apart = reshape(x, shape=tuple(k for m in shape for k in (1, m)))
    wide = broadcast_to(apart, tuple(k for pair in pairs for k in pair))
    return reshape(wide, shape=tuple(r * m for r, m in pairs))


@implements(np.repeat)
def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """Repeat each element along an event axis (of the flattened event by default)."""
    repeats = integer(repeats, "repeat: repeats", 0)
    if not isinstance(x, Expr):
        return np.repeat(x, repeats, axis)
    if axis is None:
        return repeat(ravel(x), repeats, -1)
    at = one_axis(axis, x) + x.ndim + 1
    before, after = x.shape[:at], x.shape[at:]
    wide = broadcast_to(reshape(x, shape=(*before, 1, *after)), (*before, repeats, *after))
    return reshape(wide, shape=(*before[:-1], before[-1] * repeats, *after))


@implements(np.diagonal)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Diagonal of two event axes, the first two by default, as the last axis."""
    shape = np.shape(x)
    if len(shape) < 2:
        raise DeclarationError(f"diagonal: expected a matrix, got an event of shape {shape}")
    x = moveaxis(x, (one_axis(axis1, x), one_axis(axis2, x)), (-2, -1))
    offset = integer(offset, "diagonal: offset")
    *lead, rows, columns = np.shape(x)
    length = min(rows, columns, rows + offset, columns - offset)
    flat = reshape(x, shape=(*lead, rows * columns))
    if length <= 0:
        return part(flat, 0, 0)
    start = max(offset, -offset * columns)
    return part(flat, start, start + (length - 1) * (columns + 1) + 1, columns + 1)


@implements(np.trace)
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum of the diagonal of two event axes, the first two by default."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


def _lower(x: Any, k: int) -> Any:
    """Whether column − row ≤ k; for a node an expression, because a matrix may be large."""
    if np.ndim(x) < 2:
        raise DeclarationError(
            f"tril, triu: expected a matrix, got an event of shape {np.shape(x)}"
        )
    rows, columns = np.shape(x)[-2:]
    row, column = np.arange(rows)[:, None] + integer(k, "tril, triu: k"), np.arange(columns)
    if isinstance(x, Expr):
        row, column = constant(x.graph, row), constant(x.graph, column)
    return greater_equal(row, column)


def _zero(x: Any) -> Any:
    """Zero of the kind of `x`: triangles of integers and booleans keep theirs."""
    return np.zeros((), x.kind if isinstance(x, Expr) else np.result_type(x))


@implements(np.tril)
def tril(x: Any, k: int = 0) -> Any:
    """Lower triangle of the last two event axes."""
    return where(_lower(x, k), x, _zero(x))


@implements(np.triu)
def triu(x: Any, k: int = 0) -> Any:
    """Upper triangle of the last two event axes."""
    return where(_lower(x, integer(k, "triu: k") - 1), _zero(x), x)


@implements(np.diag)
def diag(x: Any, k: int = 0) -> Any:
    """Matrix with a vector on its k-th diagonal; of a matrix the k-th diagonal."""
    if np.ndim(x) != 1:
        if np.ndim(x) != 2:
            raise DeclarationError(
                f"diag: expected a vector or a matrix, got an event of shape {np.shape(x)}"
            )
        return diagonal(x, k)
    k = integer(k, "diag: k")
    above, below = max(k, 0), max(-k, 0)
    return pad(diagonal_matrix(x), ((below, above), (above, below)))


def diagonal_matrix(x: Any) -> Any:
    """Diagonal matrices of the vectors along the last event axis."""
    shape = np.shape(x)
    return triu(tril(broadcast_to(reshape(x, shape=(*shape, 1)), (*shape, shape[-1]))))
