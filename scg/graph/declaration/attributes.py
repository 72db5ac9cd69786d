"""Check what an operation of a declaration is applied to, and with which attributes.

A shape rule trusts the functions of ``scg.ops``, but a text is not to be trusted: before an op is
built, the number of its arguments, their kinds and its attributes are checked.
"""

from __future__ import annotations

from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.operation import Operation
from scg.ops.gradient import box


def applicable(op: Operation) -> bool:
    """Whether a declaration may apply an op; leaves, samples and users' ops have own entries."""
    return bool(op.vjps) and not op.label and op is not box


def check_application(op: Operation, args: tuple[Expr, ...], attrs: dict[str, Any]) -> None:
    """Raise unless an op can be applied to these arguments with these attributes.

    Raises
    ------
    DeclarationError
        If the arguments are too many or too few, an index is not an integer, or an attribute is
        missing, unknown, or does not fit.
    """
    count = len(args) if callable(op.vjps) else len(op.vjps)
    if len(args) != count or not args:
        wanted = "1 argument" if count == 1 else f"{count or 'some'} arguments"
        raise DeclarationError(f"{op.name}: expected {wanted}, got {len(args)}")
    if op.positions is not None and args[op.positions].kind != "int":
        raise DeclarationError(f"{op.name}: expected integers, got {args[op.positions]!r}")
    if set(attrs) != set(op.attributes):
        raise DeclarationError(
            f"{op.name}: expected the attributes {sorted(op.attributes)}, got {sorted(attrs)}"
        )
    for name, test in op.attributes.items():
        given = {other: value for other, value in attrs.items() if other != name}
        if expected := test(attrs[name], *args, **given):
            raise DeclarationError(
                f"attribute {name!r}: expected {expected}, got {attrs[name]!r:.60}"
            )
    if op.fits is not None and (expected := op.fits(*args, **attrs)):
        shapes = ", ".join(str(arg.shape) for arg in args)
        raise DeclarationError(f"{op.name}: expected {expected}, got {shapes}")
