"""Along an ordered plate: running sums, and what stood one step before."""

from __future__ import annotations

import functools

from scg.errors import DeclarationError
from scg.ir.expr import Expr, describe
from scg.ir.plate import Plate
from scg.ops.body import Body
from scg.ops.border import place
from scg.ops.elementwise import where
from scg.ops.gradient import cross
from scg.ops.reductions import zeros
from scg.ops.scan import scan


def running_sum(x: Expr, over: Plate, reverse: bool = False, factor: Expr | None = None) -> Expr:
    """Sums of the elements up to each one along a plate or, in reverse, from each one on.

    Of the costs of steps, the sums from each one on are the costs-to-go. The derivative passes from
    one element to the next with a `factor`, if there is one.
    """
    total, term = _places(x, over)
    given = {} if factor is None else {_places(factor, over)[1]: factor}
    new = functools.reduce(cross, given, total) + term
    body = Body((total,), (term, *given), (), (new,), (new,))
    _, (sums,) = scan(body, (zeros(total),), (x, *given.values()), (), over, reverse)
    return sums


def decayed_sum(
    x: Expr, over: Plate, decay: float, there: Expr | None = None, reverse: bool = False
) -> Expr:
    """Σ_{k≥1} decay^(k−1) x_{t−k}, over the elements before each one or, in reverse, after it.

    Elements that are not `there` are left out, and do not count as a step.
    """
    total, term = _places(x, over)
    given = {} if there is None else {_places(there, over)[1]: there}
    new = term + decay * total
    for here in given:
        new = where(here, new, total)
    body = Body((total,), (term, *given), (), (new,), (total,))
    _, (sums,) = scan(body, (zeros(total),), (x, *given.values()), (), over, reverse)
    return sums


def shifted(x: Expr, over: Plate, reverse: bool = False) -> Expr:
    """The element before each one along a plate or, in reverse, after each one; else zero."""
    before, now = _places(x, over)
    body = Body((before,), (now,), (), (now,), (before,))
    _, (moved,) = scan(body, (zeros(before),), (x,), (), over, reverse)
    return moved


def _places(x: Expr, over: Plate) -> tuple[Expr, Expr]:
    """Two placeholders of an element along a plate."""
    if over not in x.plates:
        raise DeclarationError(f"{describe(x)} is not on plate {over.name!r}")
    plates = tuple(plate for plate in x.plates if plate is not over)
    return place(x.graph, x, plates), place(x.graph, x, plates)
