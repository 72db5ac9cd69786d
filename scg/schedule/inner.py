"""Loops over other plates in windows of steps: a scan inside of each step, and its derivative.

Such a loop computes values at each step, or adds up over the steps what does not depend on them,
such as the gradient of a weight. Its body then holds the plate of the steps.
"""

from __future__ import annotations

from typing import Any

from scg.ir.expr import Expr
from scg.ir.operation import OPS
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.base import broadcast, is_constant
from scg.ops.body import Body
from scg.ops.border import place
from scg.ops.elementwise import add
from scg.ops.gather import scatter
from scg.ops.linalg import contract
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import reshape, transpose

#: Ops whose sums over plates can be added up from parts.
SUMS = (REDUCTIONS[0], contract, scatter)
_PRODUCTS = (OPS["multiply"], contract)
_MOVING = (OPS["negative"], REDUCTIONS[0], broadcast, reshape, transpose)


def renamed(value: Any, over: Plate, window: Plate) -> Any:
    """An attribute, or plates, with the window's plate in the place of the whole one."""
    if isinstance(value, tuple):
        return tuple(window if part is over else part for part in value)
    if isinstance(value, Body):
        order = topological(value.results)
        if any(over in expr.plates for expr in (*value.places, *order)):
            env = {x: place(x.graph, x, renamed(x.plates, over, window)) for x in value.places}
            for expr in order:
                if expr not in env:
                    attrs = {name: renamed(a, over, window) for name, a in expr.attrs.items()}
                    args = tuple(env[arg] for arg in expr.args)
                    env[expr] = expr.op.build(expr.graph, args, attrs) if args else expr
            return value.mapped(env)
    return window if value is over else value


def obstacle(loop: Expr, over: Plate) -> Expr | None:
    """What keeps a loop over another plate from windows; None if it runs in them.

    It runs in windows if it treats each step alone, or if its results in windows add up to that of
    all steps, because it is linear in sums over the steps.
    """
    body: Body = loop.attrs["body"]
    order = topological(body.results, known={*body.places})
    parts: set[Expr] = set()  # sums over the steps of a window, and what is linear in them
    while True:
        for expr in order:
            if expr not in parts and not _fits(expr, over, parts):
                return expr
        pairs = zip(body.carry, body.new, loop.args, strict=False)
        more = {(x, begin) for x, new, begin in pairs if new in parts and x not in parts}
        if not more:
            break
        if not all(is_constant(begin, 0) for _, begin in more):
            return loop
        parts |= {x for x, _ in more}
    last = loop.attrs["last"]
    goal = body.new[last] if last >= 0 else body.outputs[0]
    leaves = over not in loop.plates and any(over in arg.plates for arg in loop.args)
    return None if not leaves or goal in parts else loop


def _fits(expr: Expr, over: Plate, parts: set[Expr]) -> bool:
    """Whether windows can compute an expression of a body; `parts` gets it if it adds up."""
    sums = [arg in parts for arg in expr.args]
    here = [over in arg.plates for arg in expr.args]
    if expr.op.loop is not None and (any(here) or any(sums)):
        if any(sums) or obstacle(expr, over) is not None:
            return False
        if over not in expr.plates:
            parts.add(expr)
        return True
    if over in expr.plates:
        single = not expr.args or any(value is over for value in expr.attrs.values())
        return not single and not any(sums)
    if any(here):
        linear = expr.op in SUMS and not any(sums)
    elif any(sums):
        zero = (is_constant(arg, 0) for arg in expr.args)
        linear = (
            (expr.op is add and all(s or z for s, z in zip(sums, zero, strict=True)))
            or (expr.op in _PRODUCTS and sum(sums) == 1)
            or expr.op in _MOVING
        )
    else:
        return True
    if linear:
        parts.add(expr)
    return linear
