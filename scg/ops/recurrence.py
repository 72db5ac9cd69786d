"""Recurrences: expressions for all steps at once, some of which are their own past.

A *carry leaf* stands for a carry before each step, on the plate of the steps like everything else.
:func:`rolled` finds what a carry's next value needs of it, runs just that as a scan, and computes
all else for all steps at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from scg.errors import DeclarationError
from scg.ir.expr import Expr, describe
from scg.ir.plate import Plate
from scg.ir.walk import rewrite, topological
from scg.ops.body import Body
from scg.ops.border import Border, Exprs, below, place, weighty
from scg.ops.scan import scan


class Recurrence(NamedTuple):
    """Carries along a plate: their leaves, first values, and values after each step.

    The first values are not on the plate; leaves and new values are.
    """

    leaves: Exprs
    init: Exprs
    new: Exprs
    over: Plate
    reverse: bool = False


def rolled(roots: Sequence[Expr], carries: Recurrence) -> tuple[list[Expr], Exprs]:
    """Expressions without carry leaves, which a scan replaces; and the carries after all steps.

    Raises
    ------
    DeclarationError
        If a carry's next value needs other steps of what depends on a carry.
    """
    leaves, over = carries.leaves, carries.over
    order = topological(carries.new)
    looped = below(order, leaves)  # what is computed in the loop
    heavy = weighty(order, {*leaves})
    outer = topological((*roots, *carries.new))
    moving = below(outer, leaves)
    used = [*roots, *(arg for e in outer if e in moving and e not in looped for arg in e.args)]
    taken = _taken(used, looped, heavy)
    border = Border((*carries.new, *taken), leaves, lambda expr: True)
    steps = {e: here for e, here in border.places.items() if over in e.plates}
    constants = {e: here for e, here in border.places.items() if over not in e.plates}
    env = {x: place(x.graph, x, _without(x.plates, over)) for x in leaves}
    env |= {e: place(e.graph, e, _without(e.plates, over)) for e in steps}
    env |= constants
    _drop((*carries.new, *taken), env, over)
    parts = ([env[e] for e in group] for group in (leaves, steps, constants, carries.new, taken))
    body = Body(*map(tuple, parts))
    last, stacks = scan(body, carries.init, tuple(steps), tuple(constants), over, carries.reverse)
    found: dict[Expr, Expr] = dict(zip(taken, stacks, strict=True))
    rewrite(topological(roots, known=found), found)
    return [found[root] for root in roots], last


def _taken(used: Sequence[Expr], looped: set[Expr], heavy: set[Expr]) -> list[Expr]:
    """What is stacked: the rest computes again what is light."""
    found: dict[Expr, None] = {}
    stack, seen = [expr for expr in used if expr in looped][::-1], set[Expr]()
    while stack:
        expr = stack.pop()
        if expr not in seen:
            seen.add(expr)
            if expr in heavy or not expr.args:
                found[expr] = None
            else:
                stack += [arg for arg in expr.args[::-1] if arg in looped]
    return list(found)


def _without(plates: Sequence[Plate], over: Plate) -> tuple[Plate, ...]:
    return tuple(plate for plate in plates if plate is not over)


def _drop(roots: Sequence[Expr], env: dict[Expr, Expr], over: Plate) -> None:
    """Rebuild expressions for one step, of arguments that `env` has for one step."""
    for expr in topological(roots, known=env):
        attrs = {name: _dropped(expr, name, value, over) for name, value in expr.attrs.items()}
        expr.graph.origin = expr.origin
        args = tuple(env[arg] for arg in expr.args)
        env[expr] = expr.op.build(expr.graph, args, attrs) if args else expr


def _dropped(expr: Expr, name: str, value: Any, over: Plate) -> Any:
    if isinstance(value, Body):
        env = {x: place(x.graph, x, _without(x.plates, over)) for x in value.places}
        _drop(value.results, env, over)
        return value.mapped(env)
    if value is over or (name == "over" and over in value):
        raise DeclarationError(
            f"{describe(expr)} needs several steps of {over.name!r} at once, and the next step of "
            "a carry needs it"
        )
    return _without(value, over) if name == "plates" else value
