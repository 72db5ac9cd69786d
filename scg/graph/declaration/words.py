"""The words of declarations, known to the reader and to the writer."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints
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
