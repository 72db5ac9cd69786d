"""Elimination: sums over the values of nodes one after the other, which tables they take.

The weight p(x | parents) of a node whose values are enumerated lies on the plate of its own values
and on those of its parents'. A cost that depends on a few nodes is averaged over their joint
probability. In topological order each node above them is summed out of the product of the weights
in which it occurs (variable elimination), so that a chain of T nodes of K values takes T K²
operations, which all costs share.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import reduce
from operator import mul
from typing import TypeVar

from scg.ir.expr import Expr
from scg.ir.plate import Plate, Plates, ordered
from scg.ops.reductions import plate_sum

F = TypeVar("F")
P = TypeVar("P")


def eliminate(
    factors: Sequence[F],
    hidden: Sequence[P],
    plates: Callable[[F], Collection[P]],
    summed: Callable[[Sequence[F], P], F],
) -> list[F]:
    """What is left of factors after sums over `hidden`, each of a product of those that have it."""
    pending = list(factors)
    for plate in hidden:
        joined = [factor for factor in pending if plate in plates(factor)]
        pending = [factor for factor in pending if plate not in plates(factor)]
        pending.append(summed(joined, plate))
    return pending


def averaged(value: Expr, weights: Mapping[Plate, Expr], keep: Plates) -> Expr:
    """Weighted sum of a value over its plates in `weights` and those on which weights depend."""
    mine = [plate for plate in value.plates if plate in weights and plate not in keep]
    every = [plate for plate in ordered(conditions(tuple(mine), weights)) if plate not in keep]
    hidden = [plate for plate in every if plate not in value.plates]
    factors = eliminate([weights[p] for p in every], hidden, lambda f: f.plates, _summed)
    for plate in reversed(mine):
        joined = [factor for factor in factors if plate in factor.plates]
        factors = [factor for factor in factors if plate not in factor.plates]
        value = _summed([*joined, value], plate)
    return reduce(mul, factors, value)


def _summed(factors: Sequence[Expr], plate: Plate) -> Expr:
    return plate_sum(reduce(mul, factors), plate)


def tables(
    weights: Mapping[P, Mapping[P, int]], scope: Mapping[P, int]
) -> Iterator[tuple[P, dict[P, int]]]:
    """For each plate that is summed out for a cost of a scope: the table that it takes.

    `weights` holds the plates of the weight of each plate, with their lengths, parents first.
    """
    needed, pending = set[P](), list(scope)
    while pending:
        plate = pending.pop()
        if plate not in needed:
            needed.add(plate)
            pending += weights.get(plate, ())
    found: list[tuple[P, dict[P, int]]] = []

    def summed(joined: Sequence[Mapping[P, int]], plate: P) -> Mapping[P, int]:
        table = {p: n for factor in joined for p, n in factor.items()}
        found.append((plate, table))
        return {p: n for p, n in table.items() if p is not plate}

    every = [plate for plate in weights if plate in needed]
    hidden = [plate for plate in every if plate not in scope]
    eliminate([weights[p] for p in every], hidden, lambda f: f, summed)
    yield from found


def conditions(plates: Plates, weights: Mapping[Plate, Expr]) -> Plates:
    """Sample plates, and those on which their weights live, directly or through others."""
    found = dict.fromkeys(plates)
    pending = list(found)
    while pending:
        weight = weights.get(pending.pop())
        for plate in () if weight is None else weight.plates:
            if not plate.owned_by_user and plate not in found:
                found[plate] = None
                pending.append(plate)
    return tuple(found)
