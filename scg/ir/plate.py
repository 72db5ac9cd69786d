"""Plates: named leading axes along which a model repeats itself independently."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.common.arguments import check_name, checked, kind
from scg.errors import DeclarationError

_serial = itertools.count()
#: Plates that were pickled or unpickled here, by their keys.
_travelled: weakref.WeakValueDictionary[str, Plate] = weakref.WeakValueDictionary()


@kind('a plate such as scg.Plate("particles", length=5)')
class Plate:
    """A named leading axis along which a model repeats itself independently.

    Use a plate for a batch, time steps or particles. Axes of an event, such as the units of a
    layer, belong to a node's shape instead: they are not independent repetitions.

    Parameters
    ----------
    name : str
        Its name; two plates of one name in a graph are an error.
    length : int, optional
        Fixed number of elements. By default the data of each call determine it.
    size : int, optional
        Number of elements of the full data, for a subsampled batch. Unless `reduce` is given, a
        cost is then summed over the plate and multiplied by ``size / elements``.
    reduce : {"mean", "sum"}, optional
        How costs on the plate enter the objective: by default as the mean, with `size` as the
        sum.
    """

    @checked('scg.Plate("batch")', DeclarationError)
    def __init__(
        self,
        name: str,
        *,
        length: int | None = None,
        size: int | None = None,
        reduce: str | None = None,
    ):
        check_name("a plate", name)
        if reduce not in (None, "mean", "sum"):
            raise DeclarationError(
                f'plate {name!r}: reduce must be "mean" or "sum", got {reduce!r}'
            )
        if reduce == "mean" and size is not None:
            raise DeclarationError(
                f"plate {name!r}: size={size} scales a sum over the plate; "
                'leave out reduce="mean" or leave out size'
            )
        self.name = name
        self.length = None if length is None else int(length)
        self.size = None if size is None else int(size)
        self.reduce = reduce
        self.rank = (
            2  # order of axes: runs and other lifted axes (0), an estimator's (1), a user's (2)
        )
        self.serial = next(_serial)
        self._like: Plate | None = None
        self._key = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a plate, which stays one object wherever it arrives, in however many pickles."""
        self._key = self._key or os.urandom(16).hex()
        _travelled[self._key] = self
        return _arrived, (self._key, type(self), self.__dict__)

    def elements(self, sizes: Mapping[Plate, int]) -> int:
        """Number of elements, given those of the plates whose length is not fixed."""
        return sizes[self._like or self] if self.length is None else self.length

    def of_length(self, length: int | None) -> Plate:
        """Another plate, with a fixed length or without, in the same place among the axes."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__, length=length, _key="")
        return other

    def twin(self) -> Plate:
        """Plate of the compiler of the same size, for pairs of elements."""
        twin = Plate.internal(f"left out of {self.name}", self.length, rank=1)
        twin._like = self._like or self
        return twin

    @classmethod
    def internal(cls, name: str, length: int | None, rank: int) -> Plate:
        """Plate that the compiler owns: samples of an estimator (rank 1) or runs (rank 0)."""
        plate = cls(name, length=length)
        plate.rank = rank
        return plate

    @property
    def owned_by_user(self) -> bool:
        """Whether a user declared the plate, and not an estimator or the compiler."""
        return self.rank == 2

    def __repr__(self) -> str:
        return f"Plate({self.name!r})"


def _arrived(key: str, cls: type[Plate], state: dict[str, Any]) -> Plate:
    """The plate of a pickle: the one that is here, if it is."""
    plate = cls.__new__(cls)
    plate.__dict__.update(state)
    return _travelled.setdefault(key, plate)


@kind('an ordered plate such as scg.Time("t")')
class Time(Plate):
    """A plate whose elements follow each other: the steps of a sequence, along which scans recur.

    Use it where a step depends on the step before; see :meth:`scg.Graph.scan`. Otherwise it is a
    plate as any other, and a node on it is repeated independently. Costs are summed over it by
    default.

    Parameters
    ----------
    name : str
        Its name.
    length : int, optional
        Fixed number of steps. By default the data of each call determine it.
    reduce : {"sum", "mean"}
        How costs on the plate enter the objective.

    Examples
    --------
    >>> import scg
    >>> steps = scg.Time("t", length=3)
    >>> g = scg.Graph("walk")
    >>> def cell(x):
    ...     y = g.sample("y", scg.Normal(x, 1.0))
    ...     g.cost("size", y**2)
    ...     return y
    >>> last = g.scan(cell, init=g.parameter("start", 2.0), over=steps)
    >>> round(scg.compile(g)(g.init(seed=0), seed=0, runs=1000).cost, 0)  # 3 · 2² + 1 + 2 + 3
    18.0
    """

    @checked('scg.Time("t")', DeclarationError)
    def __init__(self, name: str, *, length: int | None = None, reduce: str = "sum"):
        super().__init__(name, length=length, reduce=reduce)

    def __repr__(self) -> str:
        return f"Time({self.name!r})"


@dataclass(frozen=True)
class Direction:
    """That paths along an ordered plate never lead to earlier steps, or never to later ones."""

    plate: Plate
    onward: bool

    @property
    def name(self) -> str:
        """The plate, and where paths lead."""
        return f"{'≥' if self.onward else '≤'} {self.plate.name}"


@dataclass(frozen=True)
class Apart:
    """That each path along an ordered plate leads at least some steps away."""

    plate: Plate
    steps: int = 1

    @property
    def name(self) -> str:
        """The plate, and how far paths lead."""
        return f"≥ {self.steps} from {self.plate.name}"


@dataclass(frozen=True)
class Within:
    """That no path along an ordered plate leads more than some steps away."""

    plate: Plate
    steps: int

    @property
    def name(self) -> str:
        """The plate, and how far paths lead."""
        return f"≤ {self.steps} from {self.plate.name}"


#: The most steps of which paths are told apart.
LAGS = 3
_LAGS = range(1, LAGS + 1)


def same(plates: Iterable[Plate]) -> frozenset[Any]:
    """What holds of a path that stays where it is: plates, and no steps to either side."""
    own = tuple(plates)
    times = [plate for plate in own if isinstance(plate, Time)]
    sides = (Direction(plate, onward) for plate in times for onward in (False, True))
    return frozenset((*own, *sides, *(Within(plate, k) for plate in times for k in _LAGS)))


def survivors(plates: Iterable[Plate]) -> frozenset[Any]:
    """What may hold of a path to an expression on these plates."""
    own = tuple(plates)
    times = (plate for plate in own if isinstance(plate, Time))
    return same(own).union(Apart(plate, k) for plate in times for k in _LAGS)


def one_step(sep: frozenset[Any], plate: Plate, onward: bool) -> frozenset[Any]:
    """What holds of a path that also leads to the next step, or to the one before."""
    others = frozenset(x for x in sep if x is not plate and getattr(x, "plate", None) is not plate)
    way = Direction(plate, onward)
    if way not in sep:
        return others
    near = {k for k in _LAGS if (Within(plate, k - 1) if k > 1 else plate) in sep}
    far = {k for k in _LAGS if k == 1 or Apart(plate, k - 1) in sep}
    return others.union([way], (Within(plate, k) for k in near), (Apart(plate, k) for k in far))


def lags(sep: Container[Any], plate: Plate) -> tuple[int, int | None]:
    """The fewest and the most steps that paths lead along a plate in their direction.

    The second one is None if there is no bound that :data:`LAGS` tells apart.
    """
    fewest = max((k for k in _LAGS if Apart(plate, k) in sep), default=0)
    return fewest, min((k for k in _LAGS if Within(plate, k) in sep), default=None)


def sign(sep: Container[Any], plate: Plate, back: bool = False) -> str:
    """Where paths lead along a plate that does not survive, to be followed by the plate's name.

    It is ">", "≥", "<" or "≤", or such as "0 to 2 after"; empty if they lead anywhere. With `back`
    it says where paths begin.
    """
    onward = Direction(plate, True) in sep
    if plate in sep or not (onward or Direction(plate, False) in sep):
        return ""
    later, (fewest, most) = onward is not back, lags(sep, plate)
    if most is None and fewest < 2:
        return ("≥>" if later else "≤<")[fewest]
    to = " or more" if most is None else f" to {most}" if most > fewest else ""
    return f"{fewest}{to} {'after' if later else 'before'}"


Plates = tuple[Plate, ...]


def ordered(plates: Iterable[Plate]) -> Plates:
    """Distinct plates in canonical order, which is the order of array axes."""
    return tuple(sorted(set(plates), key=lambda plate: (plate.rank, plate.serial)))


def as_plates(plates: Plate | Iterable[Plate] | None) -> Plates:
    """One plate, several, or None as a tuple in canonical order."""
    if plates is None:
        return ()
    several = np.iterable(plates) and not isinstance(plates, str)
    group: tuple[Any, ...] = tuple(plates) if several else (plates,)  # pyright: ignore
    for plate in group:
        if not isinstance(plate, Plate):
            raise DeclarationError(f"expected a scg.Plate, got {plate!r}")
    return ordered(group)
