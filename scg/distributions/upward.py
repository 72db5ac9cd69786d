"""Moves to the next value, of variables whose values have an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scg.ops.elementwise import equal, greater, where
from scg.ops.indexing import getitem
from scg.ops.reductions import sum
from scg.ops.shape import cumsum
from scg.ops.statistics import prod


class Upward(NamedTuple):
    """How a sample changes if a coordinate moves to its next value, and how fast parameters do it.

    Attributes
    ----------
    moved : callable
        The sample whose coordinates where a mask is true are at their next possible value, if they
        have one; what is sampled given them follows on the same noise.
    weight : Expr or array
        Size of a move, one number per coordinate; 0 at the last value.
    rates : list of (parameter, rate)
        −∂F(x)/∂θ / p(x) with the distribution function F and the probability p of a coordinate,
        given those before. A rate may have a further axis, of the parameters of one coordinate.
    """

    moved: Callable[[Any], Any]
    weight: Any
    rates: list[tuple[Any, Any]]


def over(coordinates: Any, x: Any) -> Any:
    """An expression of coordinates with the inner axes of the event `x`."""
    return getitem(
        coordinates, (Ellipsis, *(None for _ in range(np.ndim(x) - np.ndim(coordinates))))
    )


def count(x: Any, weight: Any, theta: Any, rate: Any) -> Upward:
    """The move of a count."""
    return Upward(lambda here: where(here, x + 1.0, x), weight, [(theta, rate)])


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
    following = where(some, following, x)
    p = sum(here * probs, -1)
    return Upward(
        lambda chosen: where(over(chosen, x), following, x),
        sum(reached * probs, -1) * sum(left * probs, -1) / p,
        [(probs, -reached / getitem(p, (Ellipsis, None)))],
    )
