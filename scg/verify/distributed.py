"""Distributed: sums of gradients of many estimators, computed by workers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from scg.compile import compile
from scg.errors import BiasWarning
from scg.graph.core import CoreGraph
from scg.run.step import Step
from scg.seeds.noise import check_seed
from scg.verify.sampling import Totals, summed
from scg.workers import Crew, Work, tree_sum

#: Runs of a chunk, and those around whose mean all sums are taken.
CHUNK, PILOT = 4096, 4096


class Distributed:
    """Totals that a crew computes: the same bits, whoever computes which chunk.

    Chunks of runs do not depend on the number of workers, the noise of a run depends on its number
    alone, and sums of chunks are added over a fixed tree.
    """

    def __init__(
        self,
        crew: Crew,
        graph: CoreGraph,
        estimators: Mapping[str, Any],
        calls: Mapping[str, tuple[Any, Any, Any]],
        seed: Any,
        options: Mapping[str, Any],
    ):
        self.crew = crew
        check_seed(seed)
        self.work = Work(_building, (graph, dict(estimators), dict(calls), seed, dict(options)))

    def __call__(self, name: str, runs: int) -> Totals:
        """Totals over the runs of an estimator."""
        [pilot] = self.crew.values(self.work, [(name, range(min(runs, PILOT)), None)])
        centre = pilot.centre + pilot.total / min(runs, PILOT)
        spans = [range(k, min(k + CHUNK, runs)) for k in range(0, runs, CHUNK)]
        found = self.crew.values(self.work, [(name, span, centre) for span in spans])
        return Totals(**tree_sum([sums._asdict() for sums in found]) | {"centre": centre})


def compiled(graph: CoreGraph, estimator: Any, options: Mapping[str, Any]) -> Step:
    """A step, without warnings of bias: the table marks it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)
        return compile(graph, estimator, **options)


def _building(
    graph: CoreGraph,
    estimators: dict[str, Any],
    calls: dict[str, tuple[Any, Any, Any]],
    seed: Any,
    options: dict[str, Any],
) -> Callable[[tuple[str, range, Any]], Totals]:
    """Totals as a function of a chunk: an estimator, runs, and a centre; it compiles steps once."""
    steps: dict[str, Step] = {}

    def compute(chunk: tuple[str, range, Any]) -> Totals:
        name, runs, centre = chunk
        if name not in steps:
            steps[name] = compiled(graph, estimators[name], options)
        return summed(steps[name], steps[name].checked(*calls[name]), seed, runs, centre)

    return compute
