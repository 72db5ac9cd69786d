"""Moves to the next value, of variables whose values have an order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scg.ops.elementwise import equal, greater, where
from scg.ops.reductions import sum
from scg.ops.shape import cumsum, getitem
from scg.ops.statistics import prod


class Upward(NamedTuple):
    """The next value of each coordinate, and how fast parameters move a sample there.

    Attributes
    ----------
    value : Expr or array
        The next possible value, or the sample itself where it is the last one.
    weight : Expr or array
        Size of a move, one number a coordinate; 0 at the last value.
    rates : list of (parameter, rate)
        −∂F(x)/∂θ / p(x) with the distribution function F. A rate may have a further axis, of the
        parameters of one coordinate.
    """

    value: Any
    weight: Any
    rates: list[tuple[Any, Any]]


def count(x: Any, weight: Any, theta: Any, rate: Any) -> Upward:
    """The move of a count."""
    return Upward(x + 1.0, weight, [(theta, rate)])


def among(values: np.ndarray, probs: Any, x: Any) -> Upward:
    """The move of coordinates with the given values, past values of probability 0."""
    inner, n = (slice(None),) * (values.ndim - 1), len(values)
    same = where(equal(getitem(x, (Ellipsis, None, *inner)), values), 1.0, 0.0)
    here = prod(same, tuple(range(1 - values.ndim, 0))) if inner else same
    reached = here @ np.tri(n)  # 1 up to the value of x
    left = where(greater(probs, 0.0), 1.0 - reached, 0.0)
    first = greater(left * where(equal(cumsum(left), 1.0), 1.0, 0.0), 0.0)
    rows = getitem(first, (Ellipsis, *(None for _ in inner)))
    zero = values.dtype.type(0)
    following = sum(where(rows, values, zero), axis=-values.ndim)
    some = getitem(greater(sum(left, -1), 0.0), (Ellipsis, *(None for _ in inner)))
    p = sum(here * probs, -1)
    weight = sum(reached * probs, -1) * sum(left * probs, -1) / p
    return Upward(
        where(some, following, x), weight, [(probs, -reached / getitem(p, (Ellipsis, None)))]
    )
