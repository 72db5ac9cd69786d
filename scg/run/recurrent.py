"""Recurrent steps: a graph with scans, run as loops, or compiled for each length of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scg.graph.core import CoreGraph
from scg.ir import collector
from scg.ir.plate import Plate, ordered
from scg.run.runner import Sizes
from scg.run.step import Step

#: Lengths that are kept.
LENGTHS = 64


class RecurrentStep(Step):
    """The step of a graph with scans: `rolled` runs them as loops, for any length.

    Where that is None, because estimators look at steps one by one, the graph is unrolled for each
    length. The plan, the surrogate and the program that the step shows are then those of the
    lengths `short`, at which each node influences a cost.
    """

    def __init__(
        self,
        graph: CoreGraph,
        of_length: Callable[[Mapping[Plate, int]], Step],
        rolled: Step | None,
        short: Mapping[Plate, int],
    ):
        self.plates = ordered(scan.plate for scan in graph.scans.values())
        self.rolled = rolled
        self._of_length = of_length
        self._steps: dict[tuple[int, ...], Step] = {}
        shown = rolled or self.unrolled(short)
        super().__init__(
            graph, shown.plan, shown.surrogate, shown.program, shown.curvature, shown.check_finite
        )

    @property
    def any_length(self) -> bool:
        """Whether the scans run as loops."""
        return self.rolled is not None

    def at(self, sizes: Sizes) -> Step:
        """The step that runs sequences of a length, compiled when it is first needed."""
        return self.rolled or self.unrolled(sizes)

    def unrolled(self, sizes: Sizes) -> Step:
        """The step of the unrolled graph."""
        return self._unrolled(tuple(sizes[plate] for plate in self.plates))

    def _unrolled(self, lengths: tuple[int, ...]) -> Step:
        if lengths not in self._steps:
            for old in list(self._steps)[: 1 - LENGTHS]:
                self._steps.pop(old, None)
            with collector.paused():
                made = self._of_length(dict(zip(self.plates, lengths, strict=True)))
            self._steps.setdefault(lengths, made)
        return self._steps[lengths]
