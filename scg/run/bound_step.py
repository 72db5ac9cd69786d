"""A bound step: a step with its arguments, which takes a seed and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from scg.engine.blocks import RunMoments, Sampling, merged, spans
from scg.ir.plate import Plate
from scg.run.result import Layout, Nested, Result


class Samples(Protocol):
    """What a bound step asks of its step."""

    def at_once(self, runs: int, sizes: Mapping[Plate, int]) -> int:
        """Return how many of some runs a sampler takes."""
        ...

    def sampler(self, values: Mapping[str, Any], sizes: Mapping[Plate, int], runs: int) -> Sampling:
        """Return what computes moments of all outputs."""
        ...


class BoundStep:
    """A step tied to parameters, data and state, as :meth:`scg.run.step.Step.bind` returns it.

    One thread at a time may call it: a call overwrites the last result. Several threads take one
    each, of the same step.

    Attributes
    ----------
    step : Step
        The step.
    runs : int
        The number of runs of each call.
    """

    def __init__(
        self,
        step: Samples,
        values: Mapping[str, Any],
        sizes: Mapping[Plate, int],
        memory: Nested,
        runs: int,
        layout: Layout,
    ):
        self.step, self.runs, self.layout = step, runs, layout
        self._values, self._sizes, self._memory = values, sizes, memory
        self._length = step.at_once(runs, sizes)
        self._first = step.sampler(values, sizes, self._length)
        self._sample = self._first if runs == self._length else self._in_blocks
        self._found: RunMoments | None = None
        self._result: Result

    def __call__(self, seed: int | tuple[int, ...]) -> Result:
        """Estimate the cost and its gradients.

        Parameters
        ----------
        seed : int or tuple of int
            The seed.

        Returns
        -------
        Result
            The next call overwrites it: copy what is to be kept.
        """
        found = self._sample(seed, 0)
        if found is not self._found:
            self._result = Result(found, self.runs, self._memory, self.layout)
            self._found = found
        return self._result

    def moments(self, seed: int | tuple[int, ...]) -> RunMoments:
        """Return means and spreads of all outputs, which the next call may overwrite."""
        return self._sample(seed, 0)

    def _in_blocks(self, seed: Any, first: int) -> RunMoments:
        """Merge the moments of blocks of runs."""
        blocks = spans(self.runs, self._length)
        return merged((block, self._sampler(block)(seed, first + block.start)) for block in blocks)

    def _sampler(self, block: range) -> Sampling:
        if len(block) == self._length:
            return self._first
        return self.step.sampler(self._values, self._sizes, len(block))
