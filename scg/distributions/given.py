"""Parameters as users give them: numbers or nodes, one of two parametrisations, broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.common.arguments import numbers_of
from scg.errors import DeclarationError
from scg.ir.expr import Expr


def numeric(what: str, value: Any) -> Any:
    """The parameter as a node or an array of floats."""
    if isinstance(value, Expr):
        return value
    return numbers_of(what, value, DeclarationError).astype(float, copy=False)


def parameters_of(family: str, **given: Any) -> dict[str, Any]:
    """The parameters by name, each as a node or an array of floats."""
    return {name: numeric(f"{name} of {family}", value) for name, value in given.items()}


def one_of(family: str, **given: Any) -> dict[str, Any]:
    """The one parameter that is given, for families with two parametrisations."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if len(chosen) != 1:
        options = " or ".join(f"{name}=" for name in given)
        raise DeclarationError(
            f"{family}: give exactly one of {options}, got {', '.join(chosen) or 'none'}"
        )
    return parameters_of(family, **chosen)


def joint_shape(family: str, **parameters: Any) -> tuple[int, ...]:
    """Event shape to which the parameters broadcast."""
    try:
        return np.broadcast_shapes(*(np.shape(value) for value in parameters.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in parameters.items())
        raise DeclarationError(f"{family}: parameter shapes do not broadcast: {shapes}") from error
