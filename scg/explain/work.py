"""Work: how many numbers expressions compute, so that what evaluations share counts once."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.gradient import IDENTITIES
from scg.ops.linalg import contract

_VIEWS = ("expand", "reshape", "transpose", "slice")


def work(order: Iterable[Expr]) -> int:
    """Return the number of operations on numbers in one run.

    Parameters
    ----------
    order : iterable of Expr
        Each expression once. A plate without a length counts as one element; what only renames or
        repeats numbers counts as nothing.
    """
    return sum(
        _operations(expr)
        for expr in order
        if expr.args and expr.op not in IDENTITIES and expr.op.name not in _VIEWS
    )


def _operations(expr: Expr) -> int:
    if expr.op is not contract:
        return max(_elements(e.plates, e.shape) for e in (expr, *expr.args))
    a, b = expr.args
    sizes = dict(zip(expr.attrs["left"], a.shape, strict=True))
    sizes |= dict(zip(expr.attrs["right"], b.shape, strict=True))
    return _elements({*a.plates, *b.plates}, sizes.values())


def _elements(plates: Iterable[Plate], shape: Iterable[int]) -> int:
    return math.prod(plate.length or 1 for plate in plates) * math.prod(shape)
