"""Shards: updates whose gradients workers compute, each on a part of the batch."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.compile import compile
from scg.compiler.objective import reduction
from scg.errors import BiasWarning, CallError
from scg.graph.core import CoreGraph
from scg.ir.op import POSITION
from scg.ir.plate import Plate
from scg.run.result import Result
from scg.run.step import Step
from scg.train.batches import Batches, Data, Transform, axes_of, taken
from scg.train.stream import Stream
from scg.train.update import Snapshot, Update
from scg.workers import Crew, Work, tree_sum


class Shard(NamedTuple):
    """A part of a batch, as it is sent to a worker."""

    number: int
    weight: float  #: Of its cost in that of the batch.
    share: float  #: Of the batch's examples.
    data: Data  #: Arrays; with a loader none.
    chosen: np.ndarray  #: Numbers of the examples.
    seed: tuple[int, ...]  #: Of the transform; empty if it has been applied.


class Shards:
    """The batches of a run, each split into `count` parts along the plate of the examples.

    With a loader, workers have the data and get the numbers of examples alone.
    """

    def __init__(
        self, step: Step, batches: Batches | Stream, count: int, plate: str | None, loads: bool
    ):
        self.batches, self.count, self.loads = batches, count, loads
        self.graph, self.plate = step.graph, plate
        self.axes, on = axes_of(step.graph, dict(batches[0]), plate)
        if on is None:
            raise CallError(
                "fit: executor= splits the examples of a batch, but no data lie on a plate"
            )
        self.summed = _summed(step, on)

    def __getitem__(self, count: int) -> list[Shard]:
        """The parts of batch `count`."""
        batches, batch = self.batches, {}
        if self.loads:
            assert isinstance(batches, Batches)
            every = batches.chosen(count)
        else:
            batch = batches[count]
            name, axis = next(iter(self.axes.items()))
            every = np.arange(batch[name].shape[axis])
        parts = np.array_split(every, min(self.count, len(every)))
        seed = (*batches.seed, count) if self.loads else ()
        found = []
        for i, chosen in enumerate(parts):
            share = len(chosen) / len(every)
            data = taken(batch, self.axes, chosen)
            weight = 1.0 if self.summed else share
            found.append(Shard(i, weight, share, data, chosen, (*seed, i) if seed else ()))
        return found


class ShardedUpdate(Update):
    """Makes updates whose estimates are summed over shards, in a fixed order.

    Shard i of a batch takes the noise of run i of the update's seed.
    """

    def __init__(self, step: Step, optimizer: Any, own_optimizer: Any, crew: Crew, work: Work):
        super().__init__(step, optimizer, own_optimizer)
        self.crew, self.work = crew, work

    def estimate(self, now: Snapshot, batch: Any, seed: Any) -> Result:
        """The estimates of a batch, which is a list of shards."""
        chunks = [(now.params, now.state, seed, shard) for shard in batch]
        found = tree_sum(self.crew.values(self.work, chunks))
        return Result(found, 1, now.state, self.step.layout)


def work_of(
    step: Step,
    make_step: Callable[[], Step] | None,
    loader: Callable[[], Mapping[str, Any]] | None,
    shards: Shards,
    transform: Transform | None,
) -> Work:
    """What workers build: the step, and its data if they load them."""
    if make_step is None:
        chosen = {str(node.name): own for node, own in step.plan.estimators.items()}
        options = {
            "backend": step.program.backend,
            "dtype": str(np.dtype(step.program.dtype)),
            "check_finite": step.check_finite,
        }
        make_step = functools.partial(_compiled, step.graph, chosen, options)
    return Work(_estimating, (make_step, loader, shards.axes, transform if loader else None))


def _compiled(graph: CoreGraph, estimators: dict[str, Any], options: dict[str, Any]) -> Step:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)  # the user was warned
        return compile(graph, estimators or None, **options)


def _estimating(
    make_step: Callable[[], Step],
    loader: Callable[[], Mapping[str, Any]] | None,
    axes: Mapping[str, int],
    transform: Transform | None,
) -> Callable[[Any], dict[Any, np.ndarray]]:
    """Weighted estimates of a shard by output."""
    step, loaded = make_step(), loader() if loader else {}

    def compute(chunk: tuple[Any, Any, Any, Shard]) -> dict[Any, np.ndarray]:
        params, state, seed, shard = chunk
        data = taken(loaded, axes, shard.chosen) if loader else shard.data
        if transform and shard.seed:
            data = transform(data, shard.seed)
        values, sizes, _ = step.checked(params, data, state)
        runner = step.at(sizes)
        [out] = runner.each_block(values, sizes, seed, 1, shard.number)
        return {
            key: value[0] * (shard.share if key[0] == "state" else shard.weight)
            for key, value in out.items()
        }

    return compute


def _summed(step: Step, plate: Plate) -> bool:
    """Whether costs are summed over the examples; raise if parts of a batch do not add up."""
    name = f"plate {plate.name!r}"
    for expr in step.plan.influence.order:
        lost = plate not in expr.plates and any(plate in arg.plates for arg in expr.args)
        if lost or (expr.op is POSITION and plate in expr.plates):
            where = f" (node {expr.name!r})" if expr.name else ""
            raise CallError(
                f"fit: executor= splits the examples of {name}, but {expr.op.name!r}{where} mixes "
                "them; leave executor= out"
            )
    kinds = {
        plate in node.plates and plate.size is None and reduction(plate, node) == "sum"
        for node in step.graph.costs.values()
    }
    if len(kinds) > 1:
        raise CallError(
            f"fit: executor= splits the examples of {name}, over which one cost is summed and "
            f'another is not; write scg.Plate({plate.name!r}, size=N), or reduce="mean"'
        )
    return kinds.pop()
