"""Windows: consecutive pieces of sequences without end, between which a step carries its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from scg.errors import CallError
from scg.estimators.truncation import ARTBP
from scg.run.step import Step
from scg.run.windows import cut, joined, ordered_axes, ordered_plate, steps_of
from scg.seeds.noise import generator
from scg.train.batches import Data, Transform, checked_array, padded_data, transformed
from scg.train.check import check_count


class Windows:
    """The windows of a run, one after the other.

    Where the data end, they are read anew, and a sequence begins. A resumed run first passes over
    the windows of the updates that were made.

    Parameters
    ----------
    step : Step
        What is trained; compiled with ``stream=True``.
    data : mapping, or iterable of mapping
        Arrays that hold whole sequences, or their pieces one after the other. Data that lie on no
        ordered plate are the same in each window.
    seed : tuple of int
        Seed of the run, from which the segments of :class:`ARTBP` are drawn.
    window : int, optional
        Steps of a window. Pieces are windows by default. Segments of ``ARTBP`` have random lengths.
    steps_per_epoch : int, optional
        Windows of an epoch; by default those of the data, where their number is known.
    transform : callable, optional
        See :class:`scg.train.Batches`.
    """

    def __init__(
        self,
        step: Step,
        data: Any,
        seed: tuple[int, ...],
        window: int | None,
        steps_per_epoch: int | None,
        transform: Transform | None,
    ):
        if step.surrogate.first.window is None:
            raise CallError(
                "fit: stream=True needs a step that takes its state over; compile it with "
                "scg.compile(g, truncate=scg.UORO(), stream=True)"
            )
        self.seed, self.transform, self.batch_size = seed, transform, window
        self._loose = padded_data(step)
        how = step.plan.truncation
        self._cuts = how if isinstance(how, ARTBP) else None
        if self._cuts is not None and window is not None:
            raise CallError(f"fit: the windows of {how!r} have random lengths; leave window out")
        if window is not None:
            check_count("window", window)
        self.data: Data = {}  # what a checkpoint compares
        self._pieces: Iterable[Mapping[str, Any]] = data
        if data is None or isinstance(data, Mapping):
            self.data = self._checked(data or {})
            self._pieces = [self.data]
        self._plate = ordered_plate(step.graph)
        if self._plate.length is not None and (window or self._cuts):
            raise CallError(
                f"fit: plate {self._plate.name!r} has the length {self._plate.length}, which is "
                "that of all windows; leave its length out"
            )
        self._axes = ordered_axes(step.graph, self._plate)
        self.per_epoch = self._count(steps_per_epoch)
        self._windows, self._taken = self._each(), 0
        self._last: tuple[Data, bool] = {}, True

    def __getitem__(self, count: int) -> Data:
        """Window `count` of the run; counts only rise, but one may be asked for twice."""
        batch, _ = self._at(count)
        return transformed(self.transform, batch, (*self.seed, count), self._loose)

    def begins(self, count: int) -> bool:
        """Whether a window begins a sequence."""
        return self._at(count)[1]

    def _at(self, count: int) -> tuple[Data, bool]:
        while self._taken <= count:
            self._last = next(self._windows)
            self._taken += 1
        return self._last

    def _each(self) -> Iterator[tuple[Data, bool]]:
        """The windows, and whether each begins a sequence."""
        rng = generator(self.seed, "fit:segments")
        if not self._axes:  # a sequence that no data measure has no end
            yield self.data, True
            while True:
                yield self.data, False
        while True:
            rest, begins, length = None, True, self._length(rng)
            for piece in self._pieces:
                rest = self._joined(rest, piece)
                while steps_of(rest, self._axes) >= (length or 1):
                    end = length or steps_of(rest, self._axes)
                    yield cut(rest, self._axes, 0, end), begins
                    rest = cut(rest, self._axes, end, None)
                    begins, length = False, self._length(rng)
            if rest is not None and steps_of(rest, self._axes):
                yield rest, begins
            elif begins:
                raise CallError(
                    "data: there is no further window; give arrays, or pieces that can be iterated "
                    "anew, or fewer epochs"
                )

    def _length(self, rng: np.random.Generator) -> int | None:
        """Steps of the next window; None for those of a piece."""
        return self.batch_size if self._cuts is None else self._cuts.segment(rng)

    def _count(self, given: int | None) -> int:
        """Windows of an epoch."""
        if given is not None:
            return check_count("steps_per_epoch", given)
        if self._axes and self._cuts is None and self.data and self.batch_size:
            return -(-steps_of(self.data, self._axes) // self.batch_size)
        try:
            if self._axes and self._cuts is None and not self.batch_size:
                return len(self._pieces)  # pyright: ignore[reportArgumentType]
        except TypeError:
            pass
        raise CallError(
            "the number of windows of these data is not known; say how many make an epoch: "
            "steps_per_epoch="
        )

    def _checked(self, data: Mapping[str, Any]) -> Data:
        return {name: checked_array(name, x, self._loose) for name, x in data.items()}

    def _joined(self, rest: Data | None, piece: Any) -> Data:
        """What is left of the pieces before, and another one."""
        if not isinstance(piece, Mapping):
            raise CallError(
                f"data: a piece is of type {type(piece).__name__}; expected a mapping from names "
                'to arrays such as {"x": x}'
            )
        found = self._checked(piece)
        missing = [name for name in self._axes if name not in found]
        for name in missing:
            raise CallError(f"data {name!r} is missing in a piece of the sequence")
        if rest is None or not steps_of(rest, self._axes):
            return found
        return joined(rest, found, self._axes)


def check_windows(**options: Any) -> None:
    """Raise where an option of mini-batches or workers meets windows."""
    for name, value in options.items():
        if value is not None:
            raise CallError(
                f"fit: {name}= does not go with stream=True, where each window has all sequences "
                "side by side; leave it out"
            )
