"""Elimination: sums over the values of nodes one after the other, which tables they take.

The weight p(x | parents) of a node whose values are enumerated lies on the plate of its own values
and on those of its parents'. A cost that depends on a few nodes is averaged over their joint
probability. One after the other, each node above them is summed out of the product of the weights
in which it occurs (variable elimination), so that a chain of T nodes of K values takes T K²
operations, which all costs share. The order is topological, unless min-fill has smaller tables.
"""

from __future__ import annotations

import builtins
import math
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


def order(factors: Sequence[Mapping[P, int]], hidden: Sequence[P]) -> Sequence[P]:
    """The hidden plates in the order in which they are summed out of factors of these lengths.

    It is the given order, or the greedy one that joins the fewest pairs of plates which no factor
    has joined (min-fill; Koller and Friedman 2009), if its largest table is smaller.
    """
    largest = _largest(factors, hidden)
    if largest <= max((math.prod(f.values()) for f in factors), default=1):
        return hidden  # no order has a smaller one
    other = _min_fill(factors, hidden)
    return other if _largest(factors, other) < largest else hidden


def _largest(factors: Sequence[Mapping[P, int]], hidden: Sequence[P]) -> int:
    """Entries of the largest table."""
    return max((math.prod(table.values()) for _, table in _joined(factors, hidden)), default=1)


def _joined(
    factors: Sequence[Mapping[P, int]], hidden: Sequence[P]
) -> list[tuple[P, dict[P, int]]]:
    """Each hidden plate, and the table from which it is summed out."""
    found: list[tuple[P, dict[P, int]]] = []

    def summed(joined: Sequence[Mapping[P, int]], plate: P) -> Mapping[P, int]:
        table = {p: n for factor in joined for p, n in factor.items()}
        found.append((plate, table))
        return {p: n for p, n in table.items() if p is not plate}

    eliminate(factors, hidden, lambda f: f, summed)
    return found


def _min_fill(factors: Sequence[Mapping[P, int]], hidden: Sequence[P]) -> list[P]:
    near: dict[P, set[P]] = {plate: set() for factor in factors for plate in factor}
    for factor in factors:
        for plate in factor:
            near[plate] |= factor.keys() - {plate}

    def missing(plate: P) -> int:
        own = near[plate]
        return builtins.sum(len(own - near[p]) - 1 for p in own)

    fill = {plate: missing(plate) for plate in hidden}
    found: list[P] = []
    while fill:
        plate = min(fill, key=fill.__getitem__)  # of equals the first
        del fill[plate]
        found.append(plate)
        own = near.pop(plate)
        for p in own:
            near[p] |= own - {p}
            near[p].discard(plate)
        changed = own.union(*(near[p] for p in own)) & fill.keys()
        fill.update((p, missing(p)) for p in changed)
    return found


def averaged(value: Expr, weights: Mapping[Plate, Expr], keep: Plates) -> Expr:
    """Weighted sum of a value over its plates in `weights` and those on which weights depend."""
    mine = [plate for plate in value.plates if plate in weights and plate not in keep]
    every = [plate for plate in ordered(conditions(tuple(mine), weights)) if plate not in keep]
    above = [plate for plate in every if plate not in value.plates]
    lengths = [{p: p.length or 1 for p in weights[own].plates if p in every} for own in every]
    hidden = order(lengths, above)
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
    factors = [own for plate, own in weights.items() if plate in needed]
    hidden = [plate for plate in weights if plate in needed and plate not in scope]
    yield from _joined(factors, order(factors, hidden))


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
