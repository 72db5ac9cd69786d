"""Products of vectors that differ in one coordinate: (x + δ eᵢ) W is x W + δ Wᵢ.

Estimators that try all values of one coordinate at a time replay the graph on a plate of
alternatives. Each alternative is the draw but for one coordinate, and stays so under elementwise
ops; a product with a matrix then needs one row of it, and not the whole matrix again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ir.plate import Plate
from scg.ir.walk import rebuilt, topological
from scg.ops.arrange import moveaxis
from scg.ops.elementwise import multiply, subtract, where
from scg.ops.gather import gather
from scg.ops.linalg import contract
from scg.ops.shape import reshape


class Change(NamedTuple):
    """An expression on a plate that is `base` but for its row `index`, which is `row`."""

    plate: Plate
    index: Expr
    base: Expr
    row: Expr


def one_coordinate(roots: Sequence[Expr]) -> list[Expr]:
    """The expressions `roots` with the products of such vectors taken apart."""
    env: dict[Expr, Expr] = {}
    changes: dict[Expr, Change | None] = {}
    for expr in topological(roots):
        now = rebuilt(expr, env)
        changes[now] = _change(now, changes)
        apart = _apart(now, changes) if now.op is contract else None
        env[expr] = now if apart is None else apart
    return [env[root] for root in roots]


def _change(expr: Expr, known: dict[Expr, Change | None]) -> Change | None:
    """How an expression differs from one without the plate, or None."""
    if not expr.op.elementwise or not expr.ndim:
        return None
    if expr.op is where and (start := _start(expr)) is not None:
        return start
    inner = [known[arg] for arg in expr.args if known.get(arg) is not None]
    if not inner or inner[0] is None:
        return None
    plate, index = inner[0].plate, inner[0].index
    bases, rows = [], []
    for arg in expr.args:
        change = known.get(arg)
        if change is not None and change.index is index and arg.shape[0] == expr.shape[0]:
            bases.append(change.base)
            rows.append(change.row)
        elif plate not in arg.plates and arg.ndim <= expr.ndim:
            bases.append(arg)
            rows.append(_row(arg, index, expr.ndim))
        else:
            return None
    build = expr.op.build
    base = build(expr.graph, tuple(bases), expr.attrs)
    return Change(plate, index, base, build(expr.graph, tuple(rows), expr.attrs))


def _start(expr: Expr) -> Change | None:
    """The change that where(constant mask with one row a plate element, new, old) makes."""
    mask, new, old = expr.args
    if mask.value is None or len(mask.plates) != 1 or mask.shape[:1] != expr.shape[:1]:
        return None
    (plate,) = mask.plates
    hot = mask.value.reshape(len(mask.value), mask.shape[0], -1)
    single = mask.ndim == expr.ndim and hot.shape[2] == 1 and np.all(hot.sum(axis=1) == 1)
    if not single or plate in old.plates or old.shape != expr.shape:
        return None
    index = constant(expr.graph, hot[:, :, 0].argmax(axis=1), (plate,))
    return Change(plate, index, old, _row(new, index, expr.ndim))


def _row(x: Expr, index: Expr, ndim: int) -> Expr:
    """Row `index` of the leading one of `ndim` axes, along which `x` may be repeated."""
    if x.ndim < ndim:
        return x
    if x.shape[0] == 1:
        return reshape(x, shape=x.shape[1:])
    return gather(x, index, rank=x.ndim, index_rank=0)


def _apart(expr: Expr, changes: dict[Expr, Change | None]) -> Expr | None:
    """A contraction of a changed vector as that of its base plus one of its row."""
    if expr.attrs["over"]:
        return None
    a, b = expr.args
    labels, out = (expr.attrs["left"], expr.attrs["right"]), expr.attrs["out"]
    for x, matrix, own, other in ((a, b, *labels), (b, a, *reversed(labels))):
        axis, flat = own[:1], x.op is reshape and x.ndim == 1
        change = changes.get(x.args[0] if flat else x)
        if change is None or change.plate in matrix.plates or axis[0] in out:
            continue
        if axis[0] not in other or change.base.shape[:1] == (1,):
            continue
        rest = tuple(label for label in other if label not in axis)
        rows, inner = moveaxis(matrix, other.index(axis[0]), 0), rest
        if flat:  # the rows of a coordinate that was flattened together with its own axes
            fresh = max(*own, *other) + 1
            own = axis + tuple(range(fresh, fresh + change.base.ndim - 1))
            rows, inner = reshape(rows, shape=change.base.shape + rows.shape[1:]), own[1:] + rest
        delta = subtract(change.row, _row(change.base, change.index, change.base.ndim))
        row = gather(rows, change.index, rank=rows.ndim, index_rank=0)
        if not own[1:] and rest == out:  # a number times a row: it fuses with what follows
            moved = multiply(reshape(delta, shape=(1,) * len(out)), row)
        else:
            moved = contract(delta, row, left=own[1:], right=inner, out=out, over=())
        return contract(change.base, rows, left=own, right=axis + inner, out=out, over=()) + moved
    return None
