"""Lift: run a program for many values of some leaves at once, along one new leading plate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scg.expr import Expr, Plate, intern, ordered, rewrite, topological


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
