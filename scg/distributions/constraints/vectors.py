"""Constraints on vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.constraints.constraint import Constraint, known, sampled
from scg.distributions.constraints.numbers import Positive
from scg.ops.arrange import diagonal, diagonal_matrix, tril
from scg.ops.elementwise import absolute, log, minimum, softplus, subtract
from scg.ops.reductions import max, softmax, sum
from scg.ops.shape import concatenate, cumsum, take_slice
from scg.ops.statistics import min

_ROUNDING = 1e-5  # of sums to one, in single precision
_positive = Positive()


class Simplex(Constraint):
    """Vectors of non-negative numbers that sum to one, by the softmax.

    The softmax does not depend on the mean of its argument, in whose direction gradients are zero.

    Parameters
    ----------
    closed : bool
        Whether numbers may be 0.
    """

    axes = 1
    low, high = 0.0, 1.0

    def __init__(self, closed: bool = True):
        sign = "non-negative" if closed else "positive"
        self.closed, self.name = closed, f"a vector of {sign} numbers that sum to one"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether numbers are positive, or 0 if closed, and sum to one up to rounding."""
        inside = (x >= 0 if self.closed else x > 0).all(axis=-1)
        return inside & (np.abs(x.sum(axis=-1) - 1) <= _ROUNDING)

    def transform(self, u: Any) -> Any:
        """exp(u) / Σ exp(u)."""
        return softmax(u)

    def inverse(self, x: Any) -> Any:
        """log x."""
        return log(x)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Reject negative numbers, and sums that differ from one by half or more."""
        return None if known(x, 0.0, 1.0) else (_margin(x, 1.0, 0.0), 0.0, np.inf, self.closed)

    @property
    def inside(self) -> float:
        """The middle of a simplex of two numbers."""
        return 0.5


class Bits(Constraint):
    """Vectors of zeros and ones."""

    name, axes, kind = "a vector of zeros and ones", 1, "integer"
    low, high = 0.0, 1.0

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether all elements are 0 or 1."""
        return ((x == 0) | (x == 1)).all(axis=-1)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Pass vectors that round to such vectors, and means of them."""
        margin = minimum(min(x, -1) + 0.5, 1.5 - max(x, -1))
        return None if known(x, -0.5, 1.5) else (margin, 0.0, np.inf, True)


class OneHot(Constraint):
    """Vectors of zeros and a single one."""

    name, axes, kind = "a one-hot vector", 1, "integer"
    low, high = 0.0, 1.0

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether one element is 1 and the others are 0."""
        return ((x == 0) | (x == 1)).all(axis=-1) & (x.sum(axis=-1) == 1)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Pass vectors that round to one-hot vectors."""
        return None if known(x, -0.5, 1.5) else (_margin(x, 1.0, 0.5), 0.0, np.inf, True)


class OneHotRows(OneHot):
    """Matrices whose rows are one-hot; with `distinct` no two rows are equal."""

    axes = 2

    def __init__(self, distinct: bool = False):
        self.distinct = distinct
        self.name = "a matrix of one-hot rows" + (", no two of them equal" if distinct else "")

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether all rows are one-hot, and no column has two ones if they must differ."""
        rows = super().contains(x).all(axis=-1)
        return np.asarray(rows & ((x.sum(axis=-2) <= 1).all(axis=-1) | (not self.distinct)))

    def same(self, other: Constraint) -> bool:
        """Whether the other has distinct rows if this one has."""
        return super().same(other) and self.distinct == other.distinct  # type: ignore[attr-defined]

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Pass matrices that round to such ones, means of them, and samples."""
        if sampled(x, self):
            return None
        margin = min(_margin(x, 1.0, 0.5), -1)
        if self.distinct:
            margin = minimum(margin, 1.5 - max(sum(x, -2), -1))
        return margin, 0.0, np.inf, True


class Counts(Constraint):
    """Vectors of non-negative integers with a given sum."""

    axes, kind = 1, "integer"

    def __init__(self, total: int):
        self.total, self.name = total, f"a vector of counts that sum to {total}"
        self.low, self.high = 0.0, float(total)

    def same(self, other: Constraint) -> bool:
        """Whether the other has the same total."""
        return super().same(other) and self.total == other.total  # type: ignore[attr-defined]

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether numbers are non-negative integers with the given sum."""
        counts = ((x >= 0) & (x == np.floor(x))).all(axis=-1)
        return np.asarray(counts & (x.sum(axis=-1) == self.total))

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Pass vectors that round to such counts."""
        if known(x, -0.5, self.total + 0.5):
            return None
        return _margin(x, float(self.total), 0.5), 0.0, np.inf, True


class Subsets(Counts):
    """Vectors of zeros and ones with a given sum."""

    def __init__(self, total: int):
        super().__init__(total)
        self.name, self.high = f"a vector of zeros and {total} ones", 1.0

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether numbers are zeros and ones with the given sum."""
        return super().contains(x) & (x <= 1).all(axis=-1)

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Pass vectors that round to such vectors, means of them, and samples."""
        if sampled(x, self):
            return None
        return minimum(_margin(x, float(self.total), 0.5), 1.5 - max(x, -1)), 0.0, np.inf, True


class Ordered(Constraint):
    """Strictly increasing vectors: a first element, and positive increments by the softplus."""

    name, axes = "a strictly increasing vector", 1

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether each element is larger than the one before."""
        finite = np.isfinite(x).all(axis=-1)
        return np.asarray(finite & (x[..., 1:] > x[..., :-1]).all(axis=-1))

    def transform(self, u: Any) -> Any:
        """u₀, u₀ + log(1 + exp(u₁)), ..."""
        return cumsum(concatenate(_first(u), softplus(_rest(u)), axis=-1))

    def inverse(self, x: Any) -> Any:
        """x₀, and of the increments the inverse of the softplus."""
        n = np.shape(x)[-1]
        steps = subtract(_rest(x), _span(x, 0, n - 1))
        return concatenate(_first(x), _positive.inverse(steps), axis=-1)


class LowerCholesky(Constraint):
    """Lower triangular matrices with a positive diagonal, by the softplus on the diagonal."""

    name, axes = "a lower triangular matrix with a positive diagonal", 2

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether the matrix is zero above the diagonal and positive on it."""
        above = ~np.tri(*x.shape[-2:], dtype=bool)  # booleans take an eighth of the numbers' memory
        lower = ~np.any((x != 0) & above, axis=(-1, -2)) & np.isfinite(x).all(axis=(-1, -2))
        return lower & (np.diagonal(x, axis1=-2, axis2=-1) > 0).all(axis=-1)

    def transform(self, u: Any) -> Any:
        """Keep what is below the diagonal, and take the softplus on it."""
        return tril(u, -1) + diagonal_matrix(softplus(diagonal(u, 0, -2, -1)))

    def inverse(self, x: Any) -> Any:
        """Keep what is below the diagonal, and invert the softplus on it."""
        return tril(x, -1) + diagonal_matrix(_positive.inverse(diagonal(x, 0, -2, -1)))


def _margin(x: Any, total: float, slack: float) -> Any:
    """Positive for vectors with a sum near `total` and no number below −slack."""
    return minimum(min(x, -1) + slack, 0.5 - absolute(sum(x, -1) - total))


def _span(x: Any, start: int, stop: int) -> Any:
    return take_slice(x, index=(*((0, n, 1) for n in np.shape(x)[:-1]), (start, stop, 1)))


def _first(x: Any) -> Any:
    return _span(x, 0, 1)


def _rest(x: Any) -> Any:
    return _span(x, 1, np.shape(x)[-1])
