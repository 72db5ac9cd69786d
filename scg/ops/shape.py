"""Ops that move event elements: reshape, transpose, join, slice; cumulative sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op, constant
from scg.ops import attributes
from scg.ops.base import integers, normal_axes, one_axis
from scg.ops.elementwise import counted
from scg.ops.rows import ADD, along

Shape = tuple[int, ...]


# --- reshape and transpose: the attribute is the new event shape / the permutation ------------
def _same_size(x: Shape, shape: Shape) -> Shape:
    if math.prod(x) != math.prod(shape):
        raise ValueError(f"an event of shape {x} cannot be reshaped to {shape}")
    return shape


def _inverse(axes: Shape) -> Shape:
    n = len(axes)
    return tuple(int(i) - n for i in np.argsort([a + n for a in axes]))


def _permutation(axes: Any, x: Expr) -> str | None:
    holds = attributes.are_integers(axes) and sorted(axes) == list(range(-x.ndim, 0))
    return None if holds else f"each axis from -{x.ndim} to -1 once"


reshape = Op(
    "reshape",
    # The interpreter prepends the plate axes to `shape`.
    lambda x, shape: np.reshape(x, shape),
    _same_size,
    (lambda g, y, x, shape: reshape(g, shape=x.shape),),
    kind="same",
    linear=(0,),
    attributes={"shape": attributes.shape},
)
transpose = Op(
    "transpose",
    lambda x, axes: np.transpose(x, (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes))),
    lambda x, axes: tuple(x[a] for a in axes),
    (lambda g, y, x, axes: transpose(g, axes=_inverse(axes)),),
    kind="same",
    linear=(0,),
    attributes={"axes": _permutation},
)


# --- concatenate ------------------------------------------------------------------------------
def _joined(*shapes: Shape, axis: int) -> Shape:
    rests = {shape[:axis] + shape[len(shape) + axis + 1 :] for shape in shapes}
    if len(rests) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"shapes {shapes} do not join along axis {axis}")
    length = sum(shape[axis] for shape in shapes)
    return tuple(length if i == axis else n for i, n in enumerate(shapes[0], -len(shapes[0])))


def _part(index: int, g: Expr, y: Expr, *args: Expr, axis: int) -> Expr:
    start = sum(arg.shape[axis] for arg in args[:index])
    return part(g, start, start + args[index].shape[axis], axis=axis)


concatenate = Op(
    "concatenate",
    lambda *xs, axis: np.concatenate(xs, axis=axis),
    _joined,
    _part,
    kind="same",
    attributes={"axis": attributes.axis},
)


# --- slices: an index is one entry an event axis, (start, stop, step) or an integer -----------
def _numpy_index(index: tuple[Any, ...]) -> tuple[Any, ...]:
    def entry(part: Any) -> Any:
        if isinstance(part, int):
            return part
        start, stop, step = part
        return slice(start, None if stop < 0 else stop, step)

    return (..., *map(entry, index))


def _sliced(x: Shape, index: tuple[Any, ...]) -> Shape:
    return tuple(len(range(*part)) for part in index if not isinstance(part, int))


def _unslice_numpy(g: Any, index: Any, shape: Any) -> Any:
    lead = g.shape[: g.ndim - sum(not isinstance(part, int) for part in index)]
    out = np.zeros(lead + shape, g.dtype)
    out[_numpy_index(index)] = g
    return out


def _index(index: Any, x: Expr) -> str | None:
    return _index_in(index, x.shape)


def _index_in(index: Any, shape: Shape) -> str | None:
    """Test that each entry is a position, or (start, stop, step) as ``slice.indices`` gives it."""

    def fits(entry: Any, n: int) -> bool:
        if attributes.is_integer(entry):
            return 0 <= entry < n
        if not attributes.are_integers(entry) or len(entry) != 3 or entry[2] == 0:
            return False
        start, stop, step = entry
        whole = slice(start, None if stop < 0 else stop, step).indices(n)
        return entry in (whole, (0, 0, 1))

    holds = isinstance(index, tuple) and len(index) == len(shape)
    if holds and all(fits(entry, n) for entry, n in zip(index, shape, strict=True)):
        return None
    return f"positions or (start, stop, step) in an event of shape {shape}"


def _places(index: Any, x: Expr, shape: Shape) -> str | None:
    expected = _index_in(index, shape)
    if expected is None and _sliced(shape, index) != x.shape:
        return f"places for an event of shape {x.shape}"
    return expected


take_slice = Op(
    "slice",
    lambda x, index: x[_numpy_index(index)],
    _sliced,
    (lambda g, y, x, index: unslice(g, index=index, shape=x.shape),),
    kind="same",
    linear=(0,),
    attributes={"index": _index},
)
unslice = Op(
    "unslice",
    _unslice_numpy,
    lambda g, index, shape: shape,
    (lambda g, y, x, index, shape: take_slice(g, index=index),),
    kind="same",
    linear=(0,),
    attributes={"shape": attributes.shape, "index": _places},
    row=ADD,
)


def part(x: Any, start: int, stop: int, step: int = 1, axis: int = -1) -> Any:
    """Slice one event axis, counted from the end."""
    index = [(0, n, 1) for n in np.shape(x)]
    index[axis] = (start, stop, step)
    return take_slice(x, index=tuple(index))


# --- cumulative sum ---------------------------------------------------------------------------
def _sums(x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    x = np.flip(x, axis) if reverse else x
    if x.dtype == np.float32:  # each sum would be rounded
        sums = np.cumsum(x, axis, dtype=float).astype(np.float32)
    else:
        sums = np.cumsum(x, axis)
    return np.flip(sums, axis) if reverse else sums


_cumsum = Op(
    "cumsum",
    _sums,
    lambda x, axis, reverse: x,
    (lambda g, y, x, axis, reverse: _cumsum(g, axis=axis, reverse=not reverse),),
    kind="same",
    linear=(0,),
    attributes={"axis": attributes.axis, "reverse": attributes.flag},
    row=along("cumsum", lambda e: int(e.attrs["reverse"])),
)


def cumsum(x: Any, axis: int | None = -1) -> Any:
    """Cumulative sum along one event axis; None means of the flattened event."""
    x, axis = (ravel(x), -1) if axis is None else (x, one_axis(axis, x))
    return _cumsum(counted(x), axis=axis, reverse=False)


@implements(np.cumsum)
def _np_cumsum(x: Any, axis: int | None = None) -> Any:
    return cumsum(x, axis)


# --- what users call --------------------------------------------------------------------------
implements(np.ndim)(lambda x: x.ndim)
implements(np.shape)(lambda x: x.shape)
implements(np.size)(lambda x: x.size)
implements(np.zeros_like)(lambda x: np.zeros(x.shape))
implements(np.ones_like)(lambda x: np.ones(x.shape))


@implements(np.ravel)
def ravel(x: Any) -> Any:
    """Flatten the event."""
    return reshape(x, shape=(math.prod(np.shape(x)),))


@implements(np.reshape)
def np_reshape(x: Expr, shape: Any) -> Expr:
    """Give the event another shape; one entry may be -1."""
    shape = integers(shape, "reshape: a shape")
    if shape.count(-1) > 1 or min(shape, default=0) < -1:
        raise DeclarationError(f"reshape: at most one entry may be -1, got {shape}")
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        if not rest:
            raise DeclarationError(f"reshape: -1 in {shape} may be any length, beside an axis of 0")
        shape = tuple(x.size // rest if n == -1 else n for n in shape)
    return reshape(x, shape=shape) if shape != x.shape else x


@implements(np.transpose)
def np_transpose(x: Expr, axes: Any = None) -> Expr:
    """Permute event axes; reversed by default."""
    axes = tuple(range(x.ndim))[::-1] if axes is None else integers(axes, "transpose: axes")
    if sorted(a % x.ndim if -x.ndim <= a < x.ndim else a for a in axes) != list(range(x.ndim)):
        raise DeclarationError(f"transpose: {axes} is not an order of the event axes of {x!r}")
    return transpose(x, axes=tuple(a % x.ndim - x.ndim for a in axes)) if x.ndim > 1 else x


@implements(np.expand_dims)
def np_expand_dims(x: Expr, axis: Any) -> Expr:
    """Insert event axes of length 1."""
    axes = integers(axis, "an axis")
    fresh, rest = normal_axes(axes, x, more=len(axes)), iter(x.shape)
    shape = (1 if i in fresh else next(rest) for i in range(-x.ndim - len(axes), 0))
    return reshape(x, shape=tuple(shape))


@implements(np.concatenate)
def np_concatenate(nodes: Any, axis: int | None = 0) -> Expr:
    """Join events along an existing axis; None means the flattened events."""
    nodes = list(map(ravel, nodes)) if axis is None else list(nodes)
    first = next(node for node in nodes if isinstance(node, Expr))
    if first.ndim == 0:
        raise DeclarationError("concatenate: scalars have no axis to join; write np.stack([...])")
    return concatenate(*nodes, axis=one_axis(0 if axis is None else axis, first))


@implements(np.stack)
def np_stack(nodes: Any, axis: int = 0) -> Expr:
    """Join events of one shape along a new axis."""
    nodes = list(nodes)
    graph = next(node for node in nodes if isinstance(node, Expr)).graph
    nodes = [n if isinstance(n, Expr) else constant(graph, n) for n in nodes]
    if len({node.shape for node in nodes}) > 1:
        raise DeclarationError(f"stack: all events need one shape, got {nodes}")
    return np_concatenate([np_expand_dims(node, axis) for node in nodes], axis)
