"""A sampler: moments of a compiled program's outputs over some runs of a seed."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.engine.interpreter import Sizes

if TYPE_CHECKING:
    from scg.engine.executable import Executable

#: Means of outputs over runs by key, and sums of squared deviations from them by ("spread", key);
#: those that are not there are zero.
Moments = dict[Any, Any]
#: Computes moments from a seed and the first run.
Sample = Callable[[Any, int], Moments]

#: Bytes that are copied in less time than it takes to tie a table to their arrays.
SMALL = 1 << 16


class Sampler:
    """Computes moments of outputs for given sizes of the plates and a number of runs.

    Parameters
    ----------
    engine : Executable
        What computes the outputs or, with several runs, their moments.
    sizes : mapping
        Elements of each plate, that of runs included.
    """

    def __init__(self, engine: Executable, sizes: Sizes):
        self._engine, self._sizes = engine, sizes
        inputs = engine.plan(sizes).ports.inputs
        self._inputs = [(port.leaf.attrs["name"], port) for port in inputs if not port.is_noise]
        lengths = (math.prod(port.shape) * port.dtype.itemsize for _, port in self._inputs)
        self._is_small = sum(lengths) <= SMALL
        #: Arrays, and what is tied to them and is not running, by threads that it is made for.
        self._free: defaultdict[int, deque[tuple[list[tuple[str, np.ndarray]], Sample]]]
        self._free = defaultdict(deque)

    def bind(self, values: Mapping[str, Any]) -> Sample:
        """Return what computes moments of leaves by name; every call overwrites the results."""
        leaves = {port.leaf: values[name] for name, port in self._inputs}
        return self._engine.connect(leaves, self._sizes, drawing=True).__call__

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
