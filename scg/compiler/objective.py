"""The objective: how the costs of a graph add up over plates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

from scg.compiler.analyse import Influence
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import plate_size
from scg.ir.plate import Plate
from scg.ops.gradient import observed
from scg.ops.reductions import plate_sum


def reduction(plate: Plate, cost: Expr | None = None) -> str:
    """How a cost enters the objective over a plate, "mean" or "sum"; an observation is summed."""
    summed = plate.size is not None or (cost is not None and cost.op is observed)
    return plate.reduce or ("sum" if summed else "mean")


def contribution(cost: Expr, value: Expr) -> Expr:
    """w_c · c, the contribution of one element of a cost to the objective."""
    for plate in cost.plates:
        if reduction(plate, cost) == "mean":
            value = value / plate_size(value.graph, plate)
        elif plate.size is not None:
            value = value * (float(plate.size) / plate_size(value.graph, plate))
    return value


def total(parts: Iterable[Expr]) -> Expr:
    """Sum expressions, each over all its plates."""
    return reduce(add, (plate_sum(part, part.plates) for part in parts))


def check_reductions(influence: Influence) -> None:
    """Where costs live on different plates, each plate must say how it is reduced.

    An observation is summed unless its plates say otherwise; the costs beside it must say. Plates
    that say it, as those of time do, make no difference between costs.
    """
    silent = {
        name: [p for p in node.plates if p.reduce is None and p.size is None]
        for name, node in influence.costs
    }
    others = [name for name, node in influence.costs if node.op is observed]
    if len(set(map(frozenset, silent.values()))) < 2 and not others:
        return
    why = f"observation {others[0]!r} is summed" if others else "another cost is not"
    for name, node in influence.costs:
        for plate in silent[name] if node.op is not observed else ():
            raise DeclarationError(
                f"cost {name!r} is on plate {plate.name!r} and {why}, so it must "
                f'be said how the plate is reduced: scg.Plate({plate.name!r}, reduce="mean") '
                'or reduce="sum"'
            )
