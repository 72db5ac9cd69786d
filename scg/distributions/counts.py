"""Counts: what their families share, and expectations under them, to working precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution, check_same
from scg.distributions.given import numeric, one_of
from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Expr
from scg.ops.elementary import floor
from scg.ops.elementwise import exp, expm1, greater, log1p, maximum, minimum, where
from scg.ops.gradient import graft
from scg.ops.indexing import getitem
from scg.ops.reductions import sum
from scg.ops.within import within

#: Number of points that `spread` takes.
POINTS = 232


def spread(mean: Any, deviation: Any) -> tuple[Any, Any]:
    """Points on a new last axis, and the stride between them, which replace a sum by a shorter one.

    The points reach from 12 deviations and 40 below the mean to as far above; beyond them the
    probability is below exp(−60) (Bernstein's inequality). Where the deviation σ is large they
    leave out integers: by Poisson's summation formula the sum of every m-th term, times m, is wrong
    by the characteristic function at 2π/m, which for m ≤ σ/3 is less than exp(−72).
    """
    deep = (Ellipsis, None)
    stride = maximum(floor(deviation / 3.0), 1.0)
    start = maximum(floor(mean - 12.0 * deviation - 40.0), 0.0)
    points = getitem(start, deep) + getitem(stride, deep) * np.arange(float(POINTS))
    return points, getitem(stride, deep)


# The trapezoidal rule in log t: its error is exp(−π²/h), 1e-17, and between these ends lies all
# but 1e-16 of the integral for odds below 1e9 and shapes above 1e-6.
_STEP = 0.25
_TIMES = np.exp(np.arange(-60.0, 18.0, _STEP))


def log_gamma_gap(shape: Any, odds: Any, above: Any, below: Any) -> Any:
    """E[log Γ(K + s) − log Γ(s)] for s = above, minus that for s = below.

    K is negative binomial with E e^(−Kt) = (1 + odds (1 − e^(−t)))^(−shape). By Malmstén's formula
    for log Γ it is ∫ (1 − E e^(−Kt)) (e^(−below t) − e^(−above t)) / (1 − e^(−t)) dt / t over t > 0
    (Cheraghchi 2019).
    """
    shape, odds, above, below = (_deep(x) for x in (shape, odds, above, below))
    fall = -np.expm1(-_TIMES)
    missing = -expm1(-shape * log1p(odds * fall))
    gap = above - below
    apart = -expm1(-where(greater(gap, 0.0), gap, -gap) * _TIMES)
    between = where(greater(gap, 0.0), 1.0, -1.0) * exp(-minimum(above, below) * _TIMES) * apart
    return sum(missing * between * (_STEP / fall), -1)


def _deep(x: Any) -> Any:
    return getitem(numeric("a count", x), (Ellipsis, None))


def settled(x: Any, trial: Any) -> Any:
    """A count without a derivative where a trial succeeds with probability 0 or 1.

    There the log-probability has the term 0 · log 0, which has no slope.
    """
    if not isinstance(x, Expr):
        return x
    ((name, value),) = trial.parameters.items()
    low, high = (-np.inf, np.inf) if name == "logits" else (0.0, 1.0)
    return graft(x, within(value, low, high, x, 0.0, closed=False))


class Trials(Distribution):
    """Counts of the outcomes of `total_count` trials, given their logits or probabilities."""

    fixed = ("total_count",)

    def __init__(self, total_count: Any, *, logits: Any = None, probs: Any = None):
        family = type(self).__name__
        self.total_count = whole_number(family, total_count)
        self.declare(**one_of(family, logits=logits, probs=probs))


def whole_number(family: str, value: Any) -> int:
    """The number of trials as an integer, checked."""
    whole = isinstance(value, (int, float, np.integer, np.floating)) and value % 1 == 0
    if isinstance(value, (bool, Expr)) or not whole or value < 1:
        raise DeclarationError(
            f"{family}: total_count must be a positive integer that is known when the graph is "
            f"declared, got {value!r}"
        )
    return int(value)


def check_same_total(this: Any, other: Any) -> None:
    """Raise unless two distributions have the same number of trials."""
    check_same(this, other)
    if this.total_count != other.total_count:
        raise UnsupportedError(
            f"kl: {type(this).__name__} with total_count {this.total_count} and "
            f"{other.total_count} has no closed form; the numbers of trials must agree"
        )
