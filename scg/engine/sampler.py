"""Samplers: moments of a compiled program's outputs over some runs of a seed."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.lazy import building
from scg.engine.blocks import MOST, STRETCHES, RunMoments, Sampling, merged
from scg.engine.interpreter import Sizes
from scg.ir.plate import Plate

if TYPE_CHECKING:
    from scg.engine.walk.connection import Connection
    from scg.engine.walk.executable import Executable

#: Bytes that take less time to copy than a table takes to bind to their arrays.
SMALL = 1 << 16


class MomentSampler:
    """Computes moments of outputs for given plate sizes and a number of runs.

    `engine` computes the outputs or, of several runs, their moments; `plate` is the plate of runs.
    Blocks of stretches have at most `longest` runs; if it is 0, all runs are computed at once.
    """

    def __init__(self, engine: Executable, sizes: Sizes, plate: Plate, runs: int, longest: int):
        self._engine, self._sizes, self._plate = engine, sizes, plate
        self._runs, self._longest = runs, longest
        inputs = engine.plan({**sizes, plate: longest or runs}).ports.inputs
        self._inputs = [(port.leaf.attrs["name"], port) for port in inputs if not port.is_noise]
        lengths = (math.prod(port.shape) * port.dtype.itemsize for _, port in self._inputs)
        self._is_small = sum(lengths) <= SMALL
        #: Idle (inputs, bound sampler) pairs, by thread count.
        self._free: defaultdict[int, deque[tuple[list[tuple[str, np.ndarray]], Sampling]]]
        self._free = defaultdict(deque)

    def bind(self, values: Mapping[str, Any]) -> Sampling:
        """Function that computes moments of leaves by name; a call overwrites the last results."""
        if not self._longest:
            return self._connect(values, self._runs).run
        samples, ends = [], [0]
        for sample, runs, times in self._pieces(values):
            samples += [sample] * times
            ends += [ends[-1] + runs * (i + 1) for i in range(times)]
        if len(samples) == 1:
            return samples[0]
        return lambda seed, first: merged(
            (range(*ends), sample(seed, first + ends[0]))
            for ends, sample in zip(pairwise(ends), samples, strict=True)
        )

    def _pieces(self, values: Mapping[str, Any]) -> Iterator[tuple[Sampling, int, int]]:
        """Yield a function, its runs, and its calls: long calls, a shorter one, the rest."""
        unit = STRETCHES * self._longest
        long, left = divmod(self._runs, unit * MOST)
        if long:
            yield self._stretch(values, self._longest, MOST), unit * MOST, long
        blocks = -(-left // unit)
        block = left // (STRETCHES * blocks) if blocks else 0
        if block:
            yield self._stretch(values, block, blocks), STRETCHES * blocks * block, 1
        rest = left - STRETCHES * blocks * block
        if rest:
            yield self._connect(values, rest).run, rest, 1

    def _stretch(self, values: Mapping[str, Any], block: int, blocks: int) -> Sampling:
        with building:
            from scg.engine.walk.stretches import Stretches  # importing scg loads no compiler

        code = self._engine.code
        return Stretches(lambda: self._connect(values, block), code, block, blocks)

    def _connect(self, values: Mapping[str, Any], runs: int) -> Connection:
        leaves = {port.leaf: values[name] for name, port in self._inputs}
        return self._engine.connect(leaves, {**self._sizes, self._plate: runs}, drawing=True)

    def estimate(self, values: Mapping[str, Any], seed: Any) -> RunMoments:
        """Moments in new arrays and scalars.

        Small arrays are copied to those of a table that stays bound.
        """
        if not self._is_small:
            return {key: array[()] for key, array in self.bind(values)(seed, 0).items()}
        free = self._free[self._engine.threads()]
        try:
            own, sample = free.pop()  # which no other thread has now
        except IndexError:
            own = [(name, np.empty(port.shape, port.dtype)) for name, port in self._inputs]
            sample = self.bind(dict(own))
        for name, array in own:
            array[()] = values[name]
        found = {}
        for key, array in sample(seed, 0).items():  # a loop is faster than a comprehension
            found[key] = array.copy() if array.ndim else array[()]
        free.append((own, sample))
        return found
