"""Steps of an ordered plate: one element taken out, and elements joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ir.plate import Plate, ordered
from scg.ops.attributes import is_integer


def _in_engines(*_: Any, **__: Any) -> Any:
    raise TypeError("only the engine knows where the axis of a plate is")


def _plate(value: Any, *args: Expr, **attrs: Any) -> str | None:
    return None if isinstance(value, Plate) else "a plate"


def _own_plate(value: Any, x: Expr, **attrs: Any) -> str | None:
    return None if value in x.plates else "a plate of the argument"


def _index(value: Any, *args: Expr, **attrs: Any) -> str | None:
    return None if is_integer(value) else "an integer"


#: One element along a plate; -1 is the last.
at_step = Op(
    "at_step",
    _in_engines,
    lambda x, plate, index: x,
    (lambda g, y, x, plate, index: only_step(g, plate=plate, index=index),),
    kind="same",
    linear=(0,),
    plates=lambda args, attrs: tuple(p for p in args[0].plates if p is not attrs["plate"]),
    attributes={"plate": _own_plate, "index": _index},
)
#: The adjoint: zero along a plate but for one element.
only_step = Op(
    "only_step",
    _in_engines,
    lambda x, plate, index: x,
    (lambda g, y, x, plate, index: at_step(g, plate=plate, index=index),),
    kind="same",
    linear=(0,),
    plates=lambda args, attrs: ordered((*args[0].plates, attrs["plate"])),
    attributes={"plate": _plate, "index": _index},
)
#: Elements along a plate, one argument each.
join_steps = Op(
    "join_steps",
    _in_engines,
    lambda *shapes, plate: shapes[0],
    lambda index, g, y, *args, plate: at_step(g, plate=plate, index=index),
    kind="same",
    plates=lambda args, attrs: ordered((*(p for x in args for p in x.plates), attrs["plate"])),
    attributes={"plate": _plate},
)


def at_steps(x: Expr, at: Iterable[tuple[Plate, int]]) -> Expr:
    """The element of a node at one step of each plate; plates that the node lacks are ignored."""
    for plate, index in at:
        if plate in x.plates:
            x = at_step(x, plate=plate, index=index)
    return x


def step_of(x: Expr, plate: Plate, index: int) -> Expr:
    """One element of a node along a plate; -1 is the last."""
    if plate not in x.plates:
        raise DeclarationError(f"{x!r} is not on plate {plate.name!r}")
    return at_step(x, plate=plate, index=index)
