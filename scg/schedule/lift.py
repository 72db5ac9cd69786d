"""Lift a program over a new leading plate, to compute it for many values of some leaves at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scg.ir.expr import Expr
from scg.ir.op import intern, plate_size
from scg.ir.plate import Plate, ordered
from scg.ir.walk import rewrite, topological
from scg.ops.elementwise import square
from scg.ops.reductions import REDUCTIONS


def lift(
    outputs: Mapping[object, Expr], plate: Plate, which: Callable[[Expr], bool]
) -> dict[object, Expr]:
    """Outputs in which the leaves that satisfy `which` are repeated on `plate`.

    An output that depends on no such leaf does not get the plate.
    """
    order = topological(outputs.values())
    env: dict[Expr, Expr] = {}
    for expr in order:
        if not expr.args and which(expr):
            plates = ordered((*expr.plates, plate))
            signature = (expr.shape, plates, expr.kind)
            env[expr] = intern(expr.graph, expr.op, (), expr.attrs, signature)
    rewrite(order, env)
    return {key: env[value] for key, value in outputs.items()}


def moments_over(outputs: Mapping[object, Expr], plate: Plate) -> dict[object, Expr]:
    """Means over a plate by key, and sums of squared deviations by ``("spread", key)``.

    An output that is not on the plate is its own mean, and has no spread.
    """
    sum_over = REDUCTIONS[0]
    moments: dict[object, Expr] = {}
    for key, value in outputs.items():
        value.graph.origin = value.origin
        moments[key] = value
        if plate in value.plates:
            mean = sum_over(value, axes=(), over=(plate,)) / plate_size(value.graph, plate)
            moments[key] = mean
            deviation = square(value - mean)
            moments["spread", key] = sum_over(deviation, axes=(), over=(plate,))
    return moments
