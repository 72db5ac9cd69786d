"""Build loops: what does not depend on a carry is computed outside, for all steps at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scg.ir.expr import Expr
from scg.ir.operation import Operation
from scg.ir.plate import Plate, ordered
from scg.ir.walk import topological
from scg.ops.body import Body, fitted, narrowed
from scg.ops.border import Border, Exprs, below, outside, weighty
from scg.ops.reductions import expand


def scanned(
    op: Operation,
    body: Body,
    init: Exprs,
    xs: Exprs,
    constants: Exprs,
    over: Plate,
    reverse: bool,
) -> tuple[Exprs, Exprs]:
    """Last carries and stacked outputs of a body that runs over a plate."""
    args, body = fitted((*init, *xs, *constants), body, over)
    body, args = narrowed(body, args, over)
    looped, own, inner = _lean(body, args, over)
    attrs: dict[str, Any] = {"body": replace(inner, outputs=()), "along": over, "reverse": reverse}
    graph = body.results[0].graph
    last = [op.build(graph, own, {**attrs, "last": i}) for i in range(len(body.carry))]
    outputs = iter(inner.outputs)
    stacked = [
        stacked_result(op, own, attrs, next(outputs))
        if expr in looped
        else on(outside(expr, body.places, args), over)
        for expr in body.outputs
    ]
    return tuple(last), tuple(stacked)


def stacked_result(op: Operation, args: Exprs, attrs: dict[str, Any], expr: Expr) -> Expr:
    """The result of a loop that stacks an expression of its body over the steps."""
    body = replace(attrs["body"], outputs=(expr,))
    return op.build(expr.graph, args, {**attrs, "body": body, "last": -1})


def on(expr: Expr, over: Plate) -> Expr:
    """An expression repeated on a plate, if it is not there."""
    return expand(expr, ordered((*expr.plates, over)), expr.shape)


def _lean(body: Body, args: Exprs, over: Plate) -> tuple[set[Expr], Exprs, Body]:
    """The results that depend on a carry, and a loop of them that repeats no work of others."""
    order = topological(body.results)
    looped = below(order, body.carry)
    stepwise = below(order, body.steps)
    heavy = weighty(order, {*body.places})
    roots = (*body.new, *(expr for expr in body.outputs if expr in looped))
    border = Border(roots, body.carry, lambda e: e in heavy or e not in stepwise)
    outer: dict[bool, dict[Expr, Expr]] = {False: {}, True: {}}
    for expr, here in border.places.items():
        outer[expr in stepwise][here] = outside(expr, body.places, args)
    every = border.rewritten(body.carry)
    cut = len(body.new)
    steps, constants = tuple(outer[True]), tuple(outer[False])
    inner = Body(body.carry, steps, constants, every[:cut], every[cut:])
    args = (*args[:cut], *outer[True].values(), *outer[False].values())
    return looped, *fitted(args, inner, over)
