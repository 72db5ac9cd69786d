"""Large loops in parts, which a few threads take one after the other.

A loop is cut along its outermost axis at points that depend on its size alone, and what is reduced
over that axis is reduced in each part and then over the parts, in order: the number of threads
changes no bit of a result. Threads are Python's, which stay outside of its lock in a kernel;
a hand-over takes tens of microseconds, so that only large loops are cut.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scg.engine import blas, native
from scg.engine.buffers import type_of
from scg.engine.interpreter import full
from scg.engine.kernels import Axis, Word, moves
from scg.expr import Expr, Plate
from scg.passes.fuse import Axes, Loop

#: Operations of a loop that is cut, and of a part at least: 100 and 25 microseconds.
LARGE, LEAST = 1 << 19, 1 << 17
#: Parts of a loop at most.
MOST = 16


class Joined(NamedTuple):
    """An operand that every part reduces to: its words, elements, type, how parts are joined."""

    words: tuple[int, ...]
    count: int
    dtype: np.dtype
    join: np.ufunc


class Cut(NamedTuple):
    """What the operands of the parts are.

    Attributes
    ----------
    row : int
        The row of the table that is cut.
    shift : ndarray of int64, shape (parts, words)
        What is added to the row's words in each part.
    joined : list of Joined
        Operands that have a place of their own in each part.
    """

    row: int
    shift: np.ndarray
    joined: Sequence[Joined]


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


_JOIN = {"sum": np.add, "max": np.maximum}


def cut_of(
    row: int,
    loop: Loop,
    words: Sequence[Word],
    values: Sequence[int],
    stride: Callable[[Axes, Axis], int],
    sizes: Mapping[Plate, int],
    real: np.dtype,
) -> Cut | None:
    """Return how a loop nest is cut, or None where it is small.

    Parameters
    ----------
    row : int
        Its row of the table.
    words, values : sequence
        The operands of its kernel, and what they are for the sizes at hand.
    stride : callable
        The step of an operand along an axis, in elements.
    sizes : mapping
        Elements of each plate.
    real : numpy dtype
        The type of floats.
    """
    if not words or words[0].kind != "size" or any(item.kind == "row" for item in loop.items):
        return None
    axis, length = words[0].along[-1], values[0]
    lengths = [v for word, v in zip(words, values, strict=True) if word.kind == "size"]
    at = ends(length, math.prod(lengths) * len(loop.items))
    if at is None:
        return None
    shift = np.zeros((len(at) - 1, len(words)), np.int64)
    shift[:, 0] = np.diff(at) - length
    reduced = {item.to.base: item for item in loop.stored if item.kind == "reduce"}
    apart: dict[Expr, list[int]] = {}
    for k, word in enumerate(words):
        if word.axes is None:
            continue
        base = word.axes.base
        axes = reduced[base].to if base in reduced else word.axes
        step = stride(axes, axis) if moves(axes, axis) else 0
        dtype = type_of(base, real)
        if word.kind == "address" and step:
            shift[:, k] = at[:-1] * step * dtype.itemsize
        elif word.kind == "address" and base in reduced:
            apart.setdefault(base, []).append(k)
        elif word.kind == "count" and step:
            shift[:, k] = np.diff(at) * step - values[k]
    joined = [
        Joined(
            tuple(positions),
            math.prod(full(base, sizes)),
            type_of(base, real),
            _JOIN[reduced[base].expr.op.name],
        )
        for base, positions in apart.items()
    ]
    return Cut(row, shift, joined)


class Parts:
    """A row of a table that runs in parts.

    Parameters
    ----------
    function : int
        Address of the kernel.
    words : ndarray of int64
        The row's operands.
    cut : Cut
        How they differ in the parts.
    """

    def __init__(self, function: int, words: np.ndarray, cut: Cut):
        self._function, self._words, self._cut = native.Kernel(function), words, cut
        self._partial = [np.empty((len(cut.shift), j.count), j.dtype) for j in cut.joined]

    def __call__(self) -> int:
        """Run all parts; return what is not 0 where a kernel failed."""
        tables = self._words + self._cut.shift
        for joined, partial in zip(self._cut.joined, self._partial, strict=True):
            step = joined.count * joined.dtype.itemsize
            at = partial.ctypes.data + step * np.arange(len(partial))
            tables[:, joined.words] = at[:, None]
        start, width = tables.ctypes.data, tables.strides[0]
        failed = share(self._function, [start + width * i for i in range(len(tables))])
        for joined, partial in zip(self._cut.joined, self._partial, strict=True):
            memory = ctypes.c_char * (joined.count * joined.dtype.itemsize)
            place: Any = memory.from_address(int(self._words[joined.words[0]]))
            whole = np.ndarray((joined.count,), joined.dtype, place)
            wide = np.float64 if joined.dtype == np.float32 else joined.dtype
            with np.errstate(all="ignore"):
                whole[...] = joined.join.reduce(partial, axis=0, dtype=wide)
        return failed


# --- threads ------------------------------------------------------------------------------------
_waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_helpers: list[threading.Thread] = []
_lock = threading.Lock()


def share(function: Callable[..., int], tables: Sequence[int]) -> int:
    """Call a kernel with every table, in this thread and others; return the largest result."""
    left, results = deque(tables), []
    helpers = _ready(min(blas.threads(), len(tables)) - 1)
    unclaimed, ended = deque(range(helpers)), queue.SimpleQueue()

    def work() -> None:
        scratch = (ctypes.c_int64 * 2)()
        at = ctypes.addressof(scratch)
        while True:
            try:
                table = left.popleft()
            except IndexError:
                return
            results.append(function(at, at + 8, table))

    def help_out() -> None:
        try:
            unclaimed.pop()
        except IndexError:
            return  # too late
        try:
            work()
        finally:
            ended.put(None)

    for _ in range(helpers):
        _waiting.put(help_out)
    try:
        work()
    finally:  # who is interrupted waits for those that write
        left.clear()
        while unclaimed:
            with contextlib.suppress(IndexError):
                unclaimed.pop()
                helpers -= 1
        for _ in range(helpers):
            ended.get()
    return max(results)


def _ready(helpers: int) -> int:
    """Start helpers that are lacking; return their number."""
    with _lock:
        while len(_helpers) < helpers:
            thread = threading.Thread(target=_help, name="scg", daemon=True)
            thread.start()
            _helpers.append(thread)
    return helpers


def _help() -> None:
    while True:
        _waiting.get()()


def _forget() -> None:
    """A forked process has no threads but the one that forked."""
    global _waiting, _lock
    _waiting, _lock = queue.SimpleQueue(), threading.Lock()
    _helpers.clear()


if os.name == "posix":
    os.register_at_fork(after_in_child=_forget)
