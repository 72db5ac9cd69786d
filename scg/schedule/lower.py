"""Lower a program to the ops that compiled kernels know.

The result has elementwise ops, sums and maxima, matrix products of contiguous operands, joins, ops
that a kernel computes row by row, and *views*, which move no element. A user's op stays a Python
function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ir.walk import rebuilt, topological
from scg.ops.convolution import _fold, window_mean, window_spread
from scg.ops.elementwise import (
    absolute,
    cast,
    equal,
    exp,
    greater,
    less,
    log_binary,
    multiply,
    not_equal,
    softplus,
    square,
    where,
)
from scg.ops.linalg import contract
from scg.ops.powers import _power, times_power
from scg.ops.reductions import REDUCTIONS, keep, log_of_sum, shift
from scg.ops.scan import scan_op
from scg.ops.shape import reshape, transpose
from scg.schedule.copies import copied, copy, note
from scg.schedule.pool import averaged, pooled, shared
from scg.schedule.products import matrix_product
from scg.schedule.rewritten import RULES, expanded
from scg.schedule.turns import added_up
from scg.schedule.unfold import folded, shifted
from scg.schedule.views import View, view_of

_sum, _max, _logsumexp = REDUCTIONS


def lower(
    outputs: Mapping[Any, Expr], products: bool = True
) -> tuple[dict[Any, Expr], dict[Expr, View]]:
    """Lowered outputs, and the view of each expression; `products` allows matrix products."""
    env: dict[Expr, Expr] = {}
    views: dict[Expr, View] = {}
    outputs = expanded(outputs)
    rules = _RULES if products else _RULES | {contract: _by_elements}
    for expr in topological(outputs.values()):
        expr.graph.origin = expr.origin
        now = rebuilt(expr, env)
        rule = rules.get(now.op)
        if rule is not None:
            now = rule(now, views)
        note(now, views)
        env[expr] = now
    return {key: env[expr] for key, expr in outputs.items()}, views


# --- rules: each returns an equal expression of ops that are lowered already -----------------
def _lower_reshape(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args
    return e if view_of(e, views) is not None else reshape(copy(x), shape=e.shape)


def _lower_sum(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args  # NumPy counts what is true
    if x.kind == "bool":
        return _sum(where(x, 1, 0), **e.attrs)
    found = pooled(e)
    return e if found is None else found


def _lower_max(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args
    if x.kind == "bool":
        return not_equal(_max(where(x, 1, 0), **e.attrs), 0)
    found = pooled(e)
    return e if found is None else found


def _lower_power(e: Expr, views: dict[Expr, View]) -> Expr:
    x, exponent = e.args  # a product is many times faster than libm's pow
    if exponent.value is None or exponent.shape or x.kind != "float":
        return e
    products = {
        -2: lambda: 1.0 / square(x),
        -1: lambda: 1.0 / x,
        3: lambda: x * square(x),
        4: lambda: square(square(x)),
    }
    product = products.get(exponent.value.item())
    return e if product is None else product()


def _lower_times_power(e: Expr, views: dict[Expr, View]) -> Expr:
    factor, *rest = e.args
    raised = _lower_power(_power.build(e.graph, tuple(rest), {}), views)
    return where(equal(factor, 0.0), 0.0, factor * raised)


def _lower_log_binary(e: Expr, views: dict[Expr, View]) -> Expr:
    """log_binary of fewer logits than values: the logarithm is taken once for each logit."""
    a, x = e.args
    if a.kind != "float" or (a.plates == e.plates and a.shape == e.shape):
        return e
    excess = x - where(greater(a, 0.0), 1.0, 0.0)
    return where(equal(excess, 0.0), 0.0, excess * a) - softplus(-absolute(a))


def _lower_logsumexp(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args
    top = _finite_max(x, e.attrs)
    shape = keep(x.shape, e.attrs["axes"])
    return log_of_sum(_sum(exp(x - reshape(top, shape=shape)), **e.attrs)) + top


def _lower_shift(e: Expr, views: dict[Expr, View]) -> Expr:
    return _finite_max(e.args[0], e.attrs)


def _finite_max(x: Expr, attrs: Mapping[str, Any]) -> Expr:
    top = _max(x, **attrs)
    return where(less(absolute(top), np.inf), top, 0.0)


def _lower_contract(e: Expr, views: dict[Expr, View]) -> Expr:
    a, b = e.args
    attrs = dict(e.attrs)
    # contract(transpose(x), y) -> contract(x, y) with its labels permuted
    for side, arg in (("left", a), ("right", b)):
        while arg.op is transpose:
            axes = arg.attrs["axes"]
            labels: list[Any] = [None] * len(axes)
            for label, axis in zip(attrs[side], axes, strict=True):
                labels[axis] = label
            attrs[side], arg = tuple(labels), arg.args[0]
        a, b = (arg, b) if side == "left" else (a, arg)
    a, b = (x if x.kind == "float" else cast(x) for x in (a, b))
    e = e.op.build(e.graph, (a, b), attrs)
    if (found := shifted(e, views)) is not None:
        return found
    if matrix_product(a, b, e.plates, attrs) is None:
        found = added_up(e, views)
        return _by_elements(e, views) if found is None else found
    return e.op.build(e.graph, tuple(copied(x, views) for x in (a, b)), attrs)


def _by_elements(e: Expr, views: dict[Expr, View]) -> Expr:
    """A contraction as a product and a sum, which fuse with their neighbours."""
    a, b = (x if x.kind == "float" else cast(x) for x in e.args)
    left, right, out = e.attrs["left"], e.attrs["right"], e.attrs["out"]
    labels = [*out, *(x for x in dict.fromkeys(left + right) if x not in out)]

    def arranged(x: Expr, own: tuple[Any, ...]) -> Expr:
        order = sorted(range(len(own)), key=lambda i: labels.index(own[i]))
        if order != list(range(len(own))):
            x = transpose(x, axes=tuple(i - len(own) for i in order))
        size = dict(zip((own[i] for i in order), x.shape, strict=True))
        return reshape(x, shape=tuple(size.get(label, 1) for label in labels))

    product = multiply(arranged(a, left), arranged(b, right))
    axes = tuple(range(-(len(labels) - len(out)), 0))
    over = tuple(p for p in product.plates if p not in e.plates)
    return _sum(product, axes=axes, over=over) if axes or over else product


def _lower_scan(e: Expr, views: dict[Expr, View]) -> Expr:
    args = tuple(copied(x, views) for x in e.args)
    return e.op.build(e.graph, args, e.attrs)


def owned(outputs: Mapping[Any, Expr], views: dict[Expr, View]) -> dict[Any, Expr]:
    """Lowered outputs that each have an array of their own, which some entry writes."""
    found: dict[Expr, Any] = {}
    for key, expr in outputs.items():
        while expr in found or not expr.args or views[expr].base is not expr:
            expr = copy(expr)
            note(expr, views)
        found[expr] = key
    return {key: expr for expr, key in found.items()}


_RULES: dict[Any, Any] = RULES | {
    scan_op: _lower_scan,
    _power: _lower_power,
    times_power: _lower_times_power,
    log_binary: _lower_log_binary,
    _sum: _lower_sum,
    _max: _lower_max,
    reshape: _lower_reshape,
    shift: _lower_shift,
    _logsumexp: _lower_logsumexp,
    contract: _lower_contract,
    _fold: folded,
    window_mean: averaged,
    window_spread: shared,
}
