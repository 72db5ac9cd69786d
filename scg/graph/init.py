"""Initializers of parameters: functions of a NumPy generator and a shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import DeclarationError


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Fill with zeros: the default, for biases and for logits that start at 1/2."""
    return np.zeros(shape)


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform on ±√(6 / (fan in + fan out)), for the weights of a layer.

    Fan in and fan out are the first and the last length of the shape. Glorot and Bengio (2010).
    """
    fan_in, fan_out = (shape[0], shape[-1]) if len(shape) > 1 else (shape[0] if shape else 1, 1)
    bound = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class ConstantValues:
    """Fill with one number."""

    value: float

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """An array of the number."""
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class NormalValues:
    """Independent normals around zero."""

    scale: float

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """An array of independent normals."""
        return self.scale * rng.standard_normal(shape)


@dataclass(frozen=True, eq=False)
class GivenValues:
    """The array that a parameter was declared with."""

    value: np.ndarray

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """A copy of the array."""
        return self.value.copy()


@checked("scg.init.constant(0.5)", DeclarationError)
def constant(value: float) -> ConstantValues:
    """An initializer that fills with one number."""
    return ConstantValues(value)


@checked("scg.init.normal(0.01)", DeclarationError)
def normal(scale: float = 0.01) -> NormalValues:
    """An initializer of independent normals with mean 0 and standard deviation `scale`."""
    if scale < 0.0:
        raise DeclarationError(f"scg.init.normal: scale must not be negative, got {scale}")
    return NormalValues(scale)


#: Initializers that a declaration may name; the classes take options.
INITIALIZERS: dict[str, Any] = {
    "zeros": zeros,
    "glorot_uniform": glorot_uniform,
    "constant": ConstantValues,
    "normal": NormalValues,
}
