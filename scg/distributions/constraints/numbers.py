"""Constraints on numbers: intervals, integers, and unions of sets."""

from __future__ import annotations

import builtins
import functools
from typing import Any

import numpy as np

from scg.errors import UnsupportedError
from scg.ir.expr import Expr
from scg.ir.op import DATA
from scg.ops.elementary import floor
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
from scg.ops.within import bounds


class Constraint:
    """A set of values.

    Attributes
    ----------
    name : str
        What a value in it is, as an adjective or a noun: "positive", "a point on the simplex".
    axes : int
        Number of trailing axes that one value takes.
    kind : {"real", "integer", "mixed"}
        Whether a law on the set has a density, probabilities, or both.
    fixed : bool
        Whether the set is known without the values of nodes.
    low, high : float or node
        The least and the largest number in a value.
    """

    name: str = "real"
    axes: int = 0
    kind: str = "real"
    fixed: bool = True
    low: Any = -np.inf
    high: Any = np.inf

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Say of each value whether it lies in the set; NaN never does."""
        raise NotImplementedError

    def transform(self, u: Any) -> Any:
        """Map unconstrained numbers of the same shape into the set."""
        raise UnsupportedError(f"no parameter can be constrained to be {self.name}")

    def inverse(self, x: Any) -> Any:
        """Return an argument that :meth:`transform` maps to `x`."""
        raise UnsupportedError(f"no parameter can be constrained to be {self.name}")

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Return (y, low, high, closed): y lies between the bounds where `x` lies in the set.

        None says that all numbers do, or that those of the node `x` are known to. The test is
        that of log-densities: it lets pass what they extend to, such as means of integers.
        """
        return None

    @property
    def inside(self) -> Any:
        """The numbers of a value in the set, not at its end."""
        return 0.0

    def same(self, other: Constraint) -> bool:
        """Whether it is the same set, for all values of nodes."""
        mine, its = (self.low, self.high), (other.low, other.high)
        return type(self) is type(other) and all(
            a is b or (not isinstance(a, Expr) and not isinstance(b, Expr) and np.array_equal(a, b))
            for a, b in zip(mine, its, strict=True)
        )

    def hit(self, x: Any) -> Any:
        """Whether all numbers of an event are what the law may draw, given that :meth:`test` is so.

        For laws with probabilities, kind "integer".
        """
        return equal(max(absolute(x - floor(x))), 0.0)

    def complaint(self, x: Any) -> str | None:
        """Say what is wrong with the first value outside the set, or return None."""
        x = np.asarray(x)
        if x.ndim < self.axes:
            return f"must be {self.name}, got shape {x.shape}"
        bad = ~np.asarray(self.contains(x))
        if not bad.any():
            return None
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        value = x[where]
        place = f" at index {', '.join(map(str, where))}" if where else ""
        return f"must be {self.name}, got {np.array2string(value, precision=6)}{place}"

    def __repr__(self) -> str:
        return f"<constraint: {self.name}>"


class Interval(Constraint):
    """Numbers between two bounds, which may be nodes of a distribution's parameters.

    Parameters
    ----------
    low, high : float or node
        The bounds.
    closed : bool
        Whether the bounds belong to the set.
    name : str, optional
        How messages call it.
    """

    def __init__(self, low: Any, high: Any, *, closed: bool = True, name: str | None = None):
        self.low, self.high, self.closed = low, high, closed
        self.fixed = not isinstance(low, Expr) and not isinstance(high, Expr)
        self.name = name or f"between {low} and {high}"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Compare with the bounds."""
        if self.closed:
            return (x >= self.low) & (x <= self.high)
        return (x > self.low) & (x < self.high)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Compare with the bounds."""
        return None if known(x, self.low, self.high) else (x, self.low, self.high, self.closed)

    @property
    def inside(self) -> Any:
        """The middle; without an upper bound, one more than the lower."""
        endless = not isinstance(self.high, Expr) and np.all(np.isinf(self.high))
        return self.low + 1.0 if endless else 0.5 * (self.low + self.high)


class Angles(Interval):
    """Angles in a full turn: log-densities are the same after each further turn."""

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Let all finite angles pass."""
        return (x, -np.inf, np.inf, True) if given(x) else None


class Union(Constraint):
    """What lies in one of several sets, each of values of as many axes.

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
        """In any of them."""
        each = [
            part.contains(x).all(axis=tuple(range(part.axes - self.axes, 0))) for part in self.parts
        ]
        return np.logical_or.reduce(each)

    def hit(self, x: Any) -> Any:
        """What one of them draws."""
        return functools.reduce(logical_or, (part.hit(x) for part in self.parts))

    def same(self, other: Constraint) -> bool:
        """Whether it is a union of the same sets in the same order."""
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
        return np.isfinite(x).all(axis=tuple(range(-self.axes, 0)))

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Find infinite numbers among those that a user gives; none is computed."""
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


class Logits(Constraint):
    """Log-probabilities up to a constant: −∞ is an impossible class."""

    name = "a number less than infinity"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Less than infinity."""
        return x < np.inf


class Integers(Constraint):
    """Integers from a lower to an upper bound."""

    kind = "integer"

    def __init__(self, low: float, high: float, name: str):
        self.low, self.high, self.name = low, high, name

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Within the bounds and without a fraction."""
        return (x >= self.low) & (x <= self.high) & (x == np.floor(x))

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Compare with the bounds, half a step further: means lie between, and sums are rounded."""
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
        """Equal to it."""
        return x == self.low

    def hit(self, x: Any) -> Any:
        """All numbers are equal to it."""
        return equal(max(absolute(x - self.low)), 0.0)

    @property
    def inside(self) -> Any:
        """The value."""
        return self.low


def given(x: Any) -> bool:
    """Whether the numbers are a user's: an array, or data, also under a mask."""
    if not isinstance(x, Expr):
        return True
    if x.op.name in ("where", "expand", "mixed_supports"):
        return any(map(given, x.args))
    return x.op is DATA or (x.value is not None and not np.isfinite(x.value).all())


def known(x: Any, low: Any, high: Any) -> bool:
    """Whether the numbers of a node are known to lie between two bounds."""
    if isinstance(low, Expr) or isinstance(high, Expr):
        return False
    least, largest = bounds(x)
    return bool(np.all(least >= low) and np.all(largest <= high))
