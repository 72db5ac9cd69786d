"""Constraints: sets of values, for parameters, supports and the bijections onto them.

A constraint says in NumPy whether a value lies in it, and, where a parameter may be constrained to
it, how all of ℝ is mapped onto it; the mapping keeps the shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Expr
from scg.ops.arrange import diagonal, tril
from scg.ops.elementwise import exp, expm1, log, log1p, sigmoid, softplus, subtract
from scg.ops.reductions import softmax
from scg.ops.shape import concatenate, cumsum, getitem, take_slice

_ROUNDING = 1e-5  # of sums to one, in single precision


class Constraint:
    """A set of values.

    Attributes
    ----------
    name : str
        What a value in it is, as an adjective or a noun: "positive", "a point on the simplex".
    axes : int
        Number of trailing axes that one value takes.
    kind : {"real", "integer"}
        Whether a law on the set has a density or probabilities.
    fixed : bool
        Whether the set is known without the values of nodes.
    """

    name: str = "real"
    axes: int = 0
    kind: str = "real"
    fixed: bool = True

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Say of each value whether it lies in the set; NaN never does."""
        raise NotImplementedError

    def transform(self, u: Any) -> Any:
        """Map unconstrained numbers of the same shape into the set."""
        raise UnsupportedError(f"no parameter can be constrained to be {self.name}")

    def inverse(self, x: Any) -> Any:
        """Return an argument that :meth:`transform` maps to `x`."""
        raise UnsupportedError(f"no parameter can be constrained to be {self.name}")

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


class Union(Constraint):
    """What lies in one of several sets, each of values of as many axes.

    Parameters
    ----------
    parts : Constraint
        The sets.
    """

    def __init__(self, *parts: Constraint):
        self.parts, self.axes, self.kind = parts, parts[0].axes, parts[0].kind
        self.name = " or ".join(dict.fromkeys(part.name for part in parts))
        self.fixed = all(part.fixed for part in parts)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """In any of them."""
        return np.logical_or.reduce([part.contains(x) for part in self.parts])


class Real(Constraint):
    """Finite numbers."""

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Finite."""
        return np.isfinite(x)

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


class Simplex(Constraint):
    """Vectors of non-negative numbers that sum to one, by the softmax.

    The softmax forgets the mean of its argument: along it a gradient is zero.
    """

    name, axes = "a vector of non-negative numbers that sum to one", 1

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Non-negative, and the sum is one up to rounding."""
        return (x >= 0).all(axis=-1) & (np.abs(x.sum(axis=-1) - 1) <= _ROUNDING)

    def transform(self, u: Any) -> Any:
        """exp(u) / Σ exp(u)."""
        return softmax(u)

    def inverse(self, x: Any) -> Any:
        """log x."""
        return log(x)


class OneHot(Constraint):
    """Vectors of zeros and a single one."""

    name, axes, kind = "a one-hot vector", 1, "integer"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """One element is 1, the others are 0."""
        return ((x == 0) | (x == 1)).all(axis=-1) & (x.sum(axis=-1) == 1)


class Counts(Constraint):
    """Vectors of non-negative integers with a given sum."""

    axes, kind = 1, "integer"

    def __init__(self, total: int):
        self.total, self.name = total, f"a vector of counts that sum to {total}"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Integers of the right sum."""
        counts = ((x >= 0) & (x == np.floor(x))).all(axis=-1)
        return np.asarray(counts & (x.sum(axis=-1) == self.total))


class Ordered(Constraint):
    """Strictly increasing vectors: a first element, and positive increments by the softplus."""

    name, axes = "a strictly increasing vector", 1

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Each element is larger than the one before."""
        finite = np.isfinite(x).all(axis=-1)
        return np.asarray(finite & (np.diff(x, axis=-1) > 0).all(axis=-1))

    def transform(self, u: Any) -> Any:
        """u₀, u₀ + log(1 + exp(u₁)), ..."""
        return cumsum(concatenate(_first(u), softplus(_rest(u)), axis=-1))

    def inverse(self, x: Any) -> Any:
        """x₀, and of the increments the inverse of the softplus."""
        n = np.shape(x)[-1]
        steps = subtract(_rest(x), _span(x, 0, n - 1))
        return concatenate(_first(x), positive.inverse(steps), axis=-1)


class LowerCholesky(Constraint):
    """Lower triangular matrices with a positive diagonal, by the softplus on the diagonal."""

    name, axes = "a lower triangular matrix with a positive diagonal", 2

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Zero above the diagonal, positive on it."""
        lower = (np.triu(x, 1) == 0).all(axis=(-1, -2)) & np.isfinite(x).all(axis=(-1, -2))
        return lower & (np.diagonal(x, axis1=-2, axis2=-1) > 0).all(axis=-1)

    def transform(self, u: Any) -> Any:
        """Keep what is below the diagonal, and take the softplus on it."""
        return tril(u, -1) + _on_diagonal(softplus(diagonal(u)))

    def inverse(self, x: Any) -> Any:
        """Keep what is below the diagonal, and invert the softplus on it."""
        return tril(x, -1) + _on_diagonal(positive.inverse(diagonal(x)))


def _span(x: Any, start: int, stop: int) -> Any:
    return take_slice(x, index=(*((0, n, 1) for n in np.shape(x)[:-1]), (start, stop, 1)))


def _first(x: Any) -> Any:
    return _span(x, 0, 1)


def _rest(x: Any) -> Any:
    return _span(x, 1, np.shape(x)[-1])


def _on_diagonal(x: Any) -> Any:
    return getitem(x, (Ellipsis, None)) * np.eye(np.shape(x)[-1])


real = Real()
positive = Positive()
positive_exp = Positive("exp")
nonnegative = Interval(0.0, np.inf, name="non-negative")
unit_interval = UnitInterval()
logits = Logits()
boolean = Integers(0, 1, "0 or 1")
natural = Integers(0, np.inf, "a non-negative integer")
simplex = Simplex()
one_hot_vector = OneHot()
ordered_vector = Ordered()
lower_cholesky = LowerCholesky()
angle = Interval(-np.pi, np.pi, name="between −π and π")


def of(**constraints: Constraint) -> Mapping[str, Constraint]:
    """Return the constraints of parameters by name, not to be changed."""
    return MappingProxyType(constraints)


def check(family: str, name: str, value: Any, constraint: Constraint) -> None:
    """Raise unless the numbers given for a parameter satisfy its constraint."""
    complaint = constraint.complaint(value)
    if complaint is not None:
        raise DeclarationError(f"{family}: {name} {complaint}")
