"""The gamma family: an inverse-CDF draw whose VJP is implicit."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_exp
from scg.ops.elementwise import log, maximum, square
from scg.ops.proportions import gamma_log_density, log_ratio, relative_entropy
from scg.ops.special import HALF_LOG_2PI, log_gammaincinv, stirling


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
    weak_parameters = ("rate",)
    constraints = sets.of(concentration=sets.positive, rate=sets.positive)
    support = sets.nonnegative

    def __init__(self, concentration: Any, rate: Any = 1.0):
        self.declare(concentration=concentration, rate=rate)
        self.concentration, self.rate = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """P⁻¹(α, u) / β, by its logarithm, which does not underflow for small α."""
        return open_exp(log_gammaincinv(self.concentration, u) - log(self.rate))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In β: the draw against one of α + 1, an exponential value more (Mohamed et al. 2020)."""
        more = -log(noise.uniform(self.shape, "more")) / self.rate
        return [(self.full(self.rate), self.concentration / self.rate, x, x + more)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """α log β + (α − 1) log x − β x − log Γ(α), arranged around the mean."""
        return gamma_log_density(x, self.concentration, self.rate)

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
        """α − log β + log Γ(α) + (1 − α) ψ(α), by Stirling's formula."""
        a = self.concentration
        rest = stirling(a, order=0) + (1.0 - a) * stirling(a, order=1) - 0.5 / a
        return 0.5 * log(a) - log(self.rate) + rest + (HALF_LOG_2PI + 0.5)

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Gamma(a, b)."""
        alpha, beta, a, b = self.concentration, self.rate, other.concentration, other.rate
        shapes = relative_entropy(a, alpha) + shape_remainder(alpha, a)
        return shapes + alpha / beta * relative_entropy(beta, b) + (a - alpha) * log_ratio(beta, b)


def shape_remainder(alpha: Any, a: Any) -> Any:
    """Return log Γ(a) − log Γ(α) − ψ(α) (a − α), without a log(a / α) − a + α, by Stirling."""
    gap = a - alpha
    rest = stirling(a, order=0) - stirling(alpha, order=0) - gap * stirling(alpha, order=1)
    return rest - 0.5 * log_ratio(a, alpha) + 0.5 * gap / alpha
