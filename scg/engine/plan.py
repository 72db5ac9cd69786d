"""A plan: the table of a program for given sizes of the plates, and the arena it works in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.engine import blas, streams
from scg.engine.buffers import ALIGNMENT, Uses, aligned, bytes_of, place, type_of
from scg.engine.interpreter import full
from scg.engine.kernels import Axis, Word
from scg.engine.parts import Cut, Parts, cut_of
from scg.expr import Expr, Plate
from scg.passes.fuse import Axes, Gemm, Loop
from scg.passes.lower import Product, elements_of
from scg.passes.stack import groups

if TYPE_CHECKING:
    from scg.engine.connection import Ports

Sizes = Mapping[Plate, int]


class Call(NamedTuple):
    """One row of the table: a function, its operands, and which of those are addresses."""

    function: int
    words: list[int]
    addresses: list[tuple[int, Expr, int]]  # position, array, offset in bytes


#: What the driver is called with: where it may return something, twice, and its operands.
Operands = tuple[int, int, int]


class Frame(NamedTuple):
    """What one running call owns: an arena, and a table whose addresses point into it.

    Attributes
    ----------
    arena, words : ndarray
        The arrays that do not leave the call; the operands of all rows.
    drawing, reading : list of (operands of the driver, op that NumPy computes next or None)
        How to walk the table, with or without the rows that draw noise, which come first.
    keys : memoryview
        Bytes of the keys of what those rows draw.
    first_run : ndarray
        The first run that they draw.
    noise_at : ndarray
        Addresses of the noise leaves.
    owned : tuple
        Memory that the operands lie in.
    """

    arena: np.ndarray
    words: np.ndarray
    drawing: list[tuple[Operands, Any]]
    reading: list[tuple[Operands, Any]]
    keys: memoryview
    first_run: np.ndarray
    noise_at: np.ndarray
    owned: tuple[np.ndarray, ...]


class Plan:
    """The table for given sizes.

    Parameters
    ----------
    steps : list of (entry, address of its kernel or None, words of its kernel)
        What runs, in order; None marks an op that NumPy computes.
    order : list of Uses
        What each step uses.
    ports : Ports
        Arrays that come from outside or go there.
    noise : mapping
        The kernel that fills each noise leaf.
    sizes : mapping
        Elements of each plate.
    real : numpy dtype
        The type of floats.
    """

    def __init__(
        self,
        steps: list[tuple[Any, int | None, tuple[Word, ...]]],
        order: list[Uses],
        ports: Ports,
        noise: Mapping[Expr, int],
        sizes: Sizes,
        real: np.dtype,
    ):
        self.sizes, self.real, self.ports = sizes, real, ports
        self._steps = steps
        bases = dict.fromkeys(b for use in order for b in (*use.read, *use.written))
        lengths = {base: bytes_of(base, sizes, real) for base in bases}
        together = groups([entry for entry, _, _ in steps])
        self.offsets, self.bytes = place(order, ports.slots, lengths, together)
        rows: list[Call] = []
        #: Runs of rows that a driver walks: (first, last + 1, what follows: an op that NumPy
        #: computes, a row that is cut, or None). The rows that draw noise come before all.
        self.segments: list[tuple[int, int, Any]] = []
        self.origin: list[int] = []  # the step of each row
        first = ahead = len(noise)
        for number, (entry, function, words) in enumerate(steps):
            if function is None:
                self.segments.append((first, ahead + len(rows), entry))
                first = ahead + len(rows)
                continue
            if isinstance(entry, Loop):
                rows.append(self._loop(function, words, entry))
                at = ahead + len(rows) - 1
                cut = cut_of(at, entry, words, rows[-1].words, self._stride, sizes, real)
                if cut is not None:
                    self.segments.append((first, at, cut))
                    first = at + 1
            else:
                rows += self._products(function, entry)
            self.origin += [number] * (len(rows) - len(self.origin))
        self.segments.append((first, ahead + len(rows), None))
        self._flatten(rows)
        self._noise_slots = [ports.slots[leaf] for leaf in noise]
        self._shapes = [full(leaf, sizes) for leaf in noise]
        lifted = [bool(leaf.plates) and leaf.plates[0].rank == 0 for leaf in noise]
        self._noise = streams.table(list(noise.values()), self._shapes, lifted, real.itemsize)
        fill = enumerate(self._noise[1].tolist())
        cuts = [cut for row, words in fill if (cut := streams.cut(row, words, real.itemsize))]
        begins = [0, *(cut.row + 1 for cut in cuts)]
        self._ahead = [(begin, cut.row, cut) for begin, cut in zip(begins, cuts, strict=False)]
        self._begin = begins[-1]
        self.frames: list[Frame] = []

    # --- rows -----------------------------------------------------------------------------------
    def _length(self, axis: Axis, loop: Loop) -> int:
        if isinstance(axis, Plate):
            return axis.length if axis.length is not None else self.sizes[axis]
        return loop.space.lengths[axis]

    def _stride(self, axes: Axes, axis: Axis) -> int:
        if not isinstance(axis, Plate):
            return axes.strides[axis]
        plates = axes.plates
        later = plates[plates.index(axis) + 1 :]
        return axes.base.size * math.prod(elements_of(p, self.sizes, {}) for p in later)

    def _loop(self, function: int, words: tuple[Word, ...], loop: Loop) -> Call:
        values, addresses = [], []
        for word in words:
            value = word.value
            if word.kind == "size":
                value = 1
                for axis in word.along:
                    value *= self._length(axis, loop)
            elif word.axes is not None:
                itemsize = type_of(word.axes.base, self.real).itemsize
                if word.kind == "address":
                    addresses.append((len(values), word.axes.base, word.axes.offset * itemsize))
                elif word.kind == "count":
                    value = math.prod(full(word.axes.base, self.sizes))
                else:
                    value = self._stride(word.axes, word.along[-1])
                    value *= itemsize if word.kind == "step" else 1
            values.append(value)
        return Call(function, values, addresses)

    def _products(self, function: int, entry: Gemm) -> list[Call]:
        product, lengths = entry.product, entry.lengths
        a, b = entry.expr.args
        out, attrs = entry.expr, entry.expr.attrs
        labels = (
            (*a.plates, *attrs["left"]),
            (*b.plates, *attrs["right"]),
            (*out.plates, *attrs["out"]),
        )

        def size(label: Any) -> int:
            return elements_of(label, self.sizes, lengths)

        def total(group: tuple[Any, ...]) -> int:
            return math.prod(map(size, group))

        def stride(own: tuple[Any, ...], label: Any) -> int:
            return total(own[own.index(label) + 1 :]) if label in own else 0

        loops = [(size(x), [stride(own, x) for own in labels]) for x in product.loop]
        merged: list[tuple[int, list[int]]] = []
        for n, steps in loops:
            if merged and merged[-1][1] == [n * s for s in steps]:
                merged[-1] = (merged[-1][0] * n, steps)
            else:
                merged.append((n, steps))
        *outer, (count, steps) = merged or [(1, [0, 0, 0])]
        letter = "f4" if self.real == np.float32 else "f8"
        rows, inner, columns = (total(x) for x in (product.rows, product.inner, product.columns))
        rows *= 1 + len(entry.below)
        item = self.real.itemsize
        calls = []
        for index in itertools.product(*(range(n) for n, _ in outer)):
            starts = [
                item * sum(i * s[k] for i, (_, s) in zip(index, outer, strict=True))
                for k in range(3)
            ]
            left, right = entry.operands
            sides = [(left, starts[0], steps[0] * item), (right, starts[1], steps[1] * item)]
            head, order = _shape(product, rows, inner, columns)
            values = [count, blas.gemm_address(letter) or 0, *head]
            addresses = []
            for k, leading in order:
                base, start, step = (*sides, (out, starts[2], steps[2] * item))[k]
                addresses.append((len(values), base, start))
                values += [0, max(leading, 1), step]
            calls.append(Call(function, values, addresses))
        return calls

    # --- tables ---------------------------------------------------------------------------------
    def _flatten(self, rows: list[Call]) -> None:
        self.functions = [row.function for row in rows]
        self.starts = np.cumsum([0, *(len(row.words) for row in rows)])
        self.words = np.array([w for row in rows for w in row.words], np.int64)
        inner, outer = [], []
        for row, start in zip(rows, self.starts, strict=False):
            for position, base, offset in row.addresses:
                if base in self.ports.slots:
                    outer.append((start + position, self.ports.slots[base], offset))
                else:
                    inner.append((start + position, self.offsets[base] + offset))
        self._inner = np.array(inner, np.int64).reshape(-1, 2)
        self._outer = tuple(np.array(outer, np.int64).reshape(-1, 3).T.copy())

    def frame(self) -> Frame:
        """Return a frame that no other call uses."""
        try:
            return self.frames.pop()
        except IndexError:
            pass
        functions, fill, lengths = self._noise
        *starts, total = np.cumsum([self.bytes, *map(aligned, lengths.tolist())]).tolist()
        memory = np.empty(total + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        arena = memory[start : start + total]
        words = self.words.copy()
        words[self._inner[:, 0]] = self._inner[:, 1] + arena.ctypes.data
        at = arena.ctypes.data + np.array(starts, np.int64)
        fill = fill.copy()
        keys = memoryview(bytearray(8 * len(fill)))
        fill[:, 0] = np.frombuffer(keys, np.uint8).ctypes.data + 8 * np.arange(len(fill))
        fill[:, 4] = at
        fill_at = fill.ctypes.data + 8 * streams.WORDS * np.arange(len(fill))
        words_at = words.ctypes.data + 8 * self.starts[:-1]
        code = np.empty((len(fill) + len(self.functions), 2), np.int64)
        code[:, 0] = [*functions, *self.functions]
        code[:, 1] = [*fill_at, *words_at]
        (_, last, entry), *later = self.segments
        drawing, first = _walk(code, [*self._ahead, (self._begin, last, entry), *later])
        reading, second = _walk(code, self.segments)
        owned = (code, fill, first, second)
        return Frame(arena, words, drawing, reading, keys, fill[:, 1], at, owned)

    def noise_arrays(self, frame: Frame) -> list[tuple[int, np.ndarray]]:
        """Return slots and arrays of the noise that a frame draws."""
        start = frame.arena.ctypes.data
        return [
            (slot, np.ndarray(shape, self.real, frame.arena, int(at) - start))
            for slot, shape, at in zip(self._noise_slots, self._shapes, frame.noise_at, strict=True)
        ]

    def singly(self, frame: Frame) -> tuple[list[tuple[Operands, Any]], list[int], Any]:
        """Return how to walk the table row by row without drawing noise.

        Returns
        -------
        calls : list
            As in a frame.
        numbers : list of int
            The step that each call belongs to.
        owned
            Memory that the operands lie in.
        """
        rows: list[tuple[int, int, Any]] = []
        numbers = []
        origin = [*(None for _ in self._shapes), *self.origin]
        for first, last, entry in self.segments:
            rows += [(row, row + 1, None) for row in range(first, last)]
            numbers += origin[first:last]
            if entry is not None:
                rows.append((last, last, entry))
                of_python = (i for i, (e, *_) in enumerate(self._steps) if e is entry)
                numbers.append(origin[last] if isinstance(entry, Cut) else next(of_python))
        calls, headers = _walk(frame.owned[0], rows)
        return calls, numbers, headers

    def parts(self, frame: Frame, cut: Cut) -> Parts:
        """Return a row of a frame's table as its parts."""
        code, fill, *_ = frame.owned
        row = cut.row - len(fill)
        words = fill[cut.row] if row < 0 else frame.words[self.starts[row] : self.starts[row + 1]]
        return Parts(int(code[cut.row, 0]), words, cut)

    def connect(self, frame: Frame, addresses: np.ndarray) -> None:
        """Write the addresses of the outside arrays, by slot, to the table of a frame."""
        where, slots, offsets = self._outer
        frame.words[where] = addresses[slots] + offsets

    def array(self, frame: Frame, base: Expr) -> np.ndarray:
        """Return the array of an expression that lies in the arena."""
        shape, dtype = full(base, self.sizes), type_of(base, self.real)
        return np.ndarray(shape, dtype, frame.arena, self.offsets[base])


def _walk(
    code: np.ndarray, segments: list[tuple[int, int, Any]]
) -> tuple[list[tuple[Operands, Any]], np.ndarray]:
    """Return the calls of the driver that walk segments of a table, and the memory they use."""
    headers = np.zeros((len(segments), 4), np.int64)
    calls = []
    for header, (first, last, entry) in zip(headers, segments, strict=True):
        header[:2] = last - first, code.ctypes.data + 16 * first
        at = header.ctypes.data
        calls.append(((at + 16, at + 24, at), entry))
    return calls, headers


def _shape(
    product: Product, m: int, k: int, n: int
) -> tuple[list[int], tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]:
    """Return (transposes, m, n, k) and, in BLAS's order, operands and their leading dimensions."""
    flag = (blas.NO_TRANSPOSE, blas.TRANSPOSE)
    ta, tb, by_columns = product.transposed
    lead_a, lead_b = (m if ta else k), (k if tb else n)
    if not by_columns:
        return [flag[ta], flag[tb], m, n, k], ((0, lead_a), (1, lead_b), (2, n))
    # A result stored by columns is the transpose of what the other order of factors gives.
    return [flag[not tb], flag[not ta], n, m, k], ((1, lead_b), (0, lead_a), (2, m))
