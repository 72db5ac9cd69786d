"""A sampler: moments of a compiled program's outputs over some runs of a seed."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.engine.interpreter import Sizes
from scg.expr import Plate

if TYPE_CHECKING:
    from scg.engine.connection import Connection
    from scg.engine.executable import Executable

#: Means of outputs over runs by key, and sums of squared deviations from them by ("spread", key);
#: those that are not there are zero.
Moments = dict[Any, Any]
#: Computes moments from a seed and the first run.
Sample = Callable[[Any, int], Moments]

#: Bytes that are copied in less time than it takes to tie a table to their arrays.
SMALL = 1 << 16

#: Tasks of a call that computes many runs: so many that threads do not wait long for the last one.
STRETCHES = 16
#: Elements of all intermediate arrays of a block of runs, the fewest runs that make one, and the
#: blocks of a stretch at most: a call that lasts too long cannot be interrupted.
ELEMENTS, FEWEST, MOST = 1 << 17, 64, 64


class Shape(NamedTuple):
    """How many runs are computed: calls of `STRETCHES` stretches of blocks of runs, and a rest.

    Without calls all runs are computed at once.
    """

    calls: int
    blocks: int
    runs: int


def shape(runs: int, elements: int) -> Shape:
    """Return how to compute runs of some elements each: few or large ones without calls."""
    longest = ELEMENTS // max(elements, 1)
    if longest < FEWEST or runs < STRETCHES * longest:
        return Shape(0, 0, runs)
    blocks = -(-runs // (STRETCHES * longest))
    calls = -(-blocks // MOST)
    blocks = -(-blocks // calls)
    return Shape(calls, blocks, runs // (STRETCHES * calls * blocks))


class Sampler:
    """Computes moments of outputs for given sizes of the plates and a number of runs.

    Parameters
    ----------
    engine : Executable
        What computes the outputs or, with several runs, their moments.
    sizes : mapping
        Elements of each plate but that of runs.
    plate : Plate
        The runs.
    runs : int
        The number of runs.
    shape : Shape
        How they are computed.
    """

    def __init__(self, engine: Executable, sizes: Sizes, plate: Plate, runs: int, shape: Shape):
        self._engine, self._sizes, self._plate = engine, sizes, plate
        self._runs, self._shape = runs, shape
        inputs = engine.plan({**sizes, plate: shape.runs}).ports.inputs
        self._inputs = [(port.leaf.attrs["name"], port) for port in inputs if not port.is_noise]
        lengths = (math.prod(port.shape) * port.dtype.itemsize for _, port in self._inputs)
        self._is_small = sum(lengths) <= SMALL
        #: Arrays, and what is tied to them and is not running, by threads that it is made for.
        self._free: defaultdict[int, deque[tuple[list[tuple[str, np.ndarray]], Sample]]]
        self._free = defaultdict(deque)

    def bind(self, values: Mapping[str, Any]) -> Sample:
        """Return what computes moments of leaves by name; every call overwrites the results."""
        calls, blocks, block = self._shape
        if not calls:
            return self._connect(values, self._runs)
        from scg.engine.stretches import Stretches  # importing scg loads no compiler

        code, names = self._engine.code, self._engine.noise_names
        whole = Stretches(lambda: self._connect(values, block), code, names, block, blocks)
        every = list(spans(self._runs, whole.runs))
        if len(every) == 1:
            return whole
        rest = self._runs - calls * whole.runs
        last = self._connect(values, rest) if rest else whole
        samples = [whole] * (len(every) - 1) + [last]
        return lambda seed, first: merged(
            (span, sample(seed, first + span.start))
            for span, sample in zip(every, samples, strict=True)
        )

    def _connect(self, values: Mapping[str, Any], runs: int) -> Connection:
        leaves = {port.leaf: values[name] for name, port in self._inputs}
        return self._engine.connect(leaves, {**self._sizes, self._plate: runs}, drawing=True)

    def estimate(self, values: Mapping[str, Any], seed: Any) -> Moments:
        """Return moments in new arrays and scalars.

        Small arrays are copied to those of a table that stays tied, and its results from there.
        """
        if not self._is_small:
            return self.bind(values)(seed, 0)
        free = self._free[self._engine.threads()]
        try:
            own, sample = free.pop()  # which no other thread has now
        except IndexError:
            own = [(name, np.empty(port.shape, port.dtype)) for name, port in self._inputs]
            sample = self.bind(dict(own))
        for name, array in own:
            array[()] = values[name]
        found = {}
        for key, array in sample(seed, 0).items():  # a loop takes less than a comprehension
            found[key] = array.copy() if array.ndim else array[()]
        free.append((own, sample))
        return found


def spans(runs: int, length: int) -> Iterator[range]:
    """Split runs into ranges of a length."""
    for start in range(0, runs, length):
        yield range(start, min(start + length, runs))


def merged(parts: Iterable[tuple[range, Moments]]) -> Moments:
    """Merge the moments of consecutive ranges of runs.

    Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance",
    The American Statistician 37(3), equation 2.1.
    """
    whole: Moments = {}
    for runs, found in parts:
        share = len(runs) / runs.stop
        for key in [key for key in found if key[0] != "spread"]:
            delta, own = found[key] - whole.get(key, 0.0), ("spread", key)
            spread = whole.get(own, 0.0) + found.get(own, 0.0)
            whole[own] = spread + delta**2 * (runs.start * share)
            whole[key] = whole.get(key, 0.0) + delta * share
    return whole
