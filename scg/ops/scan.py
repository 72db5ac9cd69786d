"""Scans: a body that runs once for each element of a plate, and hands a carry from step to step.

A scan has one expression for each result: the last value of a carry, or an expression of the body
stacked over the steps. Results of one loop have the same arguments and the same new carries, and
are computed together (:func:`scg.ir.walk.together`).
"""

from __future__ import annotations

from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op, intern
from scg.ir.plate import Plate, ordered
from scg.ops.backward import pull
from scg.ops.body import Body, LoopOp, check_closed, fitted
from scg.ops.border import Exprs, place
from scg.ops.loops import scanned
from scg.ops.reductions import zeros

__all__ = ["Body", "place", "scan"]


class _Scan(Op):
    """The op of scans, whose signature is that of a body's expression."""

    def build(self, graph: Any, args: tuple[Expr, ...], attrs: dict[str, Any]) -> Expr:
        """One result of a scan; the body gets the arguments' shapes and plates."""
        args, body = fitted(args, attrs["body"], attrs["along"])
        attrs = {**attrs, "body": body}
        if attrs["last"] >= 0:
            of = body.carry[attrs["last"]]
            plates = of.plates
        else:
            (of,) = body.outputs
            plates = ordered((*of.plates, attrs["along"]))
        return intern(graph, self, args, attrs, (of.shape, plates, of.kind))


def _computed(*_: Any, **__: Any) -> Any:
    raise TypeError("a scan runs as a loop")


def _pull_one(index: int, g: Expr, out: Expr, *args: Expr, **attrs: Any) -> Expr:
    found = pull({out: g}, [i == index for i in range(len(args))])[index]
    return zeros(args[index]) if found is None else found


scan_op = _Scan("scan", _computed, _computed, _pull_one, loop=LoopOp(pull))


def scan(
    body: Body, init: Exprs, xs: Exprs, constants: Exprs, over: Plate, reverse: bool = False
) -> tuple[Exprs, Exprs]:
    """Run a body over a plate, in its order or in the reverse one.

    Parameters
    ----------
    body : Body
        What a step computes.
    init : tuple of Expr
        First values of the carries. They are repeated on the plates that a step gives its carry.
    xs : tuple of Expr
        What step t reads the elements t of, on the plate `over` and any others.
    constants : tuple of Expr
        What all steps read.
    over : Plate
        The plate of the steps. Inside the body it does not exist; all others do.
    reverse : bool
        Whether the last step comes first.

    Returns
    -------
    tuple of Expr
        The carries after the last step.
    tuple of Expr
        The outputs of all steps, on the plate `over`. Element t is that of step t, also in reverse.

    Raises
    ------
    DeclarationError
        If a carry changes its shape or its kind, an argument is wrongly on the plate, or the body
        reads what is none of its placeholders.
    """
    check_closed(body)
    for places, given, what in (
        (body.carry, init, "carries"),
        (body.steps, xs, "per-step inputs"),
        (body.constants, constants, "constants"),
        (body.carry, body.new, "new carries"),
    ):
        if len(places) != len(given):
            raise DeclarationError(
                f"scan over {over.name!r}: the body has {len(places)} {what}, got {len(given)}"
            )
    return scanned(scan_op, body, init, xs, constants, over, reverse)
