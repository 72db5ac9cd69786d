"""Rows of loops: a table of the body, walked once a step by a row of the outer table.

Between two steps, cursors move the addresses that the body's table holds: along a stack by the
bytes of a slice; and from one buffer of a carry to the other and back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.layout import kernel
from scg.engine.interpreter import full, sized
from scg.engine.table.buffers import bytes_of
from scg.engine.table.parts import At, Call
from scg.engine.walk.team import SERIAL
from scg.ir.expr import Expr
from scg.ir.op import SIZED
from scg.ir.plate import Plate
from scg.schedule.entries import Repeat, Uses
from scg.schedule.sources import type_of
from scg.schedule.steps import Steps


class Cursor(NamedTuple):
    """An address in the first step and in the second; the sign of the next move, given a move."""

    first: At
    second: At
    turn: int = 1

    @classmethod
    def at(cls, base: Expr) -> Cursor:
        """The address of an array that all steps read."""
        place = At(base, 0)
        return cls(place, place)


class Turns(NamedTuple):
    """Words of the kernel that walks the table of a body; its cursors follow.

    The words of a cursor are a position in the table, the two addresses, the turn and the move.
    """

    steps: int
    cursors: int
    moving: int  # the first so many of them
    serial: int  # the kernel that walks rows
    walk: int  # address of `Rows`
    words: int  # address of the table's words


_WORDS = 5
TURNS = kernel(
    Turns,
    f"""    words, cursors = table.words, table + u8({8 * len(Turns._fields)})
    for k in range(table.cursors):
        at = cursors + k * u8({8 * _WORDS})
        put_i8(words, word(at, 0), i8(word(at, 1)))
        put_i8(at, u8(4), i8(word(at, 2) - word(at, 1)))
    for t in range(table.steps):
        if call(table.serial, table.walk):
            raise IndexError("an index is out of bounds")
        for k in range(table.moving):
            at = cursors + k * u8({8 * _WORDS})
            put_i8(words, word(at, 0), i8(word(words + u8(8) * word(at, 0), 0) + word(at, 4)))
            put_i8(at, u8(4), i8(word(at, 4) * word(at, 3)))
""",
)


class Move(NamedTuple):
    """Words of the kernel that copies pieces of an array."""

    pieces: int
    length: int  # bytes of a piece
    to: At
    to_step: int  # bytes from piece to piece
    source: At
    step: int


MOVE = kernel(
    Move,
    """    to, source = table.to, table.source
    for _ in range(table.pieces):
        copy_bytes(to, source, table.length)
        to, source = to + table.to_step, source + table.step
""",
)


class Slice(NamedTuple):
    """An entry that copies a slice out of a stack, or into it."""

    part: Expr  # the array of the slice
    stack: Expr
    axis: int  # of the steps, in the stack
    inward: bool  # whether the slice is what is written

    @property
    def uses(self) -> Uses:
        """The arrays that it reads and writes."""
        ends = (self.stack,), (self.part,)
        return Uses(*(ends if self.inward else ends[::-1]))


def slices(entry: Repeat) -> tuple[list[Slice], list[Slice]]:
    """Copies before and after the entries of a step, of slices that are in several pieces."""
    steps, inner = entry.steps, entry.schedule.outputs
    inward = [Slice(x, entry.operands[x], steps.axis(arg), True) for x, arg in steps.sliced.items()]
    outward = [
        Slice(inner["output", k], steps.results[k], axis, False)
        for k, axis in steps.stacked.items()
    ]
    return [s for s in inward if s.axis], [s for s in outward if s.axis]


def fixed_arrays(schedule: Any, sizes: Mapping[Plate, int]) -> dict[Expr, np.ndarray]:
    """Arrays of a body's constants and of what the sizes of plates determine."""
    found = {
        expr: schedule.constants[slot]
        for expr, slot in schedule.slots.items()
        if slot in schedule.constants
    }
    for leaf in schedule.leaves:
        if leaf.op in SIZED:
            found[leaf] = sized(leaf, sizes, schedule.dtype)
    return found


class Places:
    """Where the body of a loop finds its arrays, for given plate sizes.

    `room` gives a place in the frame for some bytes. Attributes: the cursors by array, and moves
    that come before the loop.
    """

    def __init__(self, entry: Repeat, sizes: Mapping[Plate, int], real: np.dtype, room: Any):
        self.sizes, self.real = sizes, real
        self.steps: Steps = entry.steps
        self.length = self.steps.length(sizes)
        self.cursors: dict[Expr, Cursor] = {}
        self.before: list[Call] = []
        inner = entry.schedule.outputs
        for x in self.steps.constants:
            self.cursors[x] = Cursor.at(entry.operands[x])
        for x, arg in self.steps.sliced.items():
            self._along(x, entry.operands[x], self.steps.axis(arg))
        for k, axis in self.steps.stacked.items():
            self._along(inner["output", k], self.steps.results[k], axis)
        last = {i: self.steps.results[k] for k, i in self.steps.last.items()}
        for i in self.steps.carried:
            x = self.steps.body.carry[i]
            size = bytes_of(x, sizes, real)
            end = At(last[i], 0) if i in last else At(None, room(size))
            other = At(None, room(size))
            first, second = (other, end) if self.length % 2 else (end, other)
            self.cursors[x] = Cursor(first, second, -1)
            self.cursors[inner["carry", i]] = Cursor(second, first, -1)
            begin = Move(1, size, first, 0, At(entry.operands[x], 0), 0)
            self.before.append(Call(native.address(MOVE), begin))

    def _along(self, part: Expr, stack: Expr, axis: int) -> None:
        """Move along a stack: the address of its slice or, if that is copied, of the stack."""
        move = self._pieces(stack, axis)[1]
        first = At(stack, move * (self.length - 1) if self.steps.reverse else 0)
        second = first.moved(-move if self.steps.reverse else move)
        self.cursors[stack if axis else part] = Cursor(first, second)

    def _pieces(self, stack: Expr, axis: int) -> tuple[int, int]:
        """Number of pieces of a slice, and their bytes."""
        shape = full(stack, self.sizes)
        item = type_of(stack, self.real).itemsize
        return math.prod(shape[:axis]), math.prod(shape[axis + 1 :]) * item

    def copied(self, entry: Slice) -> Call:
        """Row of a copy."""
        pieces, length = self._pieces(entry.stack, entry.axis)
        part, stack = (At(entry.part, 0), length), (At(entry.stack, 0), length * self.length)
        ends = (*part, *stack) if entry.inward else (*stack, *part)
        return Call(native.address(MOVE), Move(pieces, length, *ends))


def turns(places: Places, outside: list[tuple[int, Expr, int]]) -> Call:
    """Row that walks a body's table, given its words that are addresses outside of the body.

    The addresses of the table itself are written when a frame is made.
    """
    moving, still = [], []
    for position, base, offset in outside:
        first, second, turn = places.cursors[base]
        group = still if first is second else moving
        group.append([position, first.moved(offset), second.moved(offset), turn, 0])
    count = len(moving) + len(still)
    head = Turns(places.length, count, len(moving), native.address(SERIAL), 0, 0)
    words = [word for cursor in (*moving, *still) for word in cursor]
    return Call(native.address(TURNS), [*head, *words])
