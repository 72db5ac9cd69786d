"""Gradient clipping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Clip = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class ClipNorm:
    """Scale all gradients together so that their joint norm is at most `limit`.

    Pascanu, Mikolov and Bengio (2013, algorithm 1).

    Examples
    --------
    >>> clipped = ClipNorm(1.0)({"a": np.array(3.0), "b": np.array([0.0, 4.0])})
    >>> clipped["a"].round(12), clipped["b"].round(12)
    (np.float64(0.6), array([0. , 0.8]))
    """

    limit: float

    def __call__(self, grads: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the scaled gradients."""
        norm = np.sqrt(sum(float(np.sum(np.square(grad))) for grad in grads.values()))
        scale = min(1.0, self.limit / norm) if norm else 1.0
        return {name: grad * scale for name, grad in grads.items()}


@dataclass(frozen=True)
class ClipValue:
    """Clip every element of every gradient to ±`limit`."""

    limit: float

    def __call__(self, grads: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the clipped gradients."""
        return {name: np.clip(grad, -self.limit, self.limit) for name, grad in grads.items()}
