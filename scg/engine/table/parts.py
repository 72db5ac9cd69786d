"""Cut large rows of a table into parts, which several threads share.

A loop is cut along its outermost axis, at points that depend only on its size. A reduction over
that axis is computed in each part and then joined over the parts in order, so that no bit of a
result depends on the number of threads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.layout import Word, kernel
from scg.engine.codegen.nests import Axis, moves
from scg.engine.interpreter import full
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.reductions import REDUCTIONS
from scg.schedule.entries import Axes, Item, Loop
from scg.schedule.sources import type_of

_sum = REDUCTIONS[0]

#: Least operations of a loop that is cut, and of a part: six and three microseconds.
LARGE, LEAST = 1 << 17, 1 << 16
#: Most parts of a loop.
MOST = 16
#: Rows that a part adds to a sum in single precision, and most parts of such a sum: the table has a
#: row for each part.
ADDED, SUMS = 128, 1024
#: Wider types that totals are kept in.
WIDE = {"f4": "f8"}


class At(NamedTuple):
    """An address: bytes from the beginning of an array or, without one, of the frame."""

    base: Expr | None
    offset: int

    def moved(self, by: int) -> At:
        """The address some bytes further."""
        return At(self.base, self.offset + by)


class Call(NamedTuple):
    """A row of the table: a function, and its words, which a layout may name."""

    function: int
    words: Sequence[int | At]


class Join(NamedTuple):
    """Words of the kernel that joins the sums or maxima of parts."""

    count: int  # elements of the result
    out: At
    first: At  # the first part
    length: int  # bytes of a part
    parts: int
    row: At  # of elements as wide as totals are kept


class Cut(NamedTuple):
    """Rows that may run at once, the operations that they share, and rows that join them."""

    rows: list[Call]
    work: int = 0
    joins: Sequence[Call] = ()


def ends(length: int, operations: int, least: int = 1) -> list[int] | None:
    """Ends of the parts of an outermost axis, given the loop's operations; None for one part.

    A loop has at least `least` parts, however few its operations.
    """
    parts = min(length, operations // LEAST, MOST) if operations >= LARGE else 1
    parts = max(parts, least)
    return None if parts < 2 else [i * length // parts for i in range(parts + 1)]


def loop_parts(
    call: Call,
    loop: Loop,
    words: Sequence[Word],
    stride: Callable[[Axes, Axis], int],
    sizes: Mapping[Plate, int],
    real: np.dtype,
    room: Callable[[int], int],
) -> Cut:
    """The row of a loop nest in parts, with rows that join its reductions.

    `words` describe the row's words, `stride` gives an operand's step along an axis in elements,
    and `room` a place in the frame for some bytes.
    """
    nest: list[tuple[Axis, Any]] = [
        (word.along[-1], value)
        for word, value in zip(words, call.words, strict=True)
        if word.kind == "size"
    ]
    rows = [item for item in loop.items if item.kind == "row"]
    if not nest or not all(_apart(item, nest, stride, sizes) for item in rows):
        return Cut([call])  # parts might write to the same elements
    reduced = {item.to.base: item for item in loop.stored if item.kind == "reduce"}
    filled = {item.to.base: item.to for item in (*reduced.values(), *rows)}
    lengths = [length for _, length in nest]
    added = reduced and not rows
    level = _added(nest, [item.to for item in reduced.values()]) if added else 0
    axis, length = nest[level]
    # Sums of rows are rounded at each of them: few are added, and the parts in double precision.
    adds = any(item.expr.op is _sum and not moves(item.to, axis) for item in reduced.values())
    is_rounded = adds and len(nest) > 1 and real.str[1:] in WIDE
    operations = math.prod(lengths) * len(loop.items)
    for item in rows:
        along = [axes.base for axes in (item.to, *item.args) if moves(axes, axis)]
        operations += max(math.prod(full(base, sizes)) for base in along)
    at = ends(length, operations, min(-(-length // ADDED), SUMS) if is_rounded else 1)
    if at is None:
        return Cut([call])
    apart: dict[Expr, list[int]] = {}
    parts: list[list[Any]] = [list(call.words) for _ in at[1:]]
    for part, (start, end) in zip(parts, pairwise(at), strict=True):
        part[level] = end - start
    for k, (word, value) in enumerate(zip(words, call.words, strict=True)):
        if word.axes is None:
            continue
        base = word.axes.base
        axes = filled.get(base, word.axes)
        step = stride(axes, axis) if moves(axes, axis) else 0
        if isinstance(value, At) and step:
            item = type_of(base, real).itemsize
            for part, start in zip(parts, at, strict=False):
                part[k] = value.moved(start * step * item)
        elif isinstance(value, At) and base in reduced:
            apart.setdefault(base, []).append(k)
        elif word.kind == "count" and step:
            for part in parts:
                part[k] = part[level] * step
    joins = []
    for base, positions in apart.items():
        count, dtype = math.prod(full(base, sizes)), type_of(base, real)
        length = count * dtype.itemsize
        first = At(None, room(length * len(parts)))
        for i, part in enumerate(parts):
            for k in positions:
                part[k] = first.moved(i * length)
        function = native.address(join_source(dtype.str[1:], reduced[base].expr.op is _sum))
        row = At(None, room(8 * count))
        joins.append(Call(function, Join(count, At(base, 0), first, length, len(parts), row)))
    work = operations if operations >= LARGE else 0
    return Cut([Call(call.function, part) for part in parts], work, joins)


def _added(nest: list[tuple[Axis, int]], to: list[Axes]) -> int:
    """The longest loop but the innermost whose steps all add to the same results, or the first.

    Few steps are not worth an array for each part.
    """
    inner = [n if not any(moves(one, axis) for one in to) else 0 for axis, n in nest[:-1]]
    longest = max(inner, default=0)
    return inner.index(longest) if longest > ADDED else 0


def _apart(
    item: Item,
    nest: list[tuple[Axis, int]],
    stride: Callable[[Axes, Axis], int],
    sizes: Mapping[Plate, int],
) -> bool:
    """Whether steps along the outermost axis divide the result of a row function among them."""
    (axis, length), *inner = nest
    if not moves(item.to, axis):
        return False
    step = stride(item.to, axis)
    reach = sum((n - 1) * stride(item.to, a) for a, n in inner if moves(item.to, a))
    return reach < step and step * length == math.prod(full(item.to.base, sizes))


def joins_of(loop: Loop, real: np.dtype) -> set[str]:
    """Kernels that may join parts of a loop nest."""
    reduced = [item.expr for item in loop.stored if item.kind == "reduce"]
    return {join_source(type_of(expr, real).str[1:], expr.op is _sum) for expr in reduced}


@functools.cache
def join_source(code: str, is_sum: bool) -> str:
    """Kernel that joins the sums or maxima of parts."""
    wide = WIDE.get(code, code)
    joined = "x + y" if is_sum else "(y if (y > x or y != y) else x)"
    text = f"""    count, part, row = table.count, table.first, table.row
    for j in range(count):
        store_{wide}(row, j, {wide}(load_{code}(part, j, 1, 1)), 0, 1)
    for i in range(u8(1), table.parts):
        part = part + table.length
        for j in range(count):
            x, y = load_{wide}(row, j, 0, 1), {wide}(load_{code}(part, j, 1, 1))
            store_{wide}(row, j, {joined}, 0, 1)
    for j in range(count):
        store_{code}(table.out, j, {code}(load_{wide}(row, j, 1, 1)), 0, 1)
"""
    return kernel(Join, text)
