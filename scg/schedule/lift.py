"""Lift: run a program for many values of some leaves at once, along one new leading plate."""

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
    """Return `outputs` with every leaf for which `which` holds repeated on `plate`.

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
    """Return means over a plate, and sums of squared deviations from them.

    The keys are those of the outputs, and ``("spread", key)``; an output that is not on the plate
    is its own mean, and has no spread.
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
