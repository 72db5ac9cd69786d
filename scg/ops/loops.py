"""Build loops: what does not depend on a carry is computed outside, for all steps at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scg.ir.expr import Expr
from scg.ir.operation import Operation
from scg.ir.plate import Plate, ordered
from scg.ir.walk import rebuilt, topological
from scg.ops.body import Body, fitted, narrowed
from scg.ops.border import Border, Exprs, below, outside, weighty
from scg.ops.linalg import contract
from scg.ops.reductions import expand, zeros
from scg.ops.shape import concatenate, take_slice


def scanned(
    op: Operation, body: Body, init: Exprs, xs: Exprs, constants: Exprs, over: Plate, reverse: bool
) -> tuple[Exprs, Exprs]:
    """Last carries and stacked outputs of a body that runs over a plate."""
    args, body = fitted((*init, *xs, *constants), body, over)
    body, args = narrowed(_divided(body), args, over)
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


def _divided(body: Body) -> Body:
    """The body, in which products of joined arrays are sums of products of their parts.

    Products of parts that do not depend on a carry then lie outside of the loop.
    """
    order = topological(body.results)
    looped = below(order, body.carry)
    env = {x: x for x in body.places}
    for expr in order:
        if expr not in env:
            now = rebuilt(expr, env)
            sides = (0, 1) if expr.op is contract and expr in looped else ()
            joined = [k for k in sides if expr.args[k].op is concatenate and _is_summed(expr, k)]
            parts = [k for k in joined if not all(x in looped for x in expr.args[k].args)]
            env[expr] = _by_parts(now, parts[0]) if parts else now
    new, outputs = (tuple(env[e] for e in group) for group in (body.new, body.outputs))
    return replace(body, new=new, outputs=outputs)


def _is_summed(product: Expr, k: int) -> bool:
    """Whether a product sums over the axis along which one of its arguments is joined."""
    labels = product.attrs["left"], product.attrs["right"]
    label = labels[k][product.args[k].attrs["axis"]]
    return label in labels[1 - k] and label not in product.attrs["out"]


def _by_parts(product: Expr, k: int) -> Expr:
    attrs, whole, other = product.attrs, product.args[k], product.args[1 - k]
    labels = attrs["left"], attrs["right"]
    axis = whole.attrs["axis"]
    at = labels[1 - k].index(labels[k][axis])
    total, start = zeros(product), 0
    for part in whole.args:
        stop = start + part.shape[axis]
        index = [(0, n, 1) for n in other.shape]
        index[at] = (start, stop, 1)
        # A plate that is summed must be there.
        part = expand(part, whole.plates, part.shape) if attrs["over"] else part
        pair = part, take_slice(other, index=tuple(index))
        term = product.op.build(product.graph, pair[::-1] if k else pair, attrs)
        total, start = (total + term if start else term), stop
    return expand(total, product.plates, product.shape)


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
