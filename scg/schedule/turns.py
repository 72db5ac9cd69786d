"""Contractions as loops of matrix products that add to one result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scg.ir.expr import Expr
from scg.ir.op import intern
from scg.ir.plate import Plate, ordered
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import transpose
from scg.schedule.copies import copied
from scg.schedule.products import matrix_product
from scg.schedule.rewritten import of_kernels
from scg.schedule.views import View, contiguous, whole

Labels = tuple[int, ...]

#: A contraction whose products add to one result. `adds` is the plate that counts them. `turn` is a
#: label that stands anywhere, of further products for each of them: these add, too, if it is no
#: label of the result, or if `down` is not None. Then the turn is the last label of `out` but two,
#: and products add to parts of the result that begin `down` rows apart.
turned = of_kernels("contract in turns")

_DEEP = 16  # least depth of matrix products that are added up over a plate


def written(e: Expr) -> View:
    """View through which a contraction writes its result."""
    down = e.attrs.get("down")
    if down is None:
        return whole(e)
    *lead, row, column = contiguous(e.shape)
    return View(e, (*lead, down * row, row, column), 0)


def in_turns(
    args: Sequence[Expr],
    labels: Sequence[Labels],
    turn: int | None = None,
    down: int | None = None,
    adds: Plate | None = None,
) -> Expr:
    """Contraction in turns, given the labels of both arguments and of the result."""
    (a, b), (left, right, out) = args, labels
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    shape = tuple(sizes[label] for label in out)
    if down is not None:
        *lead, turns, rows, columns = shape
        shape = (*lead, rows + down * (turns - 1), columns)
    attrs = {"left": left, "right": right, "out": out, "turn": turn, "down": down, "adds": adds}
    plates = ordered(plate for x in args for plate in x.plates if plate != adds)
    return intern(a.graph, turned, (a, b), attrs, (shape, plates, "float"))


def finished(product: Expr, e: Expr) -> Expr:
    """The contraction `e`, given its product, which may have more plates and another order."""
    own, out = product.attrs["out"], e.attrs["out"]
    if over := tuple(p for p in product.plates if p not in e.plates):
        product = REDUCTIONS[0](product, axes=(), over=over)
    if own == out:
        return product
    return transpose(product, axes=tuple(own.index(label) - len(own) for label in out))


def added_up(e: Expr, views: Any) -> Expr | None:
    """A contraction over plates as products that add up over the last one, if they are deep."""
    if not e.attrs["over"]:
        return None
    (a, b), adds = e.args, e.attrs["over"][-1]
    left, right, out = (e.attrs[side] for side in ("left", "right", "out"))
    plates = ordered(plate for x in e.args for plate in x.plates if plate != adds)
    product = matrix_product(a, b, plates, {**e.attrs, "adds": adds})
    sizes: Any = dict(zip(left + right, a.shape + b.shape, strict=True))

    def total(labels: Sequence[Any]) -> int:
        return math.prod(sizes[label] for label in labels)

    summed = [label for label in left if label in right and label not in out]
    if product is None or total(summed) < _DEEP:
        return None
    sides = product.rows, product.columns
    if all(label in sizes for label in sides[0] + sides[1]):
        # BLAS is faster where a result has more rows than columns.
        long, short = sorted(sides, key=total, reverse=True)
        out = (*(label for label in out if label in product.loop), *long, *short)
    args = [copied(x, views) for x in e.args]
    return finished(in_turns(args, (left, right, out), adds=adds), e)
