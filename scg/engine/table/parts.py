"""Large rows of a table in parts, which a few threads take one after the other.

A loop is cut along its outermost axis at points that depend on its size alone, and what is reduced
over that axis is reduced in each part and then over the parts, in order: the number of threads
changes no bit of a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.kernels import Word
from scg.engine.codegen.nests import Axis, moves
from scg.engine.interpreter import full
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.schedule.fuse import Axes, Loop
from scg.schedule.schedule import type_of

#: Operations of a loop that is cut, and of a part at least: six and three microseconds.
LARGE, LEAST = 1 << 17, 1 << 16
#: Parts of a loop at most.
MOST = 16
#: Types that totals of another are kept in.
WIDE = {"f4": "f8"}


#: An operand's position, the array that it points into, and bytes from there; without an array they
#: count from the beginning of the frame.
Address = tuple[int, Expr | None, int]


class Call(NamedTuple):
    """A row of the table: a function, its operands, and which of those are addresses."""

    function: int
    words: list[int]
    addresses: list[Address]


class Cut(NamedTuple):
    """Rows that may run at once, the operations that they share, and the rows that join them.

    A row that is too small to be cut is alone, and shares none.
    """

    rows: list[Call]
    work: int = 0
    joins: Sequence[Call] = ()


def ends(length: int, operations: int) -> np.ndarray | None:
    """Return where the parts of an axis begin and end, or None where one is enough.

    Parameters
    ----------
    length : int
        Of the outermost axis.
    operations : int
        Of the whole loop.
    """
    parts = min(length, operations // LEAST, MOST)
    if operations < LARGE or parts < 2:
        return None
    return np.arange(parts + 1) * length // parts


def part(call: Call, shift: Sequence[int], apart: Mapping[int, int] | None = None) -> Call:
    """Return a part of a row.

    Parameters
    ----------
    call : Call
        The row.
    shift : sequence of int
        What is added to each of its words.
    apart : mapping, optional
        Positions of addresses that point elsewhere, to bytes from the beginning of the frame.
    """
    apart = apart or {}
    addresses = [
        (k, None, apart[k]) if k in apart else (k, base, offset + shift[k])
        for k, base, offset in call.addresses
    ]
    return Call(call.function, [w + s for w, s in zip(call.words, shift, strict=True)], addresses)


def loop_parts(
    call: Call,
    loop: Loop,
    words: Sequence[Word],
    stride: Callable[[Axes, Axis], int],
    sizes: Mapping[Plate, int],
    real: np.dtype,
    room: Callable[[int], int],
) -> Cut:
    """Return a loop nest in parts, with rows that join what they reduce.

    Parameters
    ----------
    call : Call
        Its row of the table.
    words : sequence
        What the operands are.
    stride : callable
        The step of an operand along an axis, in elements.
    sizes : mapping
        Elements of each plate.
    real : numpy dtype
        The type of floats.
    room : callable
        Gives bytes in the frame a place.
    """
    if not words or words[0].kind != "size" or any(item.kind == "row" for item in loop.items):
        return Cut([call])
    axis, values = words[0].along[-1], call.words
    lengths = [v for word, v in zip(words, values, strict=True) if word.kind == "size"]
    operations = math.prod(lengths) * len(loop.items)
    at = ends(lengths[0], operations)
    if at is None:
        return Cut([call])
    shift = np.zeros((len(at) - 1, len(words)), np.int64)
    shift[:, 0] = np.diff(at) - lengths[0]
    reduced = {item.to.base: item for item in loop.stored if item.kind == "reduce"}
    apart: dict[Expr, list[int]] = {}
    for k, word in enumerate(words):
        if word.axes is None:
            continue
        base = word.axes.base
        axes = reduced[base].to if base in reduced else word.axes
        step = stride(axes, axis) if moves(axes, axis) else 0
        if word.kind == "address" and step:
            shift[:, k] = at[:-1] * step * type_of(base, real).itemsize
        elif word.kind == "address" and base in reduced:
            apart.setdefault(base, []).append(k)
        elif word.kind == "count" and step:
            shift[:, k] = np.diff(at) * step - values[k]
    place: dict[int, int] = {}
    steps: dict[int, int] = {}
    joins = []
    for base, positions in apart.items():
        count, dtype = math.prod(full(base, sizes)), type_of(base, real)
        length = count * dtype.itemsize
        start = room(length * len(shift))
        place |= dict.fromkeys(positions, start)
        steps |= dict.fromkeys(positions, length)
        function = native.address(join_source(dtype.str[1:], reduced[base].expr.op.name))
        addresses: list[Address] = [(1, base, 0), (2, None, start), (5, None, room(8 * count))]
        joins.append(Call(function, [count, 0, 0, length, len(shift), 0], addresses))
    parts = [
        part(call, row, {k: start + i * steps[k] for k, start in place.items()})
        for i, row in enumerate(shift.tolist())
    ]
    return Cut(parts, operations, joins)


def joins_of(loop: Loop, real: np.dtype) -> set[str]:
    """Return the kernels that may have to join parts of a loop nest."""
    reduced = [item.expr for item in loop.stored if item.kind == "reduce"]
    return {join_source(type_of(expr, real).str[1:], expr.op.name) for expr in reduced}


def join_source(code: str, op: str) -> str:
    """Return the kernel that joins the sums or maxima of parts.

    Its words: elements, address of the result, address of the first part, bytes of a part, parts,
    address of a row that is as wide as totals are kept.
    """
    wide = WIDE.get(code, code)
    joined = "x + y" if op == "sum" else "(y if (y > x or y != y) else x)"
    return f"""def kernel(table):
    count, part, row = word(table, 0), word(table, 2), word(table, 5)
    for j in range(count):
        store_{wide}(row, j, {wide}(load_{code}(part, j, 1, 1)), 0, 1)
    for i in range(u8(1), word(table, 4)):
        part = part + word(table, 3)
        for j in range(count):
            x, y = load_{wide}(row, j, 0, 1), {wide}(load_{code}(part, j, 1, 1))
            store_{wide}(row, j, {joined}, 0, 1)
    for j in range(count):
        store_{code}(word(table, 1), j, {code}(load_{wide}(row, j, 1, 1)), 0, 1)
"""
