"""The table of a schedule for given plate sizes, and the frames of memory that it works in."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.kernels import Word
from scg.engine.codegen.nests import Axis
from scg.engine.interpreter import Sizes, full
from scg.engine.noise import keys, streams
from scg.engine.table import prefetch, products
from scg.engine.table.buffers import ALIGNMENT, aligned, bytes_of, place
from scg.engine.table.parts import At, Call, Cut, loop_parts
from scg.engine.walk.ports import Ports
from scg.engine.walk.team import Stage, walk
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.schedule.entries import Axes, Fallback, Loop, Uses
from scg.schedule.products import elements_of
from scg.schedule.sources import type_of
from scg.schedule.stack import groups

#: Runs stages of the table, or names an op that Python computes.
Caller = Callable[[], int] | Fallback


class Frame(NamedTuple):
    """What one running call owns: memory, and a table whose addresses point into it."""

    arena: np.ndarray  # the arrays that do not leave the call
    words: np.ndarray  # of all rows
    code: np.ndarray  # function and address of the words of each row
    drawing: list[Caller]  # how to run the table
    reading: list[Caller]  # the same without the rows that fill noise leaves
    seed: memoryview  # the word of the seed, and whether it is a hash
    first_run: np.ndarray
    noise_at: np.ndarray  # addresses of the noise leaves
    owned: list[Any]  # all memory that a walk looks at


class Table:
    """The rows of a schedule for given plate sizes.

    Parameters
    ----------
    steps : list of (entry, address of its kernel or None, words of its kernel)
        What runs, in order; None marks an op that Python computes.
    order : list of Uses
        The uses of each step, and last those of the caller.
    noise : mapping
        The kernel that fills each noise leaf.
    leaf_keys : ndarray
        See :func:`scg.engine.noise.keys.leaf_keys`.
    threads : int
        Threads that matrix products are cut for.
    """

    def __init__(
        self,
        steps: list[tuple[Any, int | None, tuple[Word, ...]]],
        order: list[Uses],
        ports: Ports,
        noise: Mapping[Expr, int],
        leaf_keys: np.ndarray,
        sizes: Sizes,
        real: np.dtype,
        threads: int,
    ):
        self.sizes, self.real, self.ports = sizes, real, ports
        self._steps, self._leaf_keys = steps, leaf_keys
        drawn = streams.first_readers(order, noise)
        order = [
            Uses(use.read, (*leaves, *use.written))
            for use, leaves in zip(order, drawn, strict=True)
        ]
        bases = dict.fromkeys(b for use in order for b in (*use.read, *use.written))
        lengths = {base: bytes_of(base, sizes, real) for base in bases}
        together = groups([entry for entry, _, _ in steps])
        outside = ports.slots.keys() - noise.keys()
        self.offsets, self._bytes = place(order, outside, lengths, together)
        self._rows: list[Call] = []
        self.stages: list[Stage] = []
        self._begin(noise)
        ahead = prefetch.foresee(order, lengths, self.offsets)
        for number, (entry, function, words) in enumerate(steps):
            for base in ahead.get(number, ()):
                self._add(Cut([prefetch.row(base, lengths[base])]), None)
            for leaf in drawn[number]:
                self._draw(leaf, noise[leaf])
            if function is None:
                self._add(Cut([]), number)
            elif isinstance(entry, Loop):
                call = self._loop(function, words, entry)
                stride, room = self._stride, self._room
                self._add(loop_parts(call, entry, words, stride, sizes, real, room), number)
            else:
                for call in products.calls(entry, function, sizes, real):
                    self._add(products.product_parts(call, threads, real.itemsize), number)
        for leaf in drawn[-1]:
            self._draw(leaf, noise[leaf])
        self._flatten()
        self.frames: list[Frame] = []

    # --- rows -----------------------------------------------------------------------------------
    def _add(self, cut: Cut, number: int | None, draws: bool = False) -> None:
        """Append the rows of a step, or of its parts, as stages."""
        stages = [(cut.rows, cut.work), *([(cut.joins, 0)] if cut.joins else ())]
        for rows, work in stages:
            first = len(self._rows)
            self._rows += rows
            self.stages.append(Stage(range(first, len(self._rows)), work, number, draws))

    def _room(self, length: int) -> int:
        start = self._bytes
        self._bytes += aligned(length)
        return start

    def _begin(self, noise: Collection[Expr]) -> None:
        """Begin with the keys of noise leaves; a leaf that is never read has no array."""
        self._noise_slots = [self.ports.slots[leaf] for leaf in noise]
        self._shapes = [full(leaf, self.sizes) for leaf in noise]
        self._noise_at = [self.offsets.get(leaf, 0) for leaf in noise]
        self._seed, self._keys, self._first = map(self._room, (16, 8 * len(noise), 8))
        self._key_of = {leaf: self._keys + 8 * i for i, leaf in enumerate(noise)}
        if noise:
            leaves = self._leaf_keys.ctypes.data
            words = keys.Keys(At(None, self._seed), leaves, At(None, self._keys), len(noise))
            self._add(Cut([Call(native.address(keys.SOURCE), words)]), None, draws=True)

    def _draw(self, leaf: Expr, function: int) -> None:
        item, shape = self.real.itemsize, full(leaf, self.sizes)
        over_runs = bool(leaf.plates) and leaf.plates[0].rank == 0
        runs, *shape = shape if over_runs else (1, *shape)
        each = math.prod(shape)
        key, first, out = (
            At(None, at) for at in (self._key_of[leaf], self._first, self.offsets[leaf])
        )
        words = streams.Fill(key, first, 0, runs, each, out, each * item, 0)
        self._add(streams.fill_parts(function, words, item), None, draws=True)

    def _stride(self, axes: Axes, axis: Axis) -> int:
        if not isinstance(axis, Plate):
            return axes.strides[axis]
        plates = axes.plates
        later = plates[plates.index(axis) + 1 :]
        return axes.base.size * math.prod(elements_of(p, self.sizes, ()) for p in later)

    def _loop(self, function: int, words: tuple[Word, ...], loop: Loop) -> Call:
        values: list[int | At] = []
        for word in words:
            value: Any = word.value
            if word.kind == "size":
                lengths = (elements_of(a, self.sizes, loop.space.lengths) for a in word.along)
                value = math.prod(lengths)
            elif word.axes is not None:
                itemsize = type_of(word.axes.base, self.real).itemsize
                if word.kind == "address":
                    value = At(word.axes.base, word.axes.offset * itemsize)
                elif word.kind == "count":
                    value = math.prod(full(word.axes.base, self.sizes))
                else:
                    value = self._stride(word.axes, word.along[-1])
                    value *= itemsize if word.kind == "step" else 1
            values.append(value)
        return Call(function, values)

    # --- tables ---------------------------------------------------------------------------------
    def _flatten(self) -> None:
        rows = self._rows
        self._starts = np.cumsum([0, *(len(row.words) for row in rows)])
        values, inner, outer = [], [], []
        for position, word in enumerate(word for row in rows for word in row.words):
            if not isinstance(word, At):
                values.append(word)
                continue
            values.append(0)
            base, offset = word
            if base is not None and base in self.ports.slots:
                outer.append((position, self.ports.slots[base], offset))
            else:
                inner.append((position, offset if base is None else self.offsets[base] + offset))
        self._words = np.array(values, np.int64)
        self._inner = np.array(inner, np.int64).reshape(-1, 2)
        self._outer = tuple(np.array(outer, np.int64).reshape(-1, 3).T.copy())

    def frame(self) -> Frame:
        """A frame that no other call uses."""
        try:
            return self.frames.pop()
        except IndexError:
            pass
        memory = np.empty(self._bytes + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        arena = memory[start : start + self._bytes]
        at = arena.ctypes.data
        words = self._words.copy()
        words[self._inner[:, 0]] = self._inner[:, 1] + at
        code = np.empty((len(self._rows), 2), np.int64)
        code[:, 0] = [row.function for row in self._rows]
        code[:, 1] = words.ctypes.data + 8 * self._starts[:-1]
        owned = [arena, words, code, self._leaf_keys]
        drawing = self._walks(self.stages, code, owned)
        reading = self._walks([s for s in self.stages if not s.draws], code, owned)
        seed = arena[self._seed : self._seed + 16].data.cast("Q")
        first_run = arena[self._first : self._first + 8].view(np.int64)
        first_run[...] = 0
        noise_at = at + np.array(self._noise_at, np.int64)
        return Frame(arena, words, code, drawing, reading, seed, first_run, noise_at, owned)

    def _walks(self, stages: list[Stage], code: np.ndarray, owned: list[Any]) -> list[Caller]:
        """Functions that run the stages, and the ops between them that Python computes."""
        walks: list[Caller] = []
        waiting: list[Stage] = []
        for stage in stages:
            entry = None if stage.number is None else self._steps[stage.number][0]
            if not isinstance(entry, Fallback):
                waiting.append(stage)
                continue
            walks += [walk(code, waiting, owned), entry]
            waiting = []
        return [*walks, walk(code, waiting, owned)] if waiting else walks

    def singly(self, frame: Frame) -> tuple[list[tuple[int, int, Caller]], Any]:
        """Steps, their numbers of rows, and functions that run them alone; and their memory."""
        owned: list[Any] = []
        single = [
            (stage.number, len(stage.rows) or 1, self._walks([stage], frame.code, owned)[-1])
            for stage in self.stages
            if stage.number is not None
        ]
        return single, owned

    def noise_arrays(self, frame: Frame) -> list[tuple[int, np.ndarray]]:
        """Slots and arrays of the noise that a frame holds."""
        return [
            (slot, np.ndarray(shape, self.real, frame.arena, at))
            for slot, shape, at in zip(self._noise_slots, self._shapes, self._noise_at, strict=True)
        ]

    def connect(self, frame: Frame, addresses: np.ndarray) -> None:
        """Write the addresses of outside arrays, given by slot, to a frame's table."""
        where, slots, offsets = self._outer
        frame.words[where] = addresses[slots] + offsets

    def array(self, frame: Frame, base: Expr) -> np.ndarray:
        """Array of an expression in the arena."""
        shape, dtype = full(base, self.sizes), type_of(base, self.real)
        return np.ndarray(shape, dtype, frame.arena, self.offsets[base])
