"""The log-normal family."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.distributions.normal import Normal
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_exp
from scg.ops.elementwise import exp, expm1, log, square
from scg.ops.special import ndtri


class LogNormal(Distribution):
    """Independent values whose logarithms are normal.

    Parameters
    ----------
    loc : array_like or node
        Mean μ of log x.
    scale : array_like or node
        Standard deviation σ > 0 of log x; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = log N(log x; μ, σ²) − log x.
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("loc", "scale")
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.positive

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    @property
    def logarithm(self) -> Normal:
        """The law of log x."""
        return Normal(self.loc, self.scale)

    def sample(self, noise: Noise) -> Any:
        """exp(μ + σ ε)."""
        return open_exp(self.logarithm.sample(noise))

    def quantile(self, u: Any) -> Any:
        """exp(μ + σ Φ⁻¹(u))."""
        return open_exp(self.loc + self.scale * ndtri(u))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """Those of log x."""
        parts = self.logarithm.weak_derivatives(log(x), noise)
        return [(theta, c, open_exp(plus), open_exp(minus)) for theta, c, plus, minus in parts]

    def log_prob_elementwise(self, x: Any) -> Any:
        """log N(log x; μ, σ²) − log x."""
        y = log(x)
        return self.logarithm.log_prob_elementwise(y) - y

    def mean(self) -> Any:
        """exp(μ + σ² / 2)."""
        return exp(self.loc + 0.5 * square(self.scale))

    def variance(self) -> Any:
        """(exp(σ²) − 1) exp(2μ + σ²)."""
        return expm1(square(self.scale)) * exp(2.0 * self.loc + square(self.scale))

    def mode(self) -> Any:
        """exp(μ − σ²)."""
        return exp(self.loc - square(self.scale))

    def entropy_elementwise(self) -> Any:
        """Entropy of log x, plus μ."""
        return self.logarithm.entropy_elementwise() + self.loc

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence of the normal laws."""
        return self.logarithm.kl_elementwise(other.logarithm)
