"""A bound step: a step with its arguments, which takes a seed and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scg.engine.sampler import Moments
from scg.expr import Plate
from scg.run.result import Nested, Result

if TYPE_CHECKING:
    from scg.run.step import Step


class BoundStep:
    """A step tied to parameters, data and state, as :meth:`scg.run.step.Step.bind` returns it.

    One thread at a time may call it: a call overwrites the arrays of the last result. Several
    threads take one each, of the same step.

    Attributes
    ----------
    step : Step
        The step.
    runs : int
        The number of runs of each call.
    """

    def __init__(
        self,
        step: Step,
        values: Mapping[str, Any],
        sizes: Mapping[Plate, int],
        memory: Nested,
        runs: int,
    ):
        self.step, self.runs = step, runs
        self._values, self._sizes, self._memory = values, sizes, memory
        self._length = runs if runs == 1 else min(runs, step.program.block_length(sizes))
        self._first = step.sampler(values, sizes, self._length)
        self._single, self._layout = runs == self._length, step.layout

    def __call__(self, seed: int | tuple[int, ...]) -> Result:
        """Estimate the cost and its gradients.

        Parameters
        ----------
        seed : int or tuple of int
            The seed.

        Returns
        -------
        Result
            Its arrays are overwritten by the next call: copy what is to be kept.
        """
        found = self._first(seed, 0) if self._single else self._in_blocks(seed)
        return Result(found, self.runs, self._memory, self._layout)

    def _in_blocks(self, seed: Any) -> Moments:
        """Merge the moments of blocks of runs.

        Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance",
        The American Statistician 37(3), equation 2.1.
        """
        merged: Moments = {}
        for block in self.step.program.blocks(self.runs, self._sizes):
            sampler = self._first
            if len(block) < self._length:
                sampler = self.step.sampler(self._values, self._sizes, len(block))
            found = sampler(seed, block.start)
            share = len(block) / block.stop
            for key in [key for key in found if key[0] != "spread"]:
                delta, own = found[key] - merged.get(key, 0.0), ("spread", key)
                spread = merged.get(own, 0.0) + found.get(own, 0.0)
                merged[own] = spread + delta**2 * (block.start * share)
                merged[key] = merged.get(key, 0.0) + delta * share
        return merged
