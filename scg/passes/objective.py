"""The objective: how the costs of a graph add up over plates."""

from __future__ import annotations

from scg.errors import DeclarationError
from scg.expr import Expr, Plate
from scg.ops.base import plate_size
from scg.passes.analyse import Influence


def reduction(plate: Plate) -> str:
    """How costs enter the objective over a plate, "mean" or "sum"."""
    return plate.reduce or ("mean" if plate.size is None else "sum")


def contribution(cost: Expr, value: Expr) -> Expr:
    """w_c · c: what one element of a cost contributes to the objective."""
    for plate in cost.plates:
        if reduction(plate) == "mean":
            value = value / plate_size(value.graph, plate)
        elif plate.size is not None:
            value = value * (float(plate.size) / plate_size(value.graph, plate))
    return value


def check_reductions(influence: Influence) -> None:
    """Where costs live on different plates, each plate must say how it is reduced."""
    sets = {frozenset(node.plates) for _, node in influence.costs}
    if len(sets) < 2:
        return
    for name, node in influence.costs:
        for plate in node.plates:
            if plate.reduce is None and plate.size is None:
                raise DeclarationError(
                    f"cost {name!r} is on plate {plate.name!r} and another cost is not, so it must "
                    f'be said how the plate is reduced: scg.Plate({plate.name!r}, reduce="mean") '
                    'or reduce="sum"'
                )
