"""Credit: sums over the plates that do not survive between a node and a cost, or a node and a node.

Along an ordered plate on which paths lead to later steps alone, a score counts for its own step and
all later ones, and a node sees the costs of its own step and all later ones: cumulative sums in
place of sums over all steps. Where no path leads farther than a few steps, these are summed alone.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from scg.ir.expr import Expr
from scg.ir.plate import Direction, Plate, lags
from scg.ops.along import running_sum, shifted
from scg.ops.gradient import cross
from scg.ops.reductions import plate_sum


def scores(logp: Expr, sep: Container[Any], factors: Mapping[Direction, Expr]) -> Expr:
    """Log-probabilities of a node, summed for each element of what it leads to.

    Their credit passes from step to step with `factors`.
    """
    return _summed(logp, sep, factors, to_later=True)


def signals(cost: Expr, sep: Container[Any]) -> Expr:
    """Costs, summed for each element of a node that leads to them."""
    return _summed(cost, sep, {}, to_later=False)


def _summed(
    x: Expr, sep: Container[Any], factors: Mapping[Direction, Expr], to_later: bool
) -> Expr:
    lost = [plate for plate in x.plates if plate.owned_by_user and plate not in sep]
    for onward in (True, False):
        for plate in lost:
            if Direction(plate, onward) in sep:
                reverse = onward is not to_later
                m = factors.get(Direction(plate, onward))
                fewest, most = lags(sep, plate)
                x = running_sum(x, plate, reverse, m) if most is None else x
                for _ in range(fewest):
                    x = _moved(x, plate, reverse, m)
                term = x
                for _ in range(fewest, most or 0):
                    term = _moved(term, plate, reverse, m)
                    x = x + term
    return plate_sum(x, tuple(p for p in lost if not _ordered(p, sep)))


def _moved(x: Expr, plate: Plate, reverse: bool, m: Expr | None) -> Expr:
    """The element one step before, whose credit passes with a factor."""
    x = shifted(x, plate, reverse=reverse)
    return x if m is None else cross(x, m)


def _ordered(plate: Plate, sep: Container[Any]) -> bool:
    return Direction(plate, True) in sep or Direction(plate, False) in sep
