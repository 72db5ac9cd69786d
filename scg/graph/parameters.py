"""Parameters: initial values, constraints, and the unconstrained numbers behind the values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.common.arguments import array_of, checked, numbers_of, said
from scg.distributions.constraints import Constraint
from scg.errors import CallError, DeclarationError, ScgError, UnsupportedError, did_you_mean
from scg.graph.init import GivenValues, zeros
from scg.ir.expr import Expr
from scg.seeds.noise import check_seed, generator

_MOST = 1 << 60  # elements of an array
Initializer = Callable[["np.random.Generator", tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: its unconstrained leaf, its initializer and its constraint."""

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
    """A shape as a tuple, checked."""
    entries = (shape,) if isinstance(shape, (int, np.integer)) else shape
    if not isinstance(entries, (tuple, list)) or not all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in entries
    ):
        raise DeclarationError(f"{what}: a shape is a tuple of integers, got {shape!r}")
    if math.prod(entries) >= _MOST:
        raise DeclarationError(f"{what}: arrays of shape {shape!r} are too large for any memory")
    return tuple(int(n) for n in entries)


def start(
    name: str, value: Any, shape: Any, init: Initializer | None, constraint: Constraint | None
) -> tuple[tuple[int, ...], Initializer]:
    """The shape and the initializer of a parameter of these options, checked."""
    if constraint is not None and not isinstance(constraint, Constraint):
        raise DeclarationError(
            f"parameter {name!r}: expected a constraint such as scg.positive, "
            f"got {said(constraint)}"
        )
    if (value is None) == (shape is None):
        raise DeclarationError(
            f"parameter {name!r}: give an initial value or a shape (with init=...), not "
            f"{'both' if shape is not None else 'neither'}"
        )
    if init is not None and (isinstance(init, type) or not callable(init)):
        raise DeclarationError(
            f"parameter {name!r}: init is an initializer such as scg.init.zeros or "
            f"scg.init.normal(0.01), got {said(init)}"
        )
    if value is not None and init is not None:
        raise DeclarationError(f"parameter {name!r}: init= goes with shape=, not a value")
    array = None if value is None else _numbers(name, value)
    event = as_shape(shape, f"parameter {name!r}") if array is None else array.shape
    if constraint is not None and len(event) < constraint.axes:
        raise DeclarationError(f"parameter {name!r} of shape {event} cannot be {constraint.name}")
    if array is None:
        return event, init or (zeros if constraint is None else ImageOfZeros(constraint))
    if constraint is not None and (complaint := constraint.complaint(array)):
        raise DeclarationError(f"parameter {name!r} {complaint}")
    return event, GivenValues(array)


def _numbers(name: str, value: Any) -> np.ndarray:
    array = array_of(f"parameter {name!r}", value, DeclarationError)
    if array.dtype.kind not in "fiub":
        raise DeclarationError(f"parameter {name!r}: expected numbers, got {said(value)}")
    if not np.all(np.isfinite(array)):
        raise DeclarationError(f"parameter {name!r}: the initial value is not finite")
    return np.array(array, np.float64)


def constrained_node(name: str, leaf: Expr, constraint: Constraint) -> Expr:
    """The node that a constraint makes of a leaf."""
    try:
        return constraint.transform(leaf)
    except UnsupportedError as error:
        raise DeclarationError(f"parameter {name!r}: {error}") from error


# --- values: methods of graphs --------------------------------------------------------------------
@checked("g.init(seed=0)")
def initial(self: Any, seed: int | tuple[int, ...]) -> dict[str, np.ndarray]:
    """Initial parameters by name; each depends on the seed and its own name alone."""
    check_seed(seed)
    params = {}
    for name, parameter in self.parameters.items():
        rng = generator(seed, f"init:{name}")
        params[name] = value = _made(name, parameter, rng)
        shape, constraint = parameter.node.shape, parameter.constraint
        if value.shape != shape:
            complaint = f"its initializer returned shape {value.shape}, expected {shape}"
        elif not np.all(np.isfinite(value)):
            complaint = "its initializer returned what is not finite"
        elif found := constraint.complaint(value) if constraint else None:
            complaint = f"the value of its initializer {found}"
        else:
            continue
        raise CallError(f"parameter {name!r}: {complaint}")
    return params


def _made(name: str, parameter: Parameter, rng: np.random.Generator) -> np.ndarray:
    """Call an initializer, which may be a user's own."""
    try:
        value = parameter.init(rng, parameter.node.shape)
    except (ScgError, MemoryError):
        raise
    except Exception as error:
        raise CallError(
            f"parameter {name!r}: its initializer raised {type(error).__name__}: {error}; "
            "it is called as init(rng, shape) and returns an array of numbers"
        ) from error
    what = f"parameter {name!r}: the value of its initializer"
    return numbers_of(what, value).astype(np.float64, copy=False)


def unconstrained(self: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers behind the values of constrained parameters; the others as they are.

    Raises
    ------
    CallError
        If a name is unknown, or a value violates its parameter's constraint.
    """
    numbers = {}
    for name, constraint, value in _with_constraints(self.parameters, params):
        if constraint:
            value = value.astype(np.float64, copy=False)
            if complaint := constraint.complaint(value):
                raise CallError(f"parameter {name!r} {complaint}")
            with np.errstate(all="ignore"):  # the numbers of values on a border are infinite
                value = np.asarray(constraint.inverse(value))
        numbers[name] = value
    return numbers


def constrained(self: Any, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of unconstrained numbers: the inverse of :meth:`unconstrained`."""
    return {
        name: constraint.transform(number) if constraint else number
        for name, constraint, number in _with_constraints(self.parameters, numbers)
    }


def _with_constraints(
    parameters: Mapping[str, Parameter], values: Mapping[str, Any]
) -> Iterator[tuple[str, Constraint | None, Any]]:
    """Names, constraints and values; those of constrained parameters as arrays of numbers."""
    if not isinstance(values, Mapping):
        raise CallError(f"expected a mapping from names of parameters, got {said(values)}")
    for name, value in values.items():
        if name not in parameters:
            raise CallError(f"there is no parameter {name!r}{did_you_mean(name, parameters)}")
        constraint = parameters[name].constraint
        yield name, constraint, numbers_of(f"parameter {name!r}", value) if constraint else value
