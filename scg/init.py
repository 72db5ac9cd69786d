"""Initializers of parameters: functions of a generator and a shape."""

from __future__ import annotations

import numpy as np


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros."""
    return np.zeros(shape)


def constant(value: float):
    """Return an initializer that fills with one number."""
    return lambda rng, shape: np.full(shape, float(value))


def normal(scale: float = 0.01):
    """Return an initializer of normals with standard deviation `scale`."""
    return lambda rng, shape: scale * rng.standard_normal(shape)


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform on ±√(6 / (fan in + fan out)); Glorot and Bengio (2010), eq. 16."""
    fan_in, fan_out = (shape[0], shape[-1]) if len(shape) > 1 else (shape[0] if shape else 1, 1)
    bound = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)
