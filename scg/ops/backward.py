"""The VJP of a loop: a loop in the other direction, whose body is the VJP of the body.

Its carries are the cotangents of the carries, h̄ₜ = (∂h'/∂h)ᵀ h̄ₜ₊₁ + (∂o/∂h)ᵀ ōₜ, and sums of large
constants' cotangents so far. What it reads of the steps is stacked by the first loop. Sums of
products over the steps become one product after the loop, and those of small terms one sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from scg.ir.expr import Expr
from scg.ir.plate import Plate, ordered
from scg.ir.walk import topological
from scg.ops.base import is_constant
from scg.ops.body import Body
from scg.ops.border import Border, below, outside, place, weighty
from scg.ops.elementwise import add
from scg.ops.gather import scatter
from scg.ops.linalg import contract
from scg.ops.loops import on, scanned, stacked_result
from scg.ops.pullback import pullback
from scg.ops.reductions import REDUCTIONS, zeros
from scg.ops.shape import reshape, transpose

_sum = REDUCTIONS[0]
#: Ops that sum over plates, so that they can sum over the steps, too.
_SUMMING = (contract, scatter)
_MOVING = (reshape, transpose)


class _Cotangents(NamedTuple):
    """Cotangents in a step: of what follows it, which are placeholders; and of what it reads."""

    later: dict[int, Expr]  # of the next step's carries, by number
    given: dict[Expr, Expr]  # of results that are stacked
    found: dict[Expr, Expr]  # of placeholders


def pull(reached: Mapping[Expr, Expr], wanted: Sequence[bool]) -> list[Expr | None]:
    """Cotangents of the arguments of a loop; see :class:`scg.ops.body.LoopOp`."""
    first = next(iter(reached))
    body: Body = first.attrs["body"]
    over, args, op = first.attrs["along"], first.args, first.op
    active = _active(body, [p for p, w in zip(body.places, wanted, strict=True) if w])
    ends = {r.attrs["last"]: g for r, g in reached.items() if r.attrs["last"] >= 0}
    stacks = {r.attrs["body"].outputs[0]: g for r, g in reached.items() if r.attrs["last"] < 0}
    step = _in_a_step(body, active, ends, stacks)
    if not step.found:  # the other results of the loop depend on what is wanted
        return [None] * len(body.places)
    carries = [body.carry[i] for i in step.later]
    new = [step.found[x] if x in step.found else zeros(x) for x in carries]
    slices = [x for x in body.steps if x in step.found]
    outputs = [step.found[x] for x in slices]
    room = sum(x.size for x in body.carry)  # terms that are no larger are stacked
    sums: dict[Expr, Expr] = {}  # new values of sums, by constant
    totals: dict[Expr, Expr] = {}  # placeholders of the sums so far
    products: list[tuple[Expr, Callable[[Sequence[Expr]], Expr], range]] = []
    for x in body.constants:
        for term in _terms(step.found[x]) if x in step.found else ():
            moves, root = _root(term)
            stacked = root.op in _SUMMING
            if root.op is _sum:
                stacked = any(root.args[0] is output for output in outputs)
            if not stacked and x.size <= room:
                moves, root, stacked = [], _sum(term, axes=(), over=()), True
            if stacked:
                at = range(len(outputs), len(outputs) + len(root.args))
                outputs += root.args
                products.append((x, _total(moves, root, over), at))
            else:
                totals.setdefault(x, place(x.graph, x))
                sums[x] = sums.get(x, totals[x]) + term
    # What the first loop knows is cut out of the body.
    roots = (*new, *sums.values(), *outputs)
    own = (*step.later.values(), *totals.values())
    late = (*own, *step.given.values())
    order = topological(roots)
    moving = below(order, body.carry)
    stepwise = moving | below(order, body.steps)
    heavy = weighty(order, {*body.places, *late})
    border = Border(roots, late, lambda e: e in heavy or e not in stepwise)
    xs, constants = {here: stacks[e] for e, here in step.given.items()}, {}
    for expr, here in border.places.items():
        if expr in moving:
            xs[here] = stacked_result(op, args, first.attrs, expr)
        else:
            group = xs if expr in stepwise else constants
            group[here] = outside(expr, body.places, args)
    every = border.rewritten(late)
    cut = len(own)
    back = Body(own, tuple(xs), tuple(constants), every[:cut], every[cut:])
    begin = [ends[i] if i in ends else zeros(body.carry[i]) for i in step.later]
    begin += map(zeros, totals)
    last, out = scanned(
        op,
        back,
        tuple(begin),
        tuple(xs.values()),
        tuple(constants.values()),
        over,
        not first.attrs["reverse"],
    )
    found: dict[Expr, Expr] = dict(zip((*carries, *totals), last, strict=True))
    found |= dict(zip(slices, out, strict=False))
    for x, total, at in products:
        part = total([out[i] for i in at])
        found[x] = found[x] + part if x in found else part
    return [found.get(x) for x in body.places]


def _active(body: Body, wanted: Iterable[Expr]) -> set[Expr]:
    """Placeholders on which derivatives are wanted, and carries that depend on them."""
    active = {x for x in wanted if x.kind == "float"}
    order = topological(body.new)
    while True:
        on_them = below(order, active)
        pairs = zip(body.carry, body.new, strict=True)
        more = {x for x, new in pairs if new in on_them and x.kind == "float"} - active
        if not more:
            return active
        active |= more


def _in_a_step(
    body: Body, active: set[Expr], ends: Mapping[int, Expr], stacks: Mapping[Expr, Expr]
) -> _Cotangents:
    later: dict[int, Expr] = {}
    given = {expr: place(expr.graph, expr) for expr in stacks}
    more = {i for i in ends if body.carry[i] in active}
    while True:
        for i in sorted(more):
            later[i] = place(body.carry[i].graph, body.carry[i])
        seeds = dict(given)
        for i, g in later.items():
            new = body.new[i]
            seeds[new] = seeds[new] + g if new in seeds else g
        found = pullback(seeds, active)
        found = {x: g for x, g in found.items() if x in active and not is_constant(g, 0)}
        more = {i for i, x in enumerate(body.carry) if x in found} - later.keys()
        if not more:
            return _Cotangents(later, given, found)


def _terms(expr: Expr) -> list[Expr]:
    """Terms of a sum, which all have its shape and plates."""
    found, stack = [], [expr]
    while stack:
        one = stack.pop()
        if one.op is add and all((x.shape, x.plates) == (one.shape, one.plates) for x in one.args):
            stack += one.args[::-1]
        else:
            found.append(one)
    return found


def _root(expr: Expr) -> tuple[list[Expr], Expr]:
    """Ops that only move elements, and what they move."""
    moves = []
    while expr.op in _MOVING:
        moves.append(expr)
        expr = expr.args[0]
    return moves, expr


def _total(moves: Sequence[Expr], root: Expr, over: Plate) -> Callable[[Sequence[Expr]], Expr]:
    """Function that sums `root` over the steps, given its arguments for all of them."""

    def total(args: Sequence[Expr]) -> Expr:
        attrs = {**root.attrs, "over": ordered((*root.attrs["over"], over))}
        expr = root.op.build(root.graph, tuple(on(arg, over) for arg in args), attrs)
        for move in reversed(moves):
            expr = move.op.build(move.graph, (expr,), move.attrs)
        return expr

    return total
