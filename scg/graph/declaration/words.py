"""The words of declarations: what is known by name on both sides."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints
from scg.errors import DeclarationError
from scg.graph import init

#: The version of the form that declarations have.
SCHEMA = 1

#: Initializers by name; the classes take options.
INITIALIZERS: dict[str, Any] = {
    "zeros": init.zeros,
    "glorot_uniform": init.glorot_uniform,
    "constant": init.ConstantValues,
    "normal": init.NormalValues,
}

CONSTRAINTS: dict[str, constraints.Constraint] = {
    name: value
    for name, value in vars(constraints).items()
    if isinstance(value, constraints.Constraint)
}


def constraint_name(parameter: str, constraint: constraints.Constraint) -> str:
    """Return the name of a constraint of scg."""
    for name, value in CONSTRAINTS.items():
        if value is constraint:
            return name
    raise DeclarationError(
        f"parameter {parameter!r}: only scg's own constraints are written, not {constraint!r}"
    )
