"""Ports: the arrays that a caller brings or receives."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.engine.interpreter import Sizes, full, sized
from scg.engine.table.buffers import ALIGNMENT, address, aligned
from scg.ir.expr import Expr
from scg.ir.op import SIZED
from scg.schedule.schedule import Schedule
from scg.schedule.sources import type_of

#: Pieces of memory for results that are kept for reuse.
MEMORIES = 4


class Input(NamedTuple):
    """A leaf whose array the caller brings."""

    leaf: Expr
    slot: int
    dtype: np.dtype
    shape: tuple[int, ...]
    is_noise: bool


class Ports:
    """The arrays of a call outside its frame, by slot, for given plate sizes.

    Constants and plate sizes become arrays once. The results share one piece of memory, so that a
    call allocates memory, and looks up its address, once.
    """

    def __init__(self, schedule: Schedule, sizes: Sizes):
        real = schedule.dtype
        self.slots = schedule.slots
        self.fixed = dict(schedule.constants)
        self.inputs: list[Input] = []
        for leaf, slot in schedule.leaves.items():
            dtype = type_of(leaf, real)
            if leaf.op in SIZED:
                self.fixed[slot] = sized(leaf, sizes, real)
            else:
                shape = full(leaf, sizes)
                self.inputs.append(Input(leaf, slot, dtype, shape, leaf in schedule.noise))
        self.at = np.zeros(len(self.slots), np.int64)
        for slot, array in self.fixed.items():
            self.at[slot] = address(array)
        found = [
            (full(base, sizes), type_of(base, real), schedule.slots[base])
            for base in schedule.results
        ]
        self.results: list[tuple[int, tuple[int, ...], np.dtype, int]] = []
        self.bytes = 0
        for shape, dtype, slot in sorted(found, key=lambda x: (x[0], x[1].str)):  # equal steps
            self.results.append((slot, shape, dtype, self.bytes))
            self.bytes += aligned(math.prod(shape) * dtype.itemsize)
        starts = [start for *_, start in sorted(self.results)]
        self._starts = np.array(starts, np.int64)  # results have the last slots
        self._memories: deque[np.ndarray] = deque()

    def open(
        self, leaves: Mapping[Expr, Any], drawing: bool
    ) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """Arrays by slot, with new ones for the results, and their addresses."""
        arrays, at = self.fixed.copy(), self.at.copy()
        for leaf, slot, dtype, shape, is_noise in self.inputs:
            if drawing and is_noise:
                continue
            array = np.asarray(leaves[leaf], dtype)
            flags = array.flags
            if not (flags.c_contiguous and flags.aligned):
                array = np.array(array, order="C")
            if array.shape != shape:
                raise ValueError(f"a leaf has shape {array.shape}, expected {shape}")
            arrays[slot] = array
            at[slot] = address(array)
        memory = self._free_memory()
        start = address(memory)
        skip = -start % ALIGNMENT
        for slot, shape, dtype, offset in self.results:
            arrays[slot] = np.ndarray(shape, dtype, memory, skip + offset)
        np.add(self._starts, start + skip, at[len(at) - len(self._starts) :])
        self._memories.append(memory)  # from here on the results hold it
        return arrays, at

    def _free_memory(self) -> np.ndarray:
        """Memory for results: reused if no one holds earlier results, or else new.

        The system maps large new pieces page by page, which takes longer than many kernels.
        """
        for _ in range(len(self._memories)):
            try:
                memory = self._memories.popleft()
            except IndexError:  # other threads took the rest
                break
            if sys.getrefcount(memory) == _UNSHARED:
                return memory
            if len(self._memories) < MEMORIES:
                self._memories.append(memory)
        return np.empty(self.bytes + ALIGNMENT, np.uint8)


def _unshared() -> int:
    """The reference count of an array that one variable holds."""
    memories = deque([np.empty(0)])
    memory = memories.popleft()
    return sys.getrefcount(memory)


#: Some versions of Python do not count the reference that the question itself makes.
_UNSHARED = _unshared()
