"""The gamma family: an inverse-CDF draw whose VJP is implicit."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution, Noise, joint_shape, numeric
from scg.ops.elementwise import log, maximum, square, xlogy
from scg.ops.special import digamma, gammaincinv, gammaln


class Gamma(Distribution):
    """Independent gamma values.

    Parameters
    ----------
    concentration : array_like or node
        Shape α > 0.
    rate : array_like or node
        Rate β > 0; it broadcasts with `concentration` to the event shape.

    Notes
    -----
    log p(x) = α log β + (α − 1) log x − β x − log Γ(α). The draw is x = P⁻¹(α, u) / β, with P the
    regularised lower incomplete gamma function and the implicit derivative of Figurnov et al.
    (2018, eq. 5) in α.
    """

    reparameterized = True
    extends_to_mean = True

    def __init__(self, concentration: Any, rate: Any = 1.0):
        self.parameters = {"concentration": numeric(concentration), "rate": numeric(rate)}
        self.shape = joint_shape("Gamma", **self.parameters)
        self.concentration, self.rate = self.parameters.values()

    def sample(self, noise: Noise) -> Any:
        """P⁻¹(α, u) / β."""
        return gammaincinv(self.concentration, noise.uniform(self.shape)) / self.rate

    def log_prob_elementwise(self, x: Any) -> Any:
        """α log β + (α − 1) log x − β x − log Γ(α)."""
        a, b = self.concentration, self.rate
        return a * log(b) + xlogy(a - 1.0, x) - b * x - gammaln(a)

    def mean(self) -> Any:
        """α / β."""
        return self.concentration / self.rate

    def variance(self) -> Any:
        """α / β²."""
        return self.concentration / square(self.rate)

    def mode(self) -> Any:
        """max(α − 1, 0) / β."""
        return maximum(self.concentration - 1.0, 0.0) / self.rate

    def entropy_elementwise(self) -> Any:
        """α − log β + log Γ(α) + (1 − α) ψ(α)."""
        a = self.concentration
        return a - log(self.rate) + gammaln(a) + (1.0 - a) * digamma(a)

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Gamma(a, b)."""
        alpha, beta, a, b = self.concentration, self.rate, other.concentration, other.rate
        return (
            (alpha - a) * digamma(alpha)
            - gammaln(alpha)
            + gammaln(a)
            + a * (log(beta) - log(b))
            + alpha * (b - beta) / beta
        )
