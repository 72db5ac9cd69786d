"""Moves of single coordinates, all of them or one chosen at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.upward import Upward
from scg.estimators.protocol import Downstream, along
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.elementwise import equal, greater, greater_equal, logical_and, possible, where
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.powers import inverse_or_zero
from scg.ops.reductions import plate_sum, sum
from scg.ops.shape import cumsum, ravel, reshape


def each(up: Upward, downstream: Downstream) -> Expr:
    """Change of the costs where one coordinate moves, for each coordinate."""
    coordinates = up.weight.shape
    eye = np.eye(int(np.prod(coordinates)), dtype=bool).reshape(-1, *coordinates)
    plate = downstream.plate(len(eye))
    here = constant(up.weight.graph, eye, (plate,))
    size = sum(where(here, up.weight, 0.0))
    return plate_sum(where(here, change(up.moved(here), downstream, size), 0.0), plate)


def change(value: Expr, downstream: Downstream, weight: Expr | None = None) -> Expr:
    """Change of the costs where the sample is another value, impossible where the weight is 0."""
    cost = downstream.alone(stop(value)).cost
    return (cost if weight is None else possible(cost, stop(weight))) - downstream.cost


def choose(weight: Expr, u: Expr) -> tuple[Expr, Expr]:
    """Mask of a coordinate chosen with probabilities proportional to `weight`, and one over them.

    It is the first at which the cumulative weight reaches the share `u`, of shape (1,).
    """
    total, flat = sum(weight), ravel(weight)
    share = cumsum(flat) * inverse_or_zero(total)
    beyond = logical_and(greater_equal(share, u), greater(flat, 0.0))
    reached = where(beyond, 1.0, 0.0)
    first = greater(reached * where(equal(cumsum(reached), 1.0), 1.0, 0.0), 0.0)
    chosen = reshape(first, shape=weight.shape)
    return chosen, total / where(chosen, weight, 1.0)


def inject(up: Upward, changes: Expr) -> Expr:
    """The term that injects changes at the rates of moves, along their parameters."""
    terms: list[Any] = []
    for theta, rate in up.rates:
        wider = len(np.shape(rate)) - changes.ndim if isinstance(rate, Expr) else 0
        terms.append(along(stop(rate * getitem(changes, (Ellipsis, *(None,) * wider))), theta))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def flip(x: Expr, probs: Expr, u: Expr, downstream: Downstream) -> Expr:
    """The estimate of the derivative in the probability of each bit, from the flip of one."""
    chosen, rarity = choose(constant(x.graph, np.ones(x.shape)), u)
    other = sum(where(chosen, x + (1.0 - 2.0 * x) * probs, 0.0))
    slope = (1.0 - 2.0 * x) * change(where(chosen, 1.0 - x, x), downstream, other)
    return where(chosen, rarity * slope, 0.0)
