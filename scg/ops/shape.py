"""Ops that move event elements: reshape, transpose, join, slice, gather, one-hot, cumsum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op, constant
from scg.ir.plate import ordered
from scg.ops.base import integer, integers, normal_axes, one_axis
from scg.ops.elementwise import where

# --- reshape and transpose: the attribute is the new event shape / the permutation ------------
reshape = Op(
    "reshape",
    # The interpreter prepends the plate axes to `shape`.
    lambda x, shape: np.reshape(x, shape),
    lambda x, shape: _same_size(x, shape),
    (lambda g, y, x, shape: reshape(g, shape=x.shape),),
    kind="same",
    linear=(0,),
)
transpose = Op(
    "transpose",
    lambda x, axes: np.transpose(x, (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes))),
    lambda x, axes: tuple(x[a] for a in axes),
    (lambda g, y, x, axes: transpose(g, axes=_inverse(axes)),),
    kind="same",
    linear=(0,),
)


def _same_size(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    if np.prod(old, dtype=int) != np.prod(new, dtype=int):
        raise ValueError(f"an event of shape {old} cannot be reshaped to {new}")
    return new


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    n = len(axes)
    return tuple(int(i) - n for i in np.argsort([a + n for a in axes]))


# --- concatenate ------------------------------------------------------------------------------
def _joined(*shapes: tuple[int, ...], axis: int) -> tuple[int, ...]:
    first = list(shapes[0])
    for shape in shapes[1:]:
        if len(shape) != len(first) or any(
            a != b
            for i, (a, b) in enumerate(zip(shape, first, strict=True), -len(first))
            if i != axis
        ):
            raise ValueError(f"shapes {shapes} do not join along axis {axis}")
    first[axis] = sum(shape[axis] for shape in shapes)
    return tuple(first)


def _part(index: int, g: Expr, y: Expr, *args: Expr, axis: int) -> Expr:
    start = sum(arg.shape[axis] for arg in args[:index])
    whole = [(0, n, 1) for n in y.shape]
    whole[axis] = (start, start + args[index].shape[axis], 1)
    return take_slice(g, index=tuple(whole))


concatenate = Op(
    "concatenate",
    lambda *xs, axis: np.concatenate(xs, axis=axis),
    _joined,
    _part,
    kind="same",
)


# --- slices: an index is one entry an event axis, (start, stop, step) or an integer -----------
def _numpy_index(index: tuple[Any, ...]) -> tuple[Any, ...]:
    def entry(part: Any) -> Any:
        if isinstance(part, int):
            return part
        start, stop, step = part
        return slice(start, None if stop < 0 else stop, step)

    return (..., *map(entry, index))


def _sliced(x: tuple[int, ...], index: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(len(range(*part)) for part in index if not isinstance(part, int))


def _unslice_numpy(g: Any, index: Any, shape: Any) -> Any:
    lead = g.shape[: g.ndim - sum(not isinstance(part, int) for part in index)]
    out = np.zeros(lead + shape, g.dtype)
    out[_numpy_index(index)] = g
    return out


take_slice = Op(
    "slice",
    lambda x, index: x[_numpy_index(index)],
    _sliced,
    (lambda g, y, x, index: unslice(g, index=index, shape=x.shape),),
    kind="same",
    linear=(0,),
)
unslice = Op(
    "unslice",
    _unslice_numpy,
    lambda g, index, shape: shape,
    (lambda g, y, x, index, shape: take_slice(g, index=index),),
    kind="same",
    linear=(0,),
)


# --- gather along the leading event axis, its adjoint, one-hot ----------------------------------
# Plate axes lead in both arguments and broadcast; `rank` and `index_rank` count event axes.
def _gather_numpy(x: Any, k: Any, rank: int, index_rank: int) -> Any:
    plates = x.ndim - rank
    count = math.prod(k.shape[plates:])  # not -1: a plate may be empty
    rows = k.reshape(k.shape[:plates] + (count,) + (1,) * (rank - 1))
    out = np.take_along_axis(x, rows, axis=plates)
    return out.reshape(out.shape[:plates] + k.shape[plates:] + x.shape[plates + 1 :])


def _scatter_numpy(
    g: Any, k: Any, length: int, rank: int, index_rank: int, over: tuple[int, ...] = ()
) -> Any:
    """Add the elements of `g` to the rows `k` of zeros, over the axes at `over` too."""
    plates = k.ndim - index_rank
    tail = g.shape[plates + index_rank :]
    lead = np.broadcast_shapes(g.shape[:plates], k.shape[:plates])
    g = np.broadcast_to(g, lead + g.shape[plates:])
    k = np.broadcast_to(k, lead + k.shape[plates:])
    kept = [i for i in range(plates) if i not in over]
    order = [*kept, *over, *range(plates, k.ndim)]
    rest = tuple(lead[i] for i in kept)
    k = k.transpose(order)
    k = k.reshape(math.prod(rest), math.prod(k.shape[len(rest) :])) % length
    g = g.transpose([*order, *range(g.ndim - len(tail), g.ndim)])
    place = (k + length * np.arange(len(k))[:, None]).ravel()
    rows, columns = len(k) * length, math.prod(tail)
    if columns != 1:
        place = (place[:, None] * columns + np.arange(columns)).ravel()
    out = np.bincount(place, g.ravel(), rows * columns)
    return out.reshape((*rest, length, *tail)).astype(g.dtype)


gather = Op(
    "gather",
    _gather_numpy,
    lambda x, k, rank, index_rank: k + x[1:],
    (
        lambda g, y, x, k, rank, index_rank: scatter(
            g,
            k,
            length=x.shape[0],
            rank=rank,
            index_rank=index_rank,
            over=tuple(plate for plate in k.plates if plate not in x.plates),
        ),
        None,
    ),
    kind="same",
    linear=(0,),
)
#: The interpreter passes the positions of the plates' axes as `over`.
scatter = Op(
    "scatter",
    _scatter_numpy,
    lambda g, k, length, rank, index_rank, over: (length, *g[index_rank:]),
    (
        lambda g, y, x, k, length, rank, index_rank, over: gather(
            g, k, rank=rank, index_rank=index_rank
        ),
        None,
    ),
    kind="same",
    plates=lambda args, attrs: ordered(
        plate for arg in args for plate in arg.plates if plate not in attrs["over"]
    ),
    linear=(0,),
)
_one_hot = Op(
    "one_hot",
    lambda k, depth: (k[..., None] == np.arange(depth)) * 1.0,
    lambda k, depth: (*k, depth),
    (None,),
    continuous=False,
    smooth=False,
)
_cumsum = Op(
    "cumsum",
    lambda x, axis, reverse: (
        np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)
    ),
    lambda x, axis, reverse: x,
    (lambda g, y, x, axis, reverse: _cumsum(g, axis=axis, reverse=not reverse),),
    kind="same",
    linear=(0,),
)


# --- what users call --------------------------------------------------------------------------
def one_hot(k: Any, depth: int) -> Any:
    """Return a vector of `depth` entries, one at position `k` and zero elsewhere."""
    if isinstance(k, Expr) and k.kind != "int":
        raise DeclarationError(f"scg.one_hot: expected an integer node, got {k!r} ({k.kind})")
    depth = integer(depth, "scg.one_hot: depth", 1)
    known = k.value if isinstance(k, Expr) else np.asarray(k)
    if known is not None and not (
        known.dtype.kind in "iu" and np.all((known >= 0) & (known < depth))
    ):
        raise DeclarationError(
            f"scg.one_hot(k, depth={depth}): k must be integers from 0 to {depth - 1}, got {k!r}"
        )
    return _one_hot(k, depth=depth)


def cumsum(x: Any, axis: int | None = -1) -> Any:
    """Cumulative sum along one event axis; None means of the flattened event, as in NumPy."""
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    axis = one_axis(axis, np.ndim(x))
    x = where(x, 1, 0) if isinstance(x, Expr) and x.kind == "bool" else x  # it counts
    return _cumsum(x, axis=axis, reverse=False)


def np_reshape(x: Expr, shape: Any) -> Expr:
    """Give the event another shape; one entry may be -1."""
    shape = integers(shape, "reshape: a shape")
    if shape.count(-1) > 1 or min(shape, default=0) < -1:
        raise DeclarationError(f"reshape: at most one entry may be -1, got {shape}")
    if -1 in shape:
        rest = int(np.prod([n for n in shape if n != -1], dtype=int))
        shape = tuple(x.size // rest if n == -1 and rest else n for n in shape)
    return reshape(x, shape=shape) if shape != x.shape else x


def np_transpose(x: Expr, axes: Any = None) -> Expr:
    """Permute event axes; reversed by default."""
    axes = tuple(range(x.ndim))[::-1] if axes is None else integers(axes, "transpose: axes")
    if sorted(a % x.ndim if -x.ndim <= a < x.ndim else a for a in axes) != list(range(x.ndim)):
        raise DeclarationError(f"transpose: {axes} is no order of the event axes of {x!r}")
    return transpose(x, axes=tuple(a % x.ndim - x.ndim for a in axes)) if x.ndim > 1 else x


def np_expand_dims(x: Expr, axis: Any) -> Expr:
    """Insert event axes of length 1."""
    n = x.ndim + len(integers(axis, "an axis"))
    fresh, rest = normal_axes(axis, n), iter(x.shape)
    return reshape(x, shape=tuple(1 if i in fresh else next(rest) for i in range(-n, 0)))


def np_concatenate(nodes: Any, axis: int = 0) -> Expr:
    """Join events along an existing axis."""
    if axis is None:  # as in NumPy: of everything, flattened
        nodes, axis = [np.reshape(node, -1) for node in nodes], 0
    nodes = list(nodes)
    ndim = next(node.ndim for node in nodes if isinstance(node, Expr))
    if ndim == 0:
        raise DeclarationError("concatenate: scalars have no axis to join; write np.stack([...])")
    return concatenate(*nodes, axis=one_axis(axis, ndim))


def np_stack(nodes: Any, axis: int = 0) -> Expr:
    """Join events of one shape along a new axis."""
    nodes = list(nodes)
    graph = next(node for node in nodes if isinstance(node, Expr)).graph
    nodes = [n if isinstance(n, Expr) else constant(graph, n) for n in nodes]
    if len({node.shape for node in nodes}) > 1:
        raise DeclarationError(f"stack: all events need one shape, got {nodes}")
    return np_concatenate([np_expand_dims(node, axis) for node in nodes], axis)


def getitem(x: Expr, index: Any) -> Expr:
    """Index event axes with integers, slices, None, Ellipsis, or one leading integer array."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, (Expr, list, np.ndarray)) for part in parts):
        if len(parts) != 1:
            raise DeclarationError("an index array must stand alone: x[k] takes rows of axis 0")
        k = parts[0] if isinstance(parts[0], Expr) else constant(x.graph, parts[0])
        if k.kind != "int":
            raise DeclarationError(f"an index must be integers, got {k!r} ({k.kind})")
        if x.ndim == 0:
            raise DeclarationError(f"{x!r} has no event axis to index")
        if k.value is not None and not np.all((k.value >= -x.shape[0]) & (k.value < x.shape[0])):
            raise DeclarationError(f"an index of {x!r} is out of range: {k.value.tolist()}")
        return gather(x, k, rank=x.ndim, index_rank=np.ndim(k))
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise DeclarationError(f"{x!r} has {x.ndim} event axes, but the index has {used}")
    full = (slice(None),) * (x.ndim - used)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    parts = parts[:at] + full + parts[at + 1 :]
    entries: list[Any] = []
    shape: list[int] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        axis += 1
        if isinstance(part, slice):
            bounds = part.indices(n)
            bounds = bounds if range(*bounds) else (0, 0, 1)
            entries.append(bounds)
            shape.append(len(range(*bounds)))
        elif isinstance(part, (int, np.integer)) and not isinstance(part, bool):
            if not -n <= part < n:
                raise DeclarationError(f"index {part} is out of range for an axis of length {n}")
            entries.append(int(part) % n)
        else:
            raise DeclarationError(f"an index must be integers and slices, got {part!r}")
    whole = all(e == (0, n, 1) for e, n in zip(entries, x.shape, strict=True))
    taken = x if whole else take_slice(x, index=tuple(entries))
    return np_reshape(taken, tuple(shape))
