"""Recurrent steps: a graph with scans, compiled for each length that a call brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scg.graph.core import CoreGraph
from scg.ir.plate import Plate, ordered
from scg.run.runner import Sizes
from scg.run.step import Step

#: The length of the sequence for which a graph is compiled to be checked and explained: a path
#: begins at a step, crosses another and ends at a third, and longer ones repeat the second.
PROBE = 3
#: Lengths that are kept.
LENGTHS = 64


class RecurrentStep(Step):
    """The step of a graph with scans, unrolled for each length.

    The plan, the surrogate and the program that it shows are those of a sequence of three steps.
    """

    def __init__(self, graph: CoreGraph, of_length: Callable[[Mapping[Plate, int]], Step]):
        self.plates = ordered(scan.plate for scan in graph.scans.values())
        self.of_length = of_length
        self.steps: dict[tuple[int, ...], Step] = {}
        probe = self._step(tuple(plate.length or PROBE for plate in self.plates))
        super().__init__(
            graph,
            probe.plan,
            probe.surrogate,
            probe.program,
            probe.curvature,
            probe.check_finite,
        )

    def at(self, sizes: Sizes) -> Step:
        """The step for sequences of one length, which is compiled when it is first needed."""
        return self._step(tuple(sizes[plate] for plate in self.plates))

    def _step(self, lengths: tuple[int, ...]) -> Step:
        if lengths not in self.steps:
            for old in list(self.steps)[: 1 - LENGTHS]:
                self.steps.pop(old, None)
            made = self.of_length(dict(zip(self.plates, lengths, strict=True)))
            self.steps.setdefault(lengths, made)
        return self.steps[lengths]
