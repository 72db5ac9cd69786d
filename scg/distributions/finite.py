"""Distributions whose coordinates are independent and finite, or depend on each other."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from scg.distributions.base import Distribution, unsupported
from scg.distributions.upward import Upward, among


class Finite(Distribution):
    """Independent coordinates with finitely many values; by default they are the elements."""

    weak_derivatives = unsupported(
        "measure-valued derivative", "a part at each value of a coordinate instead"
    )

    def coordinate_values(self) -> np.ndarray:
        """All values of one coordinate, on a leading axis."""
        raise NotImplementedError

    def coordinate_probs(self) -> Any:
        """Probabilities of these values, on a last axis."""
        raise NotImplementedError

    def upward(self, x: Any, noise: Any = None) -> Upward:
        """The move of each coordinate to its next value."""
        return among(self.coordinate_values(), self.coordinate_probs(), x)

    def _coordinates(self) -> tuple[np.ndarray, int]:
        """Values of a coordinate, and the number of coordinates."""
        values = self.coordinate_values()
        return values, math.prod(self.shape[: len(self.shape) + 1 - values.ndim])

    def cardinality(self) -> int:
        """Number of values of the event: that of a coordinate, to the number of coordinates."""
        values, count = self._coordinates()
        return len(values) ** count

    def enumerate_support(self) -> np.ndarray:
        """All values of the event, shape (cardinality, *shape)."""
        values, count = self._coordinates()
        rows = list(itertools.product(range(len(values)), repeat=count))
        return values[np.array(rows, dtype=int)].reshape(len(rows), *self.shape)


class Joint(Distribution):
    """Distribution whose elements depend on each other."""

    coordinate_values = unsupported(
        "independent coordinates with finitely many values", "its elements depend on each other"
    )
    coordinate_probs = coordinate_values
    weak_derivatives = unsupported("measure-valued derivative", "its elements depend on each other")
