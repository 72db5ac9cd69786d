"""Whether all uses of an angle have its period, so that no cost sees a full turn."""

from __future__ import annotations

from scg.compiler.analyse import Influence
from scg.distributions import VonMises
from scg.ir.expr import Expr, StochasticNode
from scg.ops.base import broadcast
from scg.ops.elementary import cos, sin
from scg.ops.elementwise import add, multiply, square, subtract
from scg.ops.gradient import stop
from scg.ops.shape import reshape, take_slice, transpose

_MOVED = (add, subtract, broadcast, reshape, transpose, take_slice)


def is_periodic(node: StochasticNode, influence: Influence) -> bool:
    """Whether a full turn of `node` changes no credited cost, as far as the ops of its uses tell.

    A sine and a cosine, the square of either of half an angle, and the mean direction of another
    angle are recognised; the densities of angles are made of them.
    """
    turns: dict[Expr, float] = {node: 1.0}  # how often an expression turns with the node
    odd: set[Expr] = set()  # what changes its sign
    for expr in influence.order:
        used = {arg for arg in expr.args if arg in turns}
        if expr.op is stop or not (used or any(arg in odd for arg in expr.args)):
            continue
        counts = {turns[arg] for arg in used}
        if len(counts) > 1:
            return False
        count = max(counts, default=0.0)
        if expr.op in (sin, cos) and (2 * count).is_integer():
            if not count.is_integer():
                odd.add(expr)
        elif expr.op is square and expr.args[0] in odd:
            continue
        elif expr.op is multiply and (factor := _factor(expr, used)) is not None:
            turns[expr] = count * factor
        elif used and (expr.op in _MOVED or _is_mean_direction(expr, used)):
            turns[expr] = count
        else:
            return False
    return all(cost.node not in turns and cost.node not in odd for cost in influence.costs)


def _factor(expr: Expr, used: set[Expr]) -> float | None:
    """The constant with which a product multiplies an angle."""
    others = [arg for arg in expr.args if arg not in used]
    value = others[0].value if len(used) == len(others) == 1 else None
    return None if value is None or value.size != 1 else float(value.reshape(-1)[0])


def _is_mean_direction(expr: Expr, used: set[Expr]) -> bool:
    return (
        isinstance(expr, StochasticNode)
        and expr.attrs["family"] is VonMises
        and used == {expr.args[0]}
    )
