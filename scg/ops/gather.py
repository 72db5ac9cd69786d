"""Choosing event elements by integers: rows, elements along an axis, the adjoints, one-hot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.common.arguments import array_of
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops.attributes import axis, is_integer, over, positive
from scg.ops.base import integer, plates_left
from scg.ops.elementwise import JUMPS, UNIT


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


def _rank_of_rows(value: Any, x: Expr, k: Expr, **attrs: Any) -> str | None:
    if x.ndim == 0:
        return "an argument with an axis to index"
    return None if is_integer(value) and value == x.ndim else f"{x.ndim}"


def _rank_of_index(value: Any, x: Expr, k: Expr, **attrs: Any) -> str | None:
    return None if is_integer(value) and value == k.ndim else f"{k.ndim}"


def _rank_of_source(value: Any, g: Expr, k: Expr, **attrs: Any) -> str | None:
    holds = is_integer(value) and value == g.ndim - k.ndim + 1 and g.shape[: k.ndim] == k.shape
    return None if holds else "the rank of what was indexed"


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
    attributes={"rank": _rank_of_rows, "index_rank": _rank_of_index},
    positions=1,
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
    plates=plates_left,
    linear=(0,),
    attributes={
        "length": positive,
        "index_rank": _rank_of_index,
        "rank": _rank_of_source,
        "over": over,
    },
    positions=1,
)


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
    rows, columns = math.prod(k.shape[:-1]), k.shape[-1]
    place = k.reshape(rows, columns) % length + length * np.arange(rows)[:, None]
    out = np.bincount(place.ravel(), g.reshape(-1), rows * length)
    return np.moveaxis(out.reshape(*k.shape[:-1], length), -1, axis).astype(g.dtype)


def _taken(x: tuple[int, ...], k: tuple[int, ...], axis: int) -> tuple[int, ...]:
    if len(x) != len(k) or any(
        a != b for i, (a, b) in enumerate(zip(x, k, strict=True), -len(x)) if i != axis
    ):
        raise ValueError(f"an index of shape {k} does not fit an event of shape {x}")
    return k


def _axis_of_source(value: Any, g: Expr, k: Expr, **attrs: Any) -> str | None:
    return axis(value, g) or (None if g.shape == k.shape else f"an index of shape {g.shape}")


take_along = Op(
    "take_along_axis",
    _take,
    _taken,
    (lambda g, y, x, k, axis: scatter_along(g, k, axis=axis, length=x.shape[axis]), None),
    kind="same",
    linear=(0,),
    attributes={"axis": axis},
    positions=1,
)
scatter_along = Op(
    "scatter_along_axis",
    _add_along,
    lambda g, k, axis, length: tuple(length if i == axis else n for i, n in enumerate(g, -len(g))),
    (lambda g, y, x, k, axis, length: take_along(g, k, axis=axis), None),
    linear=(0,),
    attributes={"axis": _axis_of_source, "length": positive},
    positions=1,
)


# --- one-hot ----------------------------------------------------------------------------------
_one_hot = Op(
    "one_hot",
    lambda k, depth: (k[..., None] == np.arange(depth)) * 1.0,
    lambda k, depth: (*k, depth),
    (None,),
    **JUMPS,
    attributes={"depth": positive},
    positions=0,
    range=UNIT,
)


def one_hot(k: Any, depth: int) -> Any:
    """Vector of `depth` entries: one at position `k`, zero elsewhere."""
    if isinstance(k, Expr) and k.kind != "int":
        raise DeclarationError(f"scg.one_hot: expected an integer node, got {k!r} ({k.kind})")
    depth = integer(depth, "scg.one_hot: depth", 1)
    known = k.value if isinstance(k, Expr) else array_of("scg.one_hot: k", k, DeclarationError)
    if known is not None and not (
        known.dtype.kind in "iu" and np.all((known >= 0) & (known < depth))
    ):
        raise DeclarationError(
            f"scg.one_hot(k, depth={depth}): k must be integers from 0 to {depth - 1}, got {k!r}"
        )
    return _one_hot(k, depth=depth)
