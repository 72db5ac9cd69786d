"""Parameters: where they start, what they are constrained to, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.arguments import MASKED, masked
from scg.distributions.constraints import Constraint
from scg.errors import CallError, DeclarationError, UnsupportedError
from scg.graph.init import GivenValues, zeros
from scg.ir.expr import Expr
from scg.seeds.noise import check_seed, stream_key

Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: its (unconstrained) leaf, how it is initialised, and its constraint."""

    node: Expr
    init: Initializer
    constraint: Constraint | None = None


@dataclass(frozen=True, eq=False)
class ImageOfZeros:
    """The value of a constrained parameter whose unconstrained numbers are zero."""

    constraint: Constraint

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Transform zeros."""
        return np.asarray(self.constraint.transform(np.zeros(shape)))


def as_shape(shape: Any, what: str) -> tuple[int, ...]:
    """Return a shape as a tuple, checked."""
    entries = (shape,) if isinstance(shape, (int, np.integer)) else shape
    if not isinstance(entries, (tuple, list)) or not all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in entries
    ):
        raise DeclarationError(f"{what}: a shape is a tuple of integers, got {shape!r}")
    return tuple(int(n) for n in entries)


def start(
    name: str, value: Any, shape: Any, init: Initializer | None, constraint: Constraint | None
) -> tuple[tuple[int, ...], Initializer]:
    """Return the shape of a parameter and its initializer; `value` and `shape` exclude another."""
    if (value is None) == (shape is None):
        raise DeclarationError(
            f"parameter {name!r}: give an initial value or a shape (with init=...), not "
            f"{'both' if shape is not None else 'neither'}"
        )
    if init is not None and not callable(init):
        raise DeclarationError(
            f"parameter {name!r}: init is an initializer such as scg.init.zeros, got {init!r}"
        )
    if value is None:
        event = as_shape(shape, f"parameter {name!r}")
        _check_axes(name, event, constraint)
        return event, init or (zeros if constraint is None else ImageOfZeros(constraint))
    if init is not None:
        raise DeclarationError(f"parameter {name!r}: init= goes with shape=, not a value")
    array = _numbers(name, value)
    _check_axes(name, array.shape, constraint)
    if constraint is not None and (complaint := constraint.complaint(array)):
        raise DeclarationError(f"parameter {name!r} {complaint}")
    return array.shape, GivenValues(array)


def _check_axes(name: str, shape: tuple[int, ...], constraint: Constraint | None) -> None:
    if constraint is not None and len(shape) < constraint.axes:
        raise DeclarationError(f"parameter {name!r} of shape {shape} cannot be {constraint.name}")


def _numbers(name: str, value: Any) -> np.ndarray:
    if masked(value):
        raise DeclarationError(f"parameter {name!r}: the initial value is {MASKED}")
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"parameter {name!r}: expected numbers, got {value!r}") from error
    if not np.all(np.isfinite(array)):
        raise DeclarationError(f"parameter {name!r}: the initial value is not finite")
    return array


def check_constraint(name: str, constraint: Any) -> None:
    """Raise unless it is a constraint."""
    if not isinstance(constraint, Constraint):
        raise DeclarationError(
            f"parameter {name!r}: expected a constraint such as scg.positive, got {constraint!r}"
        )


def constrained_node(name: str, leaf: Expr, constraint: Constraint) -> Expr:
    """Return the node that a constraint makes of a leaf."""
    try:
        return constraint.transform(leaf)
    except UnsupportedError as error:
        raise DeclarationError(f"parameter {name!r}: {error}") from error


# --- values ---------------------------------------------------------------------------------------
def initial(
    parameters: Mapping[str, Parameter], seed: int | tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Return initial values; each depends on the seed and its own name alone."""
    check_seed(seed)
    params = {}
    for name, parameter in parameters.items():
        rng = np.random.default_rng([int(word) for word in stream_key(seed, f"init:{name}")])
        value = np.asarray(parameter.init(rng, parameter.node.shape), dtype=np.float64)
        if value.shape != parameter.node.shape:
            raise CallError(
                f"parameter {name!r}: its initializer returned shape {value.shape}, "
                f"expected {parameter.node.shape}"
            )
        params[name] = value
    return params


def unconstrained(parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers behind the values of constrained parameters; others as they are."""
    numbers = {}
    for name, value in values.items():
        constraint = parameters[name].constraint
        if constraint is not None:
            value = np.asarray(value, dtype=np.float64)
            if complaint := constraint.complaint(value):
                raise CallError(f"parameter {name!r} {complaint}")
            value = np.asarray(constraint.inverse(value))
        numbers[name] = value
    return numbers


def constrained(parameters: Mapping[str, Parameter], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of unconstrained numbers: the inverse of :func:`unconstrained`."""
    values = {}
    for name, number in numbers.items():
        constraint = parameters[name].constraint
        values[name] = constraint.transform(np.asarray(number)) if constraint else number
    return values
