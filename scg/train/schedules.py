"""Learning-rate schedules: functions of the number of updates made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scg.common.arguments import said
from scg.errors import CallError
from scg.train.check import check_count, check_number

Schedule = Callable[[int], float]


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2


@dataclass(frozen=True)
class ExponentialDecay:
    """Exponential decay: ``rate · decay ** (count / every)``.

    Not the distribution :class:`scg.Exponential`.

    Examples
    --------
    >>> ExponentialDecay(0.1, decay=0.5, every=100)(200)
    0.025
    """

    rate: float
    decay: float
    every: int = 1

    def __post_init__(self) -> None:
        check_number("ExponentialDecay: rate", self.rate, least=0.0)
        check_number("ExponentialDecay: decay", self.decay, least=0.0)
        check_count("ExponentialDecay: every", self.every)

    def __call__(self, count: int) -> float:
        """The rate after `count` updates."""
        return self.rate * self.decay ** (count / self.every)


@dataclass(frozen=True)
class Piecewise:
    """`rate` at first; from each count in `factors` on, multiplied with its factor.

    Parameters
    ----------
    rate : float
        The rate at first.
    factors : tuple of (int, float)
        Count and factor, in any order.

    Examples
    --------
    >>> rate = Piecewise(1.0, ((10, 0.1), (20, 0.5)))
    >>> rate(9), rate(10), rate(20)
    (1.0, 0.1, 0.05)
    """

    rate: float
    factors: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        check_number("Piecewise: rate", self.rate, least=0.0)
        match self.factors:
            case (tuple() | list()) as pairs if all(map(_is_pair, pairs)):
                for start, factor in pairs:
                    check_count("Piecewise: the count of a factor", start, least=0)
                    check_number("Piecewise: a factor", factor, least=0.0)
            case other:
                raise CallError(
                    "Piecewise: factors must be pairs of a count and a factor such as "
                    f"((10, 0.1), (20, 0.5)), got {said(other)}"
                )

    def __call__(self, count: int) -> float:
        """The rate after `count` updates."""
        return self.rate * math.prod(factor for start, factor in self.factors if count >= start)


@dataclass(frozen=True)
class Cosine:
    """From `rate` to `final` on half a cosine over `length` updates, after a linear warm-up.

    Loshchilov and Hutter (2017, without restarts).

    Examples
    --------
    >>> rate = Cosine(1.0, length=110, warmup=10)
    >>> [round(rate(n), 6) for n in (0, 4, 10, 60, 110, 500)]
    [0.1, 0.5, 1.0, 0.5, 0.0, 0.0]
    """

    rate: float
    length: int
    final: float = 0.0
    warmup: int = 0

    def __post_init__(self) -> None:
        check_number("Cosine: rate", self.rate, least=0.0)
        check_number("Cosine: final", self.final, least=0.0)
        check_count("Cosine: length", self.length)
        check_count("Cosine: warmup", self.warmup, least=0)

    def __call__(self, count: int) -> float:
        """The rate after `count` updates."""
        if count < self.warmup:
            return self.rate * (count + 1) / self.warmup
        done = min(1.0, (count - self.warmup) / max(1, self.length - self.warmup))
        return self.final + (self.rate - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))
