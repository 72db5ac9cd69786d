"""Batches from an iterable: data that change, are made on the way, or do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import said
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.run.step import Step
from scg.train.batches import (
    Batches,
    Data,
    Transform,
    checked_array,
    padded_data,
    transformed,
)
from scg.train.check import check_count

_ENDED = object()


def loaded(loader: Callable[[], Any]) -> Any:
    """What a loader returns: a mapping, or an iterable of mappings."""
    data = loader()
    if not isinstance(data, Iterable) or isinstance(data, (str, bytes, np.ndarray)):
        raise CallError(
            "data: the function must return a mapping from names to arrays, or an iterable of "
            f"them, got {said(data)}"
        )
    return data


def make_batches(
    graph: CoreGraph | Step,
    data: Any,
    batch_size: int | None,
    seed: tuple[int, ...],
    plate: str | None,
    steps_per_epoch: int | None,
    transform: Transform | None,
) -> Batches | Stream:
    """The batches of arrays, or of an iterable of batches."""
    if data is None or isinstance(data, Mapping):
        return Batches(graph, data or {}, batch_size, seed, plate, steps_per_epoch, transform)
    if batch_size is not None or plate is not None:
        raise CallError("batch_size and plate split arrays; here data is an iterable of batches")
    return Stream(data, seed, steps_per_epoch, transform, padded_data(graph))


class Stream:
    """The batches of a run, one after the other, as an iterable yields them.

    Where the iterable ends, it is iterated anew; a resumed run first passes over the batches of the
    updates that were made.

    Parameters
    ----------
    batches : iterable of mapping
        Arrays by name; every batch may have another number of examples. An iterator (a generator)
        is used up: one that ends before the run is an error.
    seed : tuple of int
        Seed of the run.
    steps_per_epoch : int, optional
        Batches of an epoch; by default their number, where the iterable has a length.
    transform : callable, optional
        See :class:`scg.train.Batches`.
    loose : container of str
        Data that need not be finite everywhere: sequences, whose padded steps may hold anything.
    """

    def __init__(
        self,
        batches: Iterable[Mapping[str, Any]],
        seed: tuple[int, ...],
        steps_per_epoch: int | None = None,
        transform: Transform | None = None,
        loose: Container[str] = (),
    ):
        if steps_per_epoch is None:
            try:
                steps_per_epoch = len(batches)  # pyright: ignore[reportArgumentType]
            except TypeError:
                raise CallError(
                    "data is an iterable of batches without a length; say how many make an epoch: "
                    "steps_per_epoch="
                ) from None
        self.per_epoch = check_count("steps_per_epoch", steps_per_epoch)
        self.seed, self.transform, self._loose = seed, transform, loose
        self.batch_size: int | None = None
        self.data: Data = {}  # nothing that could be compared with that of a checkpoint
        self._batches, self._iterator = batches, iter(batches)
        self._taken, self._last = 0, {}

    def __getitem__(self, count: int) -> Data:
        """Batch `count` of the run; counts only rise, but one may be asked for twice."""
        while self._taken <= count:
            self._last = self._next()
            self._taken += 1
        return transformed(self.transform, self._last, (*self.seed, count), self._loose)

    def _next(self) -> Data:
        batch = next(self._iterator, _ENDED)
        if batch is _ENDED:
            self._iterator = iter(self._batches)
            batch = next(self._iterator, _ENDED)
        if batch is _ENDED:
            raise CallError(
                f"data: the iterable ended after {self._taken} batches; give one that can be "
                "iterated anew, such as a list, or fewer epochs"
            )
        if not isinstance(batch, Mapping):
            raise CallError(
                f"data: batch {self._taken} is of type {type(batch).__name__}; a batch is a "
                'mapping from names to arrays such as {"x": x}'
            )
        return {name: checked_array(name, value, self._loose) for name, value in batch.items()}
