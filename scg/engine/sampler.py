"""Samplers: moments of a compiled program's outputs over some runs of a seed."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.common.lazy import building
from scg.engine.blocks import MOST, STRETCHES, RunMoments, Sampling, merged
from scg.engine.interpreter import Sizes
from scg.ir.op import PARAMETER
from scg.ir.plate import Plate

if TYPE_CHECKING:
    from scg.engine.walk.connection import Connection
    from scg.engine.walk.executable import Executable
    from scg.engine.walk.intake import Intake

#: Bytes that take less time to copy than a table takes to bind to their arrays.
SMALL = 1 << 16
#: Arrays of a call that are copied one by one; of more, those that need no conversion at once.
ARRAYS = 8
#: Results of one shape that are copied one by one; more are copied together.
FEW = 12


class Tied(NamedTuple):
    """A sampler with arrays of its own, which one call uses at a time."""

    inputs: dict[str, np.ndarray]
    take: Intake
    sample: Sampling
    single: list[tuple[Any, np.ndarray]] | None  # outputs copied one by one; None for all
    alike: list[tuple[list[Any], np.ndarray]]  # keys of others, which are the rows of an array


class MomentSampler:
    """Computes moments of outputs for given plate sizes and a number of runs.

    `engine` computes the outputs or, of several runs, their moments; `plate` is the plate of runs.
    Blocks of stretches have at most `longest` runs; if it is 0, all runs are computed at once.
    """

    def __init__(self, engine: Executable, sizes: Sizes, plate: Plate, runs: int, longest: int):
        self._engine, self._sizes, self._plate = engine, sizes, plate
        self._runs, self._longest = runs, longest
        inputs = engine.plan({**sizes, plate: longest or runs}).ports.inputs
        inputs = sorted(inputs, key=lambda port: port.leaf.op is not PARAMETER)
        self._inputs = [(port.leaf.attrs["name"], port) for port in inputs if not port.is_noise]
        lengths = (math.prod(port.shape) * port.dtype.itemsize for _, port in self._inputs)
        self._is_small = sum(lengths) <= SMALL
        names = [name for name, _ in self._inputs]
        #: How many of the leaves are parameters, which come first, and how many are not.
        self._params = sum(port.leaf.op is PARAMETER for _, port in self._inputs)
        self._others = len(names) - self._params
        self._every = tuple_of(names)
        self._first, self._last = tuple_of(names[: self._params]), tuple_of(names[self._params :])
        #: Idle ones, by thread count.
        self._free: defaultdict[int, deque[Tied]] = defaultdict(deque)

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
            tied = free.pop()  # which no other thread has now
        except IndexError:
            tied = self._tied()
        if len(self._inputs) <= ARRAYS or not tied.take(self._every(values)):
            for name, array in tied.inputs.items():
                array[()] = values[name]
        return self._estimate(free, tied, seed)

    def again(
        self, params: Any, others: Any, runs: int, seed: Any, check: Callable[[Any], None] | None
    ) -> RunMoments | None:
        """Moments for arrays that need no conversion.

        The result is None if an array needs one, or if the names or the number of runs differ. A
        `check` raises if values by name are invalid.
        """
        if not self._is_small or runs != self._runs:
            return None
        if len(params) != self._params or len(others) != self._others:
            return None
        try:
            arrays = self._first(params) + self._last(others)
        except KeyError:
            return None
        free = self._free[self._engine.threads()]
        try:
            tied = free.pop()
        except IndexError:
            return None
        if not tied.take(arrays):
            free.append(tied)
            return None
        if check is not None:
            check(tied.inputs)
        return self._estimate(free, tied, seed)

    def _estimate(self, free: deque[Tied], tied: Tied, seed: Any) -> RunMoments:
        _, _, sample, single, alike = tied
        outputs, found = sample(seed, 0), {}
        for key, array in outputs.items() if single is None else single:  # a loop is faster
            found[key] = array.copy() if array.ndim else array[()]
        for keys, arrays in alike:
            found.update(zip(keys, arrays.copy(), strict=True))
        free.append(tied)
        return found

    def _tied(self) -> Tied:
        from scg.engine.walk.intake import Intake  # importing scg loads no compiler

        own = {name: np.empty(port.shape, port.dtype) for name, port in self._inputs}
        take = Intake([*own.values()])
        if self._longest:
            return Tied(own, take, self.bind(own), None, [])
        connection = self._connect(own, self._runs)
        return Tied(own, take, connection.run, *equally_spaced(connection.outputs))


def tuple_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Function that takes the values of some names out of a mapping."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda values: (values[names[0]],)) if names else lambda values: ()


def equally_spaced(outputs: Mapping[Any, np.ndarray]) -> tuple[list[Any], list[Any]]:
    """Outputs by key, and keys of others whose arrays lie at equal distances as rows of one array.

    A copy of that array gives its rows in a third of the time of a copy of each.
    """
    from scg.engine.table.buffers import address  # importing scg is to stay fast

    groups: dict[Any, list[Any]] = {}
    for key, array in outputs.items():
        groups.setdefault((id(array.base), array.dtype, array.shape), []).append(key)
    single, alike = [], []
    for keys in groups.values():
        first, *_ = arrays = [outputs[key] for key in keys]
        steps = set(np.diff([address(array) for array in arrays]).tolist())
        if len(keys) < FEW or len(steps) > 1 or first.base is None:
            single += zip(keys, arrays, strict=True)
        else:
            shape, strides = (len(keys), *first.shape), (*steps, *first.strides)
            alike.append((keys, np.lib.stride_tricks.as_strided(first, shape, strides)))
    return single, alike
