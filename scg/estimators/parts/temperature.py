"""The temperature of a relaxation: fixed, scheduled, or learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.errors import EstimatorError
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, maximum, minimum

if TYPE_CHECKING:
    from scg.estimators.protocol import Memory

#: A number, or a function of the number of calls made, in NumPy notation.
Temperature = float | Callable[[Any], Any]

_SMALL = 0.01


def checked(owner: str, temperature: Temperature, learn: bool = False) -> Temperature:
    """`temperature`, or an EstimatorError if it is neither positive nor a schedule."""
    if callable(temperature) and not isinstance(temperature, type):
        if learn:
            raise EstimatorError(
                f"{owner}: a temperature is scheduled or learned, not both; give the number at "
                "which learning starts"
            )
        return temperature
    if not isinstance(temperature, int | float) or not temperature > 0:
        raise EstimatorError(
            f"{owner}: temperature must be a positive number, or a function of the number of "
            f"calls such as lambda n: np.maximum(0.5, np.exp(-1e-4 * n)), got {temperature!r}"
        )
    return float(temperature)


def temperature_of(temperature: Temperature, learn: str | None, memory: Memory) -> Expr | float:
    """The temperature of this call; a schedule counts its calls in the memory.

    With `learn` the estimator has a parameter "temperature" that learns on the "objective" or the
    "variance". Below 0.01 an exponential continues it, so that a step past zero does no harm.
    """
    if callable(temperature):
        calls = memory.state("calls", 0.0)
        memory.update("calls", calls + 1.0)
        return temperature(calls)
    if learn is None:
        return temperature
    own = memory.parameter(
        "temperature", (), lambda rng, shape: np.full(shape, temperature), learn=learn
    )
    return maximum(own - _SMALL, 0.0) + _SMALL * exp(minimum(own / _SMALL, 1.0) - 1.0)
