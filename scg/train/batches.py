"""Shuffled mini-batches of the data that lie on one plate."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import numbers_of, said
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.plate import Plate, Time
from scg.run.step import Step
from scg.seeds.noise import generator
from scg.train.check import check_count

Data = dict[str, np.ndarray]
Transform = Callable[[Data, tuple[int, ...]], Data]


class Batches:
    """The mini-batches of a run, made from arrays; they depend on the seed alone.

    For data that change or do not fit into memory, see :class:`Stream`.

    Parameters
    ----------
    graph : Graph or Step
        The model; a step, where nodes are recorded (``scg.compile(g, given=…)``).
    data : mapping
        Arrays by name; those on the batch plate hold all examples.
    batch_size : int or None
        Examples of a batch; None takes all of them in their order.
    seed : tuple of int
        Seed of the shuffling. Every epoch is shuffled anew, and what is left over after the last
        whole batch is left out.
    plate : str, optional
        The batch plate; needed where data lie on several plates without a fixed length.
    steps_per_epoch : int, optional
        Batches of an epoch where no data lie on a plate.
    transform : callable, optional
        ``transform(batch, seed) -> batch``, applied to each batch, such as
        :class:`scg.data.Binarize`.
    """

    def __init__(
        self,
        graph: CoreGraph | Step,
        data: Mapping[str, Any],
        batch_size: int | None,
        seed: tuple[int, ...],
        plate: str | None = None,
        steps_per_epoch: int | None = None,
        transform: Transform | None = None,
    ):
        self._loose = padded_data(graph)
        self.data = {name: checked_array(name, x, self._loose) for name, x in data.items()}
        for name in graph.data_nodes:
            if name not in self.data:
                raise CallError(f"data {name!r} is missing: fit(step, params, {{{name!r}: ...}})")
        self.seed = seed
        self.transform = transform
        self.axes, _ = axes_of(graph, self.data, plate)
        self.examples = _examples(self.data, self.axes)
        self.batch_size = batch_size
        if not self.axes:
            if batch_size is not None or steps_per_epoch is None:
                raise CallError(
                    "no data lie on a plate without a fixed length, so there are no mini-batches: "
                    "leave out batch_size and give steps_per_epoch"
                )
            self.per_epoch = check_count("steps_per_epoch", steps_per_epoch)
            return
        if not self.examples:
            raise CallError("the data hold no examples; a batch needs at least one")
        size = check_count("batch_size", self.examples if batch_size is None else batch_size)
        if size > self.examples:
            raise CallError(f"batch_size is {size}, but the data hold {self.examples} examples")
        whole = self.examples // size
        self.size = size
        self.per_epoch = whole
        if steps_per_epoch is not None:
            self.per_epoch = check_count("steps_per_epoch", steps_per_epoch)
        if self.per_epoch > whole:
            raise CallError(
                f"steps_per_epoch is {self.per_epoch}, but the data hold {whole} batches of {size}"
            )
        self._order: tuple[int, np.ndarray] = (-1, np.arange(0))
        self._whole: tuple[int, Data] = (-1, {})

    def __getitem__(self, count: int) -> Data:
        """Batch `count` of the run, counted from 0 through all epochs."""
        batch = self.data
        if self.axes and self.batch_size is not None:
            batch = taken(self.data, self.axes, self.chosen(count))
        return transformed(self.transform, batch, (*self.seed, count), self._loose)

    def part(self, count: int, examples: range) -> Data:
        """Some examples of batch `count`, by their places in it; a transform sees all of it."""
        if self.transform is None:
            return taken(self.data, self.axes, self.chosen(count)[examples])
        whole = self._whole  # workers may be threads
        if whole[0] != count:
            whole = self._whole = (count, self[count])
        return taken(whole[1], self.axes, np.asarray(examples))

    def chosen(self, count: int) -> np.ndarray:
        """The numbers of the examples of batch `count`."""
        if self.batch_size is None:
            return np.arange(self.examples)
        epoch, position = divmod(count, self.per_epoch)
        return self._shuffled(epoch)[position * self.size : (position + 1) * self.size]

    def _shuffled(self, epoch: int) -> np.ndarray:
        order = self._order
        if order[0] != epoch:
            rng = generator((*self.seed, epoch), "fit:shuffle")
            self._order = order = (epoch, rng.permutation(self.examples))
        return order[1]


def taken(data: Mapping[str, Any], axes: Mapping[str, int], chosen: np.ndarray) -> Data:
    """The chosen examples, and the data that all examples share."""
    return {
        name: np.take(array, chosen, axis=axes[name]) if name in axes else array
        for name, array in data.items()
    }


def axes_of(
    graph: CoreGraph | Step, data: Mapping[str, np.ndarray], plate: str | None
) -> tuple[dict[str, int], Plate | None]:
    """The axis of the batch plate in each array that lies on it, and the plate."""
    nodes = {name: graph.data_nodes[name] for name in data if name in graph.data_nodes}
    for name in data:
        if name not in nodes:
            known = ", ".join(map(repr, graph.data_nodes)) or "none"
            raise CallError(f"unknown data {name!r}; the graph declares {known}")
    free: dict[str, Plate] = {
        p.name: p for node in nodes.values() for p in node.plates if p.length is None
    }
    if plate is None:  # steps of a sequence are not examples
        free = {n: p for n, p in free.items() if not isinstance(p, Time)} or free
    if plate is None and len(free) > 1:
        raise CallError(
            f"data lie on the plates {', '.join(map(repr, free))}; say which one is split into "
            f"mini-batches: plate={next(iter(free))!r}"
        )
    if plate is not None and plate not in free:
        raise CallError(
            f"plate {plate!r} carries no data; plates that do: {', '.join(free) or 'none'}"
        )
    batch = free.get(plate or next(iter(free), ""))
    axes = {n: node.plates.index(batch) for n, node in nodes.items() if batch in node.plates}
    return axes, batch


def _examples(data: Mapping[str, np.ndarray], axes: Mapping[str, int]) -> int:
    counts = {}
    for name, axis in axes.items():
        if data[name].ndim <= axis:
            raise CallError(f"data {name!r} lacks the batch axis: its shape is {data[name].shape}")
        counts[name] = data[name].shape[axis]
    if len(set(counts.values())) > 1:
        raise CallError(f"data disagree on the number of examples: {counts}")
    return next(iter(counts.values()), 0)


def transformed(
    transform: Transform | None, batch: Data, seed: tuple[int, ...], loose: Container[str]
) -> Data:
    """What a transform makes of a batch; it may write into its arrays, which are copies."""
    if transform is None:
        return batch
    found = transform({name: x.copy() for name, x in batch.items()}, seed)
    if not isinstance(found, Mapping):
        raise CallError(
            f"transform must return a batch, a mapping from names to arrays, got {said(found)}"
        )
    return {name: checked_array(name, x, loose) for name, x in found.items()}


def padded_data(graph: CoreGraph | Step) -> frozenset[str]:
    """Names of data on ordered plates, whose padded steps may hold NaN; calls check the cost."""
    nodes = graph.data_nodes.items()
    return frozenset(name for name, x in nodes if any(isinstance(p, Time) for p in x.plates))


def checked_array(name: str, value: Any, loose: Container[str] = ()) -> np.ndarray:
    """Data as an array of numbers, which are finite unless its name is in `loose`."""
    array = numbers_of(f"data {name!r}", value)
    if array.dtype.kind == "f" and name not in loose and not np.all(np.isfinite(array)):
        bad = int(np.size(array) - np.count_nonzero(np.isfinite(array)))
        raise CallError(f"data {name!r}: {bad} of {array.size} values are not finite")
    return array
