"""Invariance of costs: whether a full turn of an angle changes any of them."""

from __future__ import annotations

from typing import NamedTuple

from scg.compiler.analyse import Influence
from scg.distributions import VonMises
from scg.ir.expr import Expr, StochasticNode
from scg.ops.base import broadcast
from scg.ops.elementary import cos, sin
from scg.ops.elementwise import add, multiply, square, subtract
from scg.ops.gradient import stop
from scg.ops.shape import reshape, take_slice, transpose


class Invariance(NamedTuple):
    """Changes of an expression under which all credited costs stay the same."""

    turn: bool  #: By multiples of 2π.
    half: bool  #: By multiples of π.
    sign: bool  #: Of the sign.


ALL, NONE = Invariance(True, True, True), Invariance(False, False, False)


def invariances(influence: Influence) -> dict[Expr, Invariance]:
    """The invariance of each expression, found in one sweep from the costs.

    The sweep recognises a sine and a cosine, the square of either of half an angle, and the mean
    direction of another angle. Densities of angles consist of these. Other uses count as visible.
    """
    found = dict.fromkeys(influence.order, ALL)
    found |= dict.fromkeys((cost.node for cost in influence.costs), NONE)
    for expr in reversed(influence.order):
        for k, arg in enumerate(expr.args):
            both = zip(found[arg], _through(expr, k, found[expr]), strict=True)
            found[arg] = Invariance(*(a and b for a, b in both))
    return found


def _through(expr: Expr, index: int, after: Invariance) -> Invariance:
    """The invariance of an argument as far as `expr` uses it, given that of `expr`."""
    if expr.op is stop:
        return ALL
    if expr.op in (sin, cos):
        return Invariance(True, after.sign, False)
    if expr.op is square:
        return Invariance(False, False, True)
    if expr.op in (broadcast, reshape, transpose, take_slice):
        return after
    if expr.op in (add, subtract) or _is_mean_direction(expr, index):
        return after._replace(sign=False)
    if expr.op is multiply and (factor := _number(expr.args[1 - index])) is not None:
        whole, halves = factor.is_integer(), (2.0 * factor).is_integer()
        turn = (whole and after.turn) or (halves and after.half)
        return Invariance(turn, whole and after.half, after.sign)
    return NONE


def _number(expr: Expr) -> float | None:
    value = expr.value
    return None if value is None or value.size != 1 else float(value.reshape(-1)[0])


def _is_mean_direction(expr: Expr, index: int) -> bool:
    return isinstance(expr, StochasticNode) and expr.attrs["family"] is VonMises and index == 0
