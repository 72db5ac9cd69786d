"""Constraints on numbers: intervals, integers, and unions."""

from __future__ import annotations

import builtins
import functools
from typing import Any

import numpy as np

from scg.distributions.constraints.constraint import Constraint, given, known
from scg.ir.expr import Expr
from scg.ops.elementwise import (
    absolute,
    equal,
    exp,
    expm1,
    log,
    log1p,
    logical_or,
    sigmoid,
    softplus,
    subtract,
)
from scg.ops.reductions import max


class Interval(Constraint):
    """Numbers between two bounds.

    Parameters
    ----------
    low, high : float or node
        The bounds; a distribution may give parameters that are nodes.
    closed : bool
        Whether the bounds belong to the set.
    name : str, optional
        Name in messages.
    """

    def __init__(self, low: Any, high: Any, *, closed: bool = True, name: str | None = None):
        self.low, self.high, self.closed = low, high, closed
        self.fixed = not isinstance(low, Expr) and not isinstance(high, Expr)
        self.name = name or f"between {low} and {high}"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether x is a finite number between the bounds."""
        if self.closed:
            return (x >= self.low) & (x <= self.high) & np.isfinite(x)
        return (x > self.low) & (x < self.high)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Compare with the bounds."""
        return None if known(x, self.low, self.high) else (x, self.low, self.high, self.closed)

    @property
    def inside(self) -> Any:
        """The middle; without an upper bound, the lower bound plus one."""
        endless = not isinstance(self.high, Expr) and np.all(np.isinf(self.high))
        return self.low + 1.0 if endless else 0.5 * (self.low + self.high)


class Angles(Interval):
    """Angles in a full turn; log-densities are periodic."""

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Pass all finite angles."""
        return (x, -np.inf, np.inf, True) if given(x) else None


class Union(Constraint):
    """Union of sets.

    Parameters
    ----------
    parts : Constraint
        The sets.
    """

    def __init__(self, *parts: Constraint):
        self.parts = parts
        self.axes = builtins.max(part.axes for part in parts)
        kinds = {part.kind for part in parts}
        self.kind = kinds.pop() if len(kinds) == 1 else "mixed"
        self.name = " or ".join(dict.fromkeys(part.name for part in parts))
        self.fixed = all(part.fixed for part in parts)
        if self.fixed:
            self.low = np.min([np.min(part.low) for part in parts])
            self.high = np.max([np.max(part.high) for part in parts])

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether x is in any of the sets."""
        each = [
            part.contains(x).all(axis=tuple(range(part.axes - self.axes, 0))) for part in self.parts
        ]
        return np.logical_or.reduce(each)

    def hit(self, x: Any) -> Any:
        """Whether one of the sets is hit."""
        return functools.reduce(logical_or, (part.hit(x) for part in self.parts))

    def same(self, other: Constraint) -> bool:
        """Whether the other is a union of the same sets in the same order."""
        return (
            isinstance(other, Union)
            and len(self.parts) == len(other.parts)
            and all(a.same(b) for a, b in zip(self.parts, other.parts, strict=True))
        )


class Real(Constraint):
    """Finite numbers."""

    def __init__(self, axes: int = 0):
        self.axes = axes

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Finite."""
        return np.asarray(np.isfinite(x).all(axis=tuple(range(-self.axes, 0))))

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Reject infinite numbers in arrays and data; computed nodes are not tested."""
        if not given(x):
            return None
        return max(absolute(x), -1) if self.axes else x, -np.inf, np.inf, True

    def transform(self, u: Any) -> Any:
        """u."""
        return u

    def inverse(self, x: Any) -> Any:
        """x."""
        return x


class Positive(Interval):
    """Positive numbers, by the softplus or the exponential function."""

    def __init__(self, by: str = "softplus"):
        super().__init__(0.0, np.inf, closed=False, name="positive")
        self.by = by

    def transform(self, u: Any) -> Any:
        """log(1 + exp(u)), or exp(u)."""
        return softplus(u) if self.by == "softplus" else exp(u)

    def inverse(self, x: Any) -> Any:
        """x + log(1 − exp(−x)), or log x."""
        return x + log(-expm1(-x)) if self.by == "softplus" else log(x)


class UnitInterval(Interval):
    """Numbers from 0 to 1, by the logistic function (which does not reach the ends)."""

    def __init__(self) -> None:
        super().__init__(0.0, 1.0, name="between 0 and 1")

    def transform(self, u: Any) -> Any:
        """1 / (1 + exp(−u))."""
        return sigmoid(u)

    def inverse(self, x: Any) -> Any:
        """log x − log(1 − x)."""
        return subtract(log(x), log1p(-x))


class Chance(UnitInterval):
    """Probabilities without one end, at which what is waited for never happens."""

    def __init__(self, without: float):
        super().__init__()
        self.without, self.name = without, f"between 0 and 1 and not {without:g}"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Between 0 and 1, but for the end."""
        return super().contains(x) & (x != self.without)


class Logits(Constraint):
    """Log-probabilities up to a constant: −∞ is an impossible class."""

    name = "a number less than infinity"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Less than infinity."""
        return x < np.inf


class ClassLogits(Constraint):
    """Log-probabilities of classes up to a constant, of which at least one is possible."""

    name, axes = "a vector of numbers less than infinity, of which one is finite", 1

    def contains(self, x: np.ndarray) -> np.ndarray:
        """All less than infinity, and not all −∞."""
        return np.all(x < np.inf, axis=-1) & np.any(x > -np.inf, axis=-1)


class Integers(Constraint):
    """Integers from a lower to an upper bound."""

    kind = "integer"

    def __init__(self, low: float, high: float, name: str):
        self.low, self.high, self.name = low, high, name

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether x is an integer within the bounds."""
        return (x >= self.low) & (x <= self.high) & (x == np.floor(x)) & np.isfinite(x)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Compare with bounds half a step further, because means and rounded sums must pass."""
        low, high = self.low, self.high
        if getattr(x, "kind", "float") == "int" and high < np.inf:
            low, high = int(low), int(high)
        else:
            low, high = low - 0.5, high + 0.5
        return None if known(x, low, high) else (x, low, high, True)

    @property
    def inside(self) -> int:
        """The lower bound."""
        return int(self.low)


class Point(Constraint):
    """A single value, the parameter of a distribution.

    Parameters
    ----------
    value : array_like or node
        The value.
    """

    kind, fixed = "integer", False  # a value that is given is rounded to the program's precision

    def __init__(self, value: Any):
        self.low = self.high = value
        self.name = f"{value}"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether x is the value."""
        return x == self.low

    def hit(self, x: Any) -> Any:
        """Whether all numbers are equal to the value."""
        return equal(max(absolute(x - self.low)), 0.0)

    @property
    def inside(self) -> Any:
        """The value."""
        return self.low
