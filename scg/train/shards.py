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
from scg.train.batches import Batches, Data, axes_of, taken
from scg.train.stream import Stream
from scg.train.update import Snapshot, Update
from scg.workers import Crew, Work, tree_sum


class Shard(NamedTuple):
    """A part of a batch, as it is sent to a worker."""

    count: int  #: Of the batch.
    examples: range  #: The part's.
    total: int  #: Examples of the batch.
    weight: float  #: Of its cost in that of the batch.
    data: Data  #: Arrays; with a loader none.


class Shards:
    """The batches of a run, each split into `count` parts along the plate of the examples.

    With a loader, workers have the data and get the numbers of examples alone.
    """

    def __init__(
        self, step: Step, batches: Batches | Stream, count: int, plate: str | None, loads: bool
    ):
        if step.plan.stream:
            raise CallError("fit: executor= splits batches, but this step takes windows (stream=)")
        if loads and not isinstance(batches, Batches):
            raise CallError(
                "fit: with executor= a function must load arrays by name, of which workers take "
                "their parts; give an iterable of batches itself, data=batches"
            )
        self.batches, self.count, self.loads = batches, count, loads
        self.axes, on = axes_of(step, dict(batches[0]), plate)
        if on is None:
            raise CallError(
                "fit: executor= splits the examples of a batch, but no data lie on a plate without "
                "a fixed length"
            )
        self.plate = on.name
        self.summed = _summed(step, on)

    def __getitem__(self, count: int) -> list[Shard]:
        """The parts of batch `count`."""
        batches, batch = self.batches, {}
        if self.loads:
            assert isinstance(batches, Batches)
            total = len(batches.chosen(count))
        else:
            batch = batches[count]
            name, axis = next(iter(self.axes.items()))
            total = batch[name].shape[axis]
        found = []
        for part in np.array_split(np.arange(total), min(self.count, total)):
            examples = range(part[0], part[-1] + 1)
            weight = 1.0 if self.summed else len(part) / total
            data = taken(batch, self.axes, part)
            found.append(Shard(count, examples, total, weight, data))
        return found


class ShardedUpdate(Update):
    """Makes updates whose estimates are summed over shards, in a fixed order."""

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
    shards: Shards,
    loader: Callable[[], Mapping[str, Any]] | None,
    how: tuple[Any, ...],
) -> Work:
    """What workers build: the step and, with a loader, batches: `how` is what they take."""
    plan = step.plan
    if make_step is None:
        declared = plan.influence.graph.declared_node  # a scan may be unrolled
        chosen = {declared(node.name or ""): own for node, own in plan.estimators.items()}
        options = {
            "backend": step.program.backend,
            "dtype": str(np.dtype(step.program.dtype)),
            "check_finite": step.check_finite,
            "truncate": plan.truncation,
            "given": dict(plan.given.nodes),
        }
        make_step = functools.partial(_compiled, step.graph, chosen, options)
    return Work(_estimating, (make_step, shards.plate, loader, how if loader else ()))


def _compiled(graph: CoreGraph, estimators: dict[str, Any], options: dict[str, Any]) -> Step:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)  # the user was warned
        return compile(graph, estimators or None, **options)


def _estimating(
    make_step: Callable[[], Step],
    plate: str,
    loader: Callable[[], Mapping[str, Any]] | None,
    how: tuple[Any, ...],
) -> Callable[[Any], dict[Any, np.ndarray]]:
    """Weighted estimates of a shard by output."""
    step = make_step()
    batches = Batches(step, loader(), *how) if loader else None
    learned = {memory.node: memory.parameters for memory in step.surrogate.memory.values()}

    def compute(chunk: tuple[Any, Any, Any, Shard]) -> dict[Any, np.ndarray]:
        params, state, seed, shard = chunk
        data = batches.part(shard.count, shard.examples) if batches else shard.data
        values, sizes, _ = step.checked(params, data, state)
        split = next(each for each in sizes if each.name == plate)
        runner, whole = step.at(sizes), {**sizes, split: shard.total}
        noise = runner.program.draw_noise(seed, range(1), whole, (split, shard.examples))
        share, weight = len(shard.examples) / shard.total, shard.weight
        # A variance is the sum of those of the parts; losses and states are means over examples.
        by_goal = {"loss": share, "objective": weight, "variance": weight**2}
        found = {}
        for key, value in runner.on_noise(values, noise, sizes, 1).items():
            match key:
                case ("state", *_):
                    factor = share
                case ("own", node, name):
                    factor = by_goal[learned[node][name]]
                case _:
                    factor = weight
            found[key] = value[0] * factor
        return found

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
