"""Configurations of binary units, and their log-weights in a restricted Boltzmann machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scg.ops.elementwise import equal, greater, softplus, where
from scg.ops.linalg import matmul
from scg.ops.reductions import sum
from scg.ops.shape import concatenate
from scg.ops.within import within

#: Stands for −log 0 in sums of weights; as a power of 2, so that multiples cancel.
FORBIDDEN = 2.0**100
#: Numbers in a block of configurations.
BLOCK = 2**22


def digits(numbers: np.ndarray, units: int) -> np.ndarray:
    """The binary digits of numbers, the highest first."""
    return (numbers[:, None] >> np.arange(units)[::-1] & 1).astype(float)


def configurations(weights: Any) -> Iterator[np.ndarray]:
    """Blocks of all configurations of the units that the rows of the weights belong to."""
    units, others = np.shape(weights)
    size = max(BLOCK // others, 1)
    for start in range(0, 2**units, size):
        yield digits(np.arange(start, min(start + size, 2**units)), units)


def log_weight(x: Any, bias: Any, other: Any, weights: Any) -> Any:
    """Log-weight of configurations of one side, the other one summed out.

    An infinite bias makes its unit certain. It adds 0 to configurations with the certain value, and
    −FORBIDDEN to others.
    """
    own, off, on = _parts(bias)
    given, never, always = _parts(other)
    near = where(greater(x, 0.5), 1.0, 0.0)  # a mean of certain units may be rounded
    wrong = matmul(near, off - on) + sum(on)
    linear = matmul(x, own + matmul(weights, where(greater(always, 0.0), 1.0, 0.0)))
    fields = given - never - always + matmul(x, weights)
    return linear + sum(softplus(fields), -1) - wrong


def _parts(bias: Any) -> tuple[Any, Any, Any]:
    """The finite biases, and weights of units that are never or always 1."""
    infinite = (where(equal(bias, end), FORBIDDEN, 0.0) for end in (-np.inf, np.inf))
    return (within(bias, -np.inf, np.inf, bias, 0.0, closed=True), *infinite)


def log_weights(bias: Any, other: Any, weights: Any) -> Any:
    """Log-weights of all configurations of one side."""
    found = [log_weight(rows, bias, other, weights) for rows in configurations(weights)]
    return concatenate(*found, axis=-1) if len(found) > 1 else found[0]
