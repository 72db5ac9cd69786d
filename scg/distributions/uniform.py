"""The uniform distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.protocols import Noise
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ops.elementwise import (
    absolute,
    greater_equal,
    less_equal,
    log,
    logical_and,
    minimum,
    square,
    where,
)


class Uniform(Distribution):
    """Uniform distribution between two bounds, with independent elements.

    The second argument is the upper bound; SciPy's is the width. Gradients of a likelihood miss
    that the support moves with the bounds, so score-function estimators are refused where a
    bound is learned.

    Parameters
    ----------
    low, high : array_like or node
        Bounds, low < high; they broadcast to the event shape.

    Raises
    ------
    DeclarationError
        If the bounds are numbers and `low` is not less than `high`.

    Notes
    -----
    p(x; low, high) = 1 / (high − low) between the bounds. Pathwise: x = low + (high − low) u,
    strictly inside.

    Examples
    --------
    >>> import scg
    >>> float(scg.Uniform(1.0, 5.0).mean())
    3.0
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("low", "high")
    constraints = sets.of(low=sets.real, high=sets.real)

    def __init__(self, low: Any = 0.0, high: Any = 1.0):
        self.declare(low=low, high=high)
        self.low, self.high = self.parameters.values()
        numbers = not isinstance(self.low, Expr) and not isinstance(self.high, Expr)
        if numbers and np.any(self.low >= self.high):
            raise DeclarationError(f"Uniform: low must be less than high, got {low!r} and {high!r}")

    @property
    def support(self) -> sets.Constraint:
        """From `low` to `high`."""
        return sets.Interval(self.low, self.high)

    @property
    def _width(self) -> Any:
        return self.high - self.low

    quantile = closed_form("low + (high − low) u", lambda d, u: d.low + d._width * u)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """The upper bound against the sample, and the sample against the lower bound."""
        low, high = self.full(self.low), self.full(self.high)
        return [(low, 1.0 / self._width, x, low), (high, 1.0 / self._width, high, x)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """−log(high − low) at numbers, NaN at NaN, of the shape of `x`."""
        return minimum(absolute(x), 0.0) - log(self._width)  # 0 · x would be simplified away

    mean = closed_form("(low + high) / 2", lambda d: 0.5 * (d.low + d.high))
    variance = closed_form("(high − low)² / 12", lambda d: square(d._width) / 12.0)

    def mode(self) -> Any:
        """(low + high) / 2: all points are equally likely, and this is in the middle."""
        return self.mean()

    entropy_elementwise = closed_form("log(high − low)", lambda d: log(d._width))

    def kl_elementwise(self, other: Any) -> Any:
        """Log of the ratio of the widths where `other` covers this one, otherwise infinite."""
        covered = logical_and(less_equal(other.low, self.low), greater_equal(other.high, self.high))
        return where(covered, log(other._width / self._width), np.inf)
