"""Constraint: a set of values of a parameter or of a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import UnsupportedError
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA
from scg.ops.base import broadcast
from scg.ops.elementary import floor
from scg.ops.elementwise import absolute, equal, where
from scg.ops.reductions import max
from scg.ops.within import bounds, jumps, source


class Constraint:
    """A set of values of a parameter or of a distribution (its support).

    Attributes
    ----------
    name : str
        Adjective or noun for messages: "positive", "a point on the simplex".
    axes : int
        Number of trailing axes of one value.
    kind : {"real", "integer", "mixed"}
        Whether a distribution on the set has a density, probabilities, or both.
    fixed : bool
        False if the set depends on values of nodes.
    low, high : float or node
        Least and largest number of a value.
    """

    name: str = "real"
    axes: int = 0
    kind: str = "real"
    fixed: bool = True
    low: Any = -np.inf
    high: Any = np.inf

    def contains(self, x: np.ndarray) -> np.ndarray:
        """True for each value in the set; False for NaN."""
        raise NotImplementedError

    def transform(self, u: Any) -> Any:
        """Value in the set for unconstrained numbers of the same shape."""
        raise UnsupportedError(f"no parameter can be constrained to be {self.name}")

    def inverse(self, x: Any) -> Any:
        """Argument that :meth:`transform` maps to `x`."""
        raise UnsupportedError(f"no parameter can be constrained to be {self.name}")

    def test(self, x: Any) -> tuple[Any, Any, Any, bool] | None:
        """Test of log-densities: (y, low, high, closed), with y in bounds where `x` is in the set.

        It passes values to which log-densities extend, such as means of integers. None means that
        all values of `x` pass.
        """
        return None

    @property
    def inside(self) -> Any:
        """Number of a value in the interior of the set."""
        return 0.0

    def same(self, other: Constraint) -> bool:
        """Whether the sets are equal for all values of nodes."""
        mine, its = (self.low, self.high), (other.low, other.high)
        return type(self) is type(other) and all(
            a is b or (not isinstance(a, Expr) and not isinstance(b, Expr) and np.array_equal(a, b))
            for a, b in zip(mine, its, strict=True)
        )

    def hit(self, x: Any) -> Any:
        """Whether an event that passes :meth:`test` has a probability; for kind "integer"."""
        return equal(max(absolute(x - floor(x))), 0.0)

    def complaint(self, x: Any) -> str | None:
        """Message about the first value outside the set, or None."""
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


def given(x: Any) -> bool:
    """Whether the numbers are an array or unchecked data, also under a mask."""
    if not isinstance(x, Expr):
        return True
    if x.op in (where, broadcast, jumps):
        return any(map(given, x.args))
    return x.op is DATA or (x.value is not None and not np.isfinite(x.value).all())


def sampled(x: Any, support: Constraint) -> bool:
    """Whether `x` is a sample on the set: replays may then put means or relaxed values there."""
    x = source(x)
    return isinstance(x, StochasticNode) and x.declared.support.same(support)


def known(x: Any, low: Any, high: Any) -> bool:
    """Whether the graph shows that the numbers lie between two bounds."""
    if isinstance(low, Expr) or isinstance(high, Expr):
        return False
    least, largest = bounds(x)
    return bool(np.all(least >= low) and np.all(largest <= high))
