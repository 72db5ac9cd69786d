"""Work: how many numbers a program computes, so that shared operations count once."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ir.walk import together, topological
from scg.ops.base import broadcast
from scg.ops.gradient import IDENTITIES
from scg.ops.linalg import contract
from scg.ops.shape import reshape, take_slice, transpose

_FREE = (*IDENTITIES, broadcast, reshape, transpose, take_slice)


def work(order: Iterable[Expr]) -> int:
    """Number of operations on numbers in one run, given each expression once.

    A plate without a length counts as one element; ops that only rename or repeat numbers do not
    count.
    """
    total = 0
    for expr, *more in together(order):
        loop = expr.op.loop
        if loop is not None:
            inside = topological(part for one in (expr, *more) for part in loop.inside(one))
            total += work(inside) * (expr.attrs["along"].length or 1)
        elif expr.args and expr.op not in _FREE:
            total += _operations(expr)
    return total


def _operations(expr: Expr) -> int:
    if expr.op is not contract:
        return max(_elements(e.plates, e.shape) for e in (expr, *expr.args))
    a, b = expr.args
    sizes = dict(zip(expr.attrs["left"], a.shape, strict=True))
    sizes |= dict(zip(expr.attrs["right"], b.shape, strict=True))
    return _elements({*a.plates, *b.plates}, sizes.values())


def _elements(plates: Iterable[Plate], shape: Iterable[int]) -> int:
    return math.prod(plate.length or 1 for plate in plates) * math.prod(shape)
