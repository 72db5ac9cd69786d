"""The Poisson distribution."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.counts import spread
from scg.distributions.upward import Upward, count
from scg.ops.elementary import floor
from scg.ops.elementwise import exp, sqrt
from scg.ops.indexing import getitem
from scg.ops.proportions import gamma_log_density, relative_entropy
from scg.ops.reductions import sum
from scg.ops.special import poisson_quantile


class Poisson(Distribution):
    """Poisson distribution with independent counts 0, 1, 2, ..., as floats.

    Use it for counts of independent events. Its variance equals its mean;
    :class:`NegativeBinomial` has a larger one.

    Parameters
    ----------
    rate : array_like or node
        Mean λ > 0, of any shape: the event shape. Of mean 0 write the constant 0.

    Notes
    -----
    p(k; λ) = λ^k exp(−λ) / k!; its logarithm extends to the mean.

    Examples
    --------
    >>> import numpy as np, scg
    >>> float(np.exp(scg.Poisson(1.0).log_prob(0.0)).round(4))
    0.3679
    """

    extends_to_mean = True
    weak_parameters = ("rate",)
    support = sets.natural
    constraints = sets.of(rate=sets.positive)

    def __init__(self, rate: Any):
        self.declare(rate=rate)
        (self.rate,) = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """The smallest k with P(K ≤ k) ≥ u."""
        return poisson_quantile(self.rate, u)

    def log_prob_elementwise(self, x: Any) -> Any:
        """k log λ − λ − log k!: in λ, the log-density of a gamma value of shape k + 1."""
        return gamma_log_density(self.rate, x + 1.0, 1.0)

    def weak_derivatives(self, x: Any, noise: Any) -> list[tuple[Any, Any, Any, Any]]:
        """In λ: x + 1 against x."""
        return [(self.rate, 1.0, x + 1.0, x)]

    def upward(self, x: Any, noise: Any = None) -> Upward:
        """In λ, at the rate 1."""
        return count(x, self.full(self.rate), self.full(self.rate), 1.0)

    mean = closed_form("λ", lambda d: d.rate)
    variance = closed_form("λ", lambda d: d.rate)
    mode = closed_form("⌊λ⌋", lambda d: floor(d.rate))

    def entropy_elementwise(self) -> Any:
        """−Σ p(k) log p(k), over the points of `spread`."""
        k, stride = spread(self.rate, sqrt(self.rate))
        logp = Poisson(getitem(self.rate, (Ellipsis, None))).log_prob_elementwise(k)
        return -sum(stride * exp(logp) * logp, -1)

    def kl_elementwise(self, other: Any) -> Any:
        """λ log(λ / l) − λ + l against Poisson(l)."""
        return relative_entropy(self.rate, other.rate)
