"""An exercise: a function to write, and verdicts on the answers that students give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Verdict:
    """Verdict on an answer; true if the answer is right."""

    right: bool
    reason: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{'right' if self.right else 'not yet'}: {self.reason}"


@dataclass(frozen=True)
class Exercise:
    """A function that a student writes, compared with the solution case by case.

    Attributes
    ----------
    title : str
        What the function returns.
    cases : sequence of dict
        Arguments, by keyword, at which the answer is compared with the solution.
    solution : callable
        The right answer.
    praise : str
        What a right answer shows.
    mistakes : mapping of str to callable
        Wrong answers by the advice that helps. No two of them agree with each other, or with the
        solution, at all cases.
    """

    title: str
    cases: Sequence[Mapping[str, Any]]
    solution: Callable[..., Any]
    praise: str
    mistakes: Mapping[str, Callable[..., Any]]

    def mark(self, answer: Callable[..., Any]) -> Verdict:
        """Verdict on an answer: praise, advice on a known mistake, or the first case that fails."""
        takes = ", ".join(self.cases[0])
        given = []
        for case in self.cases:
            try:
                given.append(np.asarray(answer(**deepcopy(case)), dtype=float))
            except Exception as error:
                return Verdict(
                    False, f"a function of ({takes}) is called here; it raised {error!r}"
                )
        if self.agrees(given, self.solution):
            return Verdict(True, self.praise)
        for advice, mistake in self.mistakes.items():
            if self.agrees(given, mistake):
                return Verdict(False, advice)
        if self.agrees([-value for value in given], self.solution):
            return Verdict(False, "the sign is wrong")
        return Verdict(False, self._first(given))

    def agrees(self, given: Sequence[np.ndarray], function: Callable[..., Any]) -> bool:
        """Whether a function has the given values at all cases."""
        return all(_same(v, function(**c)) for v, c in zip(given, self.cases, strict=True))

    def _first(self, given: Sequence[np.ndarray]) -> str:
        for value, case in zip(given, self.cases, strict=True):
            wanted = np.asarray(self.solution(**case))
            if not _same(value, wanted):
                break
        at = ", ".join(f"{name}={argument}" for name, argument in case.items())
        if np.shape(value) != np.shape(wanted):
            return f"at {at} the shape is {np.shape(value)}, and should be {np.shape(wanted)}"
        return f"at {at} it is {_short(value)}, and should be {_short(wanted)}"


def _same(value: np.ndarray, wanted: Any) -> bool:
    wanted = np.asarray(wanted)
    return value.shape == wanted.shape and np.allclose(value, wanted, TOLERANCE, TOLERANCE)


def _short(value: np.ndarray) -> str:
    return np.array2string(value, precision=10, separator=", ")
