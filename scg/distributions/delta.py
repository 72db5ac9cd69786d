"""The point mass."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form, unsupported
from scg.ops.elementwise import equal, where


class Delta(Distribution):
    """Point mass: a value with probability one.

    Use it as a component of a :class:`Mixture` ("spike and slab"), or as a stochastic node whose
    value is known.

    Parameters
    ----------
    value : array_like or node
        The value v, of any shape: the event shape.

    Notes
    -----
    log p(x; v) is 0 at x = v and −∞ elsewhere, without a derivative in v. A sample is v with its
    derivative.

    Examples
    --------
    >>> import scg
    >>> scg.Delta([1.5, -2.0]).log_prob([1.5, 0.0], elementwise=True)
    array([  0., -inf])
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
        "measure-valued derivative", "the derivative of a point mass is not a measure"
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
        """The value, without noise."""
        return self.value

    quantile = closed_form("The value, whatever u", lambda d, u: d.value + 0.0 * u)

    def log_prob_elementwise(self, x: Any) -> Any:
        """0 at the value, −∞ elsewhere."""
        return where(equal(x, self.value), 0.0, -np.inf)

    mean = closed_form("The value", lambda d: d.value)
    variance = closed_form("0", lambda d: d.full(0.0))
    mode = closed_form("The value", lambda d: d.value)
    entropy_elementwise = closed_form("0", lambda d: d.full(0.0))

    def kl_elementwise(self, other: Any) -> Any:
        """0 where the values agree, otherwise infinite."""
        return where(equal(self.value, other.value), 0.0, np.inf)
