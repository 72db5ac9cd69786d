"""The law of a value that is certain."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, unsupported
from scg.ops.elementwise import equal, where


class Delta(Distribution):
    """A value with probability one.

    Parameters
    ----------
    value : array_like or node
        The value, of any shape: the event shape.

    Notes
    -----
    log p(x) is 0 at the value and −∞ elsewhere. The draw is the value with its derivative.
    """

    reparameterized = True
    extends_to_mean = False
    cardinality = unsupported("finite support", "its one value may be a parameter")
    enumerate_support = cardinality
    coordinate_values = unsupported(
        "independent coordinates with finitely many values", "its one value may be a parameter"
    )
    coordinate_probs = coordinate_values
    weak_derivatives = unsupported(
        "measure-valued derivative", "the derivative of a point mass is no measure"
    )
    constraints = sets.of(value=sets.real)

    def __init__(self, value: Any):
        self.declare(value=value)
        (self.value,) = self.parameters.values()

    @property
    def support(self) -> sets.Constraint:
        """The value."""
        return sets.Point(self.value)

    def sample(self, noise: Any) -> Any:
        """The value; no noise is drawn."""
        return self.value

    def quantile(self, u: Any) -> Any:
        """The value, whatever u."""
        return self.value + 0.0 * u

    def log_prob_elementwise(self, x: Any) -> Any:
        """0 at the value, −∞ elsewhere."""
        return where(equal(x, self.value), 0.0, -np.inf)

    def mean(self) -> Any:
        """The value."""
        return self.value

    def variance(self) -> Any:
        """0."""
        return self.full(0.0)

    def mode(self) -> Any:
        """The value."""
        return self.value

    def entropy_elementwise(self) -> Any:
        """0."""
        return self.full(0.0)

    def kl_elementwise(self, other: Any) -> Any:
        """0 where the values agree, otherwise infinite."""
        return where(equal(self.value, other.value), 0.0, np.inf)
