"""Indices in brackets, as NumPy has them: integers, slices and new axes; or integer arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.common.arguments import array_of
from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr, describe
from scg.ir.op import constant
from scg.ops.gather import gather, take_along
from scg.ops.reductions import expand
from scg.ops.shape import np_reshape, reshape, take_slice


@implements("getitem")
def getitem(x: Expr, index: Any) -> Expr:
    """Index event axes with integers, slices, None, Ellipsis, or the first with integer arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, (Expr, list, np.ndarray)) for part in parts):
        return _chosen(x, parts)
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise DeclarationError(f"{x!r} has {x.ndim} event axes, but the index has {used}")
    full = (slice(None),) * (x.ndim - used)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    lengths, entries, shape = iter(x.shape), [], []
    for entry in parts[:at] + full + parts[at + 1 :]:
        if entry is None:
            shape.append(1)
            continue
        n = next(lengths)
        if isinstance(entry, slice):
            try:
                bounds = entry.indices(n)
            except (TypeError, ValueError) as error:
                raise DeclarationError(
                    f"a slice of {describe(x)} is of integers, got {entry}: {error}. For places "
                    "that nodes determine write np.take(x, node, axis)"
                ) from None
            entries.append(bounds if range(*bounds) else (0, 0, 1))
            shape.append(len(range(*bounds)))
        elif isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
            if not -n <= entry < n:
                raise DeclarationError(
                    f"index {entry} is out of range for an axis of length {n} of {describe(x)}"
                )
            entries.append(int(entry) % n)
        else:
            raise DeclarationError(f"an index must be integers and slices, got {entry!r}")
    whole = all(e == (0, n, 1) for e, n in zip(entries, x.shape, strict=True))
    taken = x if whole else take_slice(x, index=tuple(entries))
    return np_reshape(taken, tuple(shape))


def _chosen(x: Expr, parts: tuple[Any, ...]) -> Expr:
    """Elements whose places on the first event axes the parts give, which broadcast."""
    if any(part is None or part is Ellipsis or isinstance(part, slice) for part in parts):
        raise DeclarationError(
            f"an index array of {describe(x)} stands beside integers and arrays alone: x[k] takes "
            "rows of axis 0, x[i, j] elements of axes 0 and 1. Write np.take(x, k, axis) for "
            "another axis, np.take_along_axis for one element of each row"
        )
    if len(parts) > x.ndim:
        raise DeclarationError(f"{x!r} has {x.ndim} event axes, but the index has {len(parts)}")
    indices = [_places(x, axis, part) for axis, part in enumerate(parts)]
    try:
        shape = np.broadcast_shapes(*(k.shape for k in indices))
    except ValueError:
        shapes = ", ".join(str(k.shape) for k in indices)
        raise DeclarationError(f"indices of {describe(x)} do not broadcast: {shapes}") from None
    first, *others = (expand(k, k.plates, shape) for k in indices)
    out = gather(x, first, rank=x.ndim, index_rank=len(shape))
    for k in others:
        rest = out.shape[len(shape) + 1 :]
        place = reshape(k, shape=(*shape, *(1 for _ in out.shape[len(shape) :])))
        place = expand(place, k.plates, (*shape, 1, *rest))
        out = reshape(take_along(out, place, axis=-1 - len(rest)), shape=shape + rest)
    return out


def _places(x: Expr, axis: int, k: Any) -> Expr:
    """Integers on an event axis, in its bounds if they are known."""
    if not isinstance(k, Expr):
        array = array_of("an index", k, DeclarationError)
        k = constant(x.graph, array if array.size else array.astype(int))
    if k.kind != "int":
        raise DeclarationError(
            f"an index must be integers, got {k!r} ({k.kind})"
            + (". Write np.where(condition, x, 0.0)" if k.kind == "bool" else "")
        )
    n = x.shape[axis]
    if k.value is not None and not np.all((k.value >= -n) & (k.value < n)):
        raise DeclarationError(f"an index of {x!r} is out of range: {k.value.tolist()}")
    return k
