"""The Laplace distribution."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions.base import closed_form
from scg.distributions.location_scale import Symmetric
from scg.ops.elementwise import absolute, exp, less, log, where


class Laplace(Symmetric):
    """Laplace (double exponential) distribution with independent elements.

    Its log-density is an absolute error, where that of a normal distribution is a squared error.
    `scale` is not the standard deviation, which is b √2.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Scale b > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, b) = exp(−|x − μ| / b) / 2b. Pathwise: x = μ − b sign(u − ½) log(1 − |2u − 1|).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.Laplace(0.0, 1.0).log_prob(2.0)), 4)
    -2.6931
    """

    standard_variance = 2.0
    standard_entropy = 1.0 + math.log(2.0)

    def standard_quantile(self, u: Any) -> Any:
        """log 2u below the median, and its mirror image above."""
        lower = less(u, 0.5)
        tail = log(2.0 * where(lower, u, 1.0 - u))
        return where(lower, tail, -tail)

    def cdf(self, x: Any) -> Any:
        """exp(z) / 2 below the median, and 1 less its mirror image above."""
        z = self.standardize(x)
        half, lower = 0.5 * exp(-absolute(z)), less(z, 0.0)
        return where(lower, half, 1.0 - half)

    standard_log_density = closed_form("−|z| − log 2", lambda d, z: -absolute(z) - math.log(2.0))

    def outward(self, z: Any, log_v: Any) -> Any:
        """|z| − log v."""
        return absolute(z) - log_v

    def kl_elementwise(self, other: Any) -> Any:
        """log(c / b) + (|μ − m| + b exp(−|μ − m| / b)) / c − 1 against Laplace(m, c)."""
        distance = absolute(self.loc - other.loc)
        near = self.scale * exp(-distance / self.scale)
        return (distance + near) / other.scale - 1.0 + log(other.scale / self.scale)
