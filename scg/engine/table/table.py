"""The table of a schedule for given plate sizes, and the frames of memory that it works in."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.layout import Word, positions
from scg.engine.codegen.nests import Axis
from scg.engine.interpreter import Sizes, full
from scg.engine.noise import keys, streams
from scg.engine.table import prefetch, products
from scg.engine.table.buffers import ALIGNMENT, address, aligned, bytes_of, place
from scg.engine.table.frame import Caller, Compiled, Frame
from scg.engine.table.parts import At, Call, Cut, loop_parts
from scg.engine.table.repeat import Places, Turns, fixed_arrays, slices, turns
from scg.engine.walk.team import Rows, Stage, walk
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.schedule.entries import Axes, Fallback, Loop, Repeat, Uses
from scg.schedule.products import elements_of
from scg.schedule.sources import type_of
from scg.schedule.stack import groups


class Nested(NamedTuple):
    """The table of a body, and the number of the row that walks it."""

    row: int
    table: Table


class Table:
    """The rows of a schedule for given plate sizes.

    Parameters
    ----------
    steps : list of Compiled
        What runs, in order.
    order : list of Uses
        The uses of each step, and last those of the caller.
    slots : mapping
        Numbers of the arrays that do not lie in the frame.
    noise : mapping
        The kernel that fills each noise leaf.
    leaf_keys : ndarray
        See :func:`scg.engine.noise.keys.leaf_keys`.
    threads : int
        Threads that matrix products are cut for.
    ports : Ports, optional
        What opens the arrays of a call; the table of a body has none.
    kept : collection of Expr
        Arrays that hold zeros before and after each run.
    """

    def __init__(
        self,
        steps: Sequence[Compiled],
        order: list[Uses],
        slots: Mapping[Expr, int],
        noise: Mapping[Expr, int],
        leaf_keys: np.ndarray,
        sizes: Sizes,
        real: np.dtype,
        threads: int,
        ports: Any = None,
        kept: Collection[Expr] = (),
    ):
        self.sizes, self.real, self.slots, self.ports = sizes, real, slots, ports
        self._steps, self._leaf_keys = steps, leaf_keys
        drawn = streams.first_readers(order, noise)
        order = [
            Uses(use.read, (*leaves, *use.written))
            for use, leaves in zip(order, drawn, strict=True)
        ]
        bases = dict.fromkeys(b for use in order for b in (*use.read, *use.written))
        lengths = {base: bytes_of(base, sizes, real) for base in bases}
        together = groups([step.entry for step in steps])
        outside = slots.keys() - noise.keys()
        self.offsets, self._bytes = place(order, {*outside, *kept}, lengths, together)
        self.offsets |= {base: self._room(lengths[base]) for base in kept}
        self._kept = [(self.offsets[base], lengths[base]) for base in kept]
        self._rows: list[Call] = []
        self._nested: list[Nested] = []
        self._owned: list[Any] = [leaf_keys]
        self.stages: list[Stage] = []
        self._begin(noise)
        ahead = prefetch.foresee(order, lengths, self.offsets)
        for number, step in enumerate(steps):
            entry, _, function, words, _, rows = step
            for base in ahead.get(number, ()):
                self._add(Cut([prefetch.row(base, lengths[base])]), None)
            for leaf in drawn[number]:
                self._draw(leaf, noise[leaf])
            if isinstance(entry, Repeat):
                self._repeat(step, number)
            elif function is None:
                self._add(Cut([*rows]), number)
            elif isinstance(entry, Loop):
                call = self._loop(function, words, entry)
                stride, room = self._stride, self._room
                self._add(loop_parts(call, entry, words, stride, sizes, real, room), number)
            else:
                for call in products.calls(entry, function, sizes, real):
                    cut = products.product_parts(call, threads, real, self._room)
                    self._add(cut, number)
        for leaf in drawn[-1]:
            self._draw(leaf, noise[leaf])
        self._flatten()
        self.frames: list[Frame] = []

    # --- rows -----------------------------------------------------------------------------------
    def _add(self, cut: Cut, number: int | None, draws: bool = False, apart: bool = False) -> None:
        """Append the rows of a step, or of its parts, as stages."""
        stages = [(cut.rows, cut.work), *([(cut.joins, 0)] if cut.joins else ())]
        for rows, work in stages:
            first = len(self._rows)
            self._rows += rows
            rows = range(first, len(self._rows))
            self.stages.append(Stage(rows, work, number, draws, apart))

    def _room(self, length: int) -> int:
        start = self._bytes
        self._bytes += aligned(length)
        return start

    def _begin(self, noise: Collection[Expr]) -> None:
        """Begin with the keys of noise leaves; a leaf that is never read has no array."""
        self._noise_slots = [self.slots[leaf] for leaf in noise]
        self._shapes = [full(leaf, self.sizes) for leaf in noise]
        self._noise_at = [self.offsets.get(leaf, 0) for leaf in noise]
        self._seed, self._keys, self._first = map(self._room, (16, 8 * len(noise), 8))
        self._key_of = {leaf: self._keys + 8 * i for i, leaf in enumerate(noise)}
        if noise:
            leaves = address(self._leaf_keys)
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

    def _repeat(self, step: Compiled, number: int) -> None:
        entry, sizes, real = step.entry, self.sizes, self.real
        places, schedule = Places(entry, sizes, real, self._room), entry.schedule
        inward, outward = slices(entry)
        before, after = (
            [Compiled(one, rows=(places.copied(one),)) for one in part]
            for part in (inward, outward)
        )
        order = [*(one.uses for one in inward), *schedule.order, *(one.uses for one in outward)]
        fixed = fixed_arrays(schedule, sizes)
        slots = {base: i for i, base in enumerate((*places.cursors, *fixed))}
        steps, none = [*before, *step.inner, *after], np.empty(0, np.uint64)
        table = Table(steps, [*order, Uses((), ())], slots, {}, none, sizes, real, 1)
        bases, outside = list(slots), []
        for position, slot, offset in zip(*(x.tolist() for x in table._outer), strict=True):
            if slot < len(places.cursors):
                outside.append((position, bases[slot], offset))
            else:
                table._words[position] = address(fixed[bases[slot]]) + offset
        self._nested.append(Nested(len(self._rows) + len(places.before), table))
        large = any(products.is_large(row) for row in table._rows)
        self._add(Cut([*places.before, turns(places, outside)]), number, apart=large)
        self._owned.append(fixed)

    # --- tables ---------------------------------------------------------------------------------
    def _flatten(self) -> None:
        starts, values, inner, outer = [0], [], [], []
        for row in self._rows:
            for position, word in enumerate(row.words, len(values)):
                if not isinstance(word, At):
                    values.append(word)
                    continue
                values.append(0)
                base, offset = word
                if base is None:
                    inner.append((position, offset))
                elif base in self.slots:
                    outer.append((position, self.slots[base], offset))
                else:
                    inner.append((position, self.offsets[base] + offset))
            starts.append(len(values))
        self._starts = np.array(starts)
        self._words = np.array(values, np.int64)
        self._inner = np.array(inner, np.int64).reshape(-1, 2)
        self._outer = tuple(np.array(outer, np.int64).reshape(-1, 3).T.copy())

    def frame(self) -> Frame:
        """A frame that no other call uses."""
        try:
            return self.frames.pop()
        except IndexError:
            pass
        arena, words, code, owned = self._memory()
        seed = arena[self._seed : self._seed + 16].data.cast("Q")
        first_run = arena[self._first : self._first + 8].view(np.int64)
        first_run[...] = 0
        self._clear(arena)
        noise_at = address(arena) + np.array(self._noise_at, np.int64)
        return Frame(arena, words, code, {}, seed, first_run, noise_at, owned)

    def callers(self, frame: Frame, drawing: bool) -> list[Caller]:
        """Functions and ops that run the table, with or without the rows that fill noise leaves."""
        if drawing not in frame.walks:
            stages = [stage for stage in self.stages if drawing or not stage.draws]
            frame.walks[drawing] = self._walks(stages, frame.code, frame.owned)
        return frame.walks[drawing]

    def _clear(self, arena: np.ndarray) -> None:
        for start, length in self._kept:
            arena[start : start + length] = 0

    def restore(self, frame: Frame) -> None:
        """Make a frame fit for another run after one that did not finish."""
        self._clear(frame.arena)

    def _memory(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """An arena, the words and the rows of a frame, and all memory that these look at."""
        memory = np.empty(self._bytes + ALIGNMENT, np.uint8)
        start = -address(memory) % ALIGNMENT
        arena = memory[start : start + self._bytes]
        words = self._words.copy()
        words[self._inner[:, 0]] = self._inner[:, 1] + address(arena)
        code = np.empty((len(self._rows), 2), np.int64)
        code[:, 0] = [row.function for row in self._rows]
        code[:, 1] = address(words) + 8 * self._starts[:-1]
        owned: list[Any] = [arena, words, code, *self._owned]
        for row, table in self._nested:
            _, inner, rows, held = table._memory()
            walk = np.array(Rows(len(rows), address(rows)), np.int64)
            start, at = self._starts[row], positions(Turns)
            words[[start + at.walk, start + at.words]] = address(walk), address(inner)
            owned += [walk, *held]
        return arena, words, code, owned

    def _walks(self, stages: list[Stage], code: np.ndarray, owned: list[Any]) -> list[Caller]:
        """Functions that run the stages, and the ops between them that Python computes."""
        walks: list[Caller] = []
        waiting: list[Stage] = []
        for stage in stages:
            entry = None if stage.number is None else self._steps[stage.number].entry
            if not isinstance(entry, Fallback) and not stage.apart:
                waiting.append(stage)
                continue
            alone = entry if isinstance(entry, Fallback) else walk(code, [stage], owned)
            walks += [walk(code, waiting, owned), alone]
            waiting = []
        return [*walks, walk(code, waiting, owned)] if waiting else walks

    def singly(self, frame: Frame) -> tuple[list[tuple[Stage, Caller]], Any]:
        """Stages of steps, and functions that run them alone; and their memory."""
        owned: list[Any] = []
        single = [
            (stage, self._walks([stage], frame.code, owned)[-1])
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
