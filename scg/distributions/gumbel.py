"""The Gumbel distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions.base import closed_form
from scg.distributions.location_scale import LocationScale
from scg.distributions.protocols import Noise
from scg.ops.elementwise import exp, log
from scg.ops.special import gammaln


class Gumbel(LocationScale):
    """Gumbel distribution of maxima, with independent elements.

    The argmax of log p plus Gumbel noise is a sample of the classes p (the Gumbel-max trick). The
    distribution of minima is that of −x.

    Parameters
    ----------
    loc : array_like or node
        Mode μ; the mean is μ + 0.5772 β.
    scale : array_like or node
        Scale β > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, β) = exp(−z − exp(−z)) / β with z = (x − μ) / β. Pathwise: x = μ − β log(−log u).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.Gumbel(0.0, 1.0).mean()), 4)
    0.5772
    """

    standard_mean = np.euler_gamma
    standard_variance = math.pi**2 / 6.0
    standard_entropy = 1.0 + np.euler_gamma
    weak_parameters = ("loc",)

    cdf = closed_form("exp(−exp(−z))", lambda d, x: exp(-exp(-d.standardize(x))))
    standard_quantile = closed_form("−log(−log u)", lambda d, u: -log(-log(u)))
    standard_log_density = closed_form("−z − exp(−z)", lambda d, z: -z - exp(-z))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In μ: exp(−z) is exponential; the sample against the value of a sum of two."""
        more = -log(noise.uniform(self.shape, "more"))
        later = self.loc - self.scale * log(exp(-self.standardize(x)) + more)
        return [(self.full(self.loc), 1.0 / self.scale, x, later)]

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Gumbel(m, b); E[exp(−(x − m) / b)] is a gamma function."""
        ratio = self.scale / other.scale
        distance = (self.loc - other.loc) / other.scale
        moment = exp(gammaln(1.0 + ratio) - distance)
        return distance + np.euler_gamma * (ratio - 1.0) - 1.0 - log(ratio) + moment
