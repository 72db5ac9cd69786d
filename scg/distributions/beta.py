"""Proportions: the beta and Dirichlet distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.finite import Joint
from scg.distributions.gamma import shape_remainder
from scg.distributions.protocols import Noise
from scg.distributions.shape_parts import beta_parts
from scg.distributions.standardized import (
    accepted_log_gamma,
    standardized_log_gamma,
    standardized_log_odds,
)
from scg.errors import DeclarationError
from scg.ops.elementary import open_exp, open_sigmoid, open_unit
from scg.ops.elementwise import greater, less_equal, log, log1p, logical_and, softplus, where
from scg.ops.gradient import stop
from scg.ops.proportions import beta_log_density, dirichlet_core, relative_entropy
from scg.ops.quantiles import logit_betaincinv
from scg.ops.reductions import log_softmax, sum
from scg.ops.special import HALF_LOG_2PI, log_gammaincinv, stirling
from scg.ops.statistics import min


class Beta(Distribution):
    """Beta distribution with independent elements: proportions in (0, 1).

    It is the conjugate prior of a probability; :class:`Dirichlet` is the same for several classes.

    Parameters
    ----------
    concentration1 : array_like or node
        Shape α > 0, whose exponent belongs to x.
    concentration0 : array_like or node
        Shape β > 0, whose exponent belongs to 1 − x; it broadcasts with `concentration1` to the
        event shape.

    Notes
    -----
    p(x; α, β) = x^(α−1) (1 − x)^(β−1) / B(α, β). A sample is a / (a + b) for two gamma values a and
    b, computed from their logarithms; a sample that would round to 0 or 1 is moved inside.

    Examples
    --------
    >>> import scg
    >>> float(scg.Beta(3.0, 1.0).mean())
    0.75
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("concentration1", "concentration0")
    support = sets.unit_interval
    constraints = sets.of(concentration1=sets.positive, concentration0=sets.positive)

    def __init__(self, concentration1: Any, concentration0: Any):
        self.declare(concentration1=concentration1, concentration0=concentration0)
        self.concentration1, self.concentration0 = self.parameters.values()

    def sample(self, noise: Noise) -> Any:
        """σ(log a − log b)."""
        return open_sigmoid(self._log_odds(noise))

    def _log_odds(self, noise: Noise) -> Any:
        a = log_gammaincinv(self.concentration1, noise.uniform(self.shape, "a"))
        return a - log_gammaincinv(self.concentration0, noise.uniform(self.shape, "b"))

    def rounding(self, x: Any, noise: Noise) -> Any:
        """The shapes times what rounding takes from log x and log(1 − x), at either end."""
        s = self._log_odds(noise)
        ends = stop(-softplus(-s) - log(x)), stop(-softplus(s) - log1p(-x))
        return self.concentration1 * ends[0] + self.concentration0 * ends[1]

    def quantile(self, u: Any) -> Any:
        """I⁻¹(u; α, β), by its log-odds, with an implicit derivative in both shapes."""
        return open_sigmoid(logit_betaincinv(self.concentration1, self.concentration0, u))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In α by inversion; in β the same for 1 − x."""
        a, b = self.full(self.concentration1), self.full(self.concentration0)
        first, up, down = beta_parts(a, b, noise.uniform(self.shape, "shape1"))
        second, low, high = beta_parts(b, a, noise.uniform(self.shape, "shape0"))
        return [
            (a, first, open_sigmoid(up), open_sigmoid(down)),
            (b, second, open_sigmoid(-low), open_sigmoid(-high)),
        ]

    def accepted(self, noise: Noise, augment: int) -> tuple[Any, Any]:
        """Through two gamma values."""
        (a, up), (b, down) = (
            accepted_log_gamma(self.full(shape), noise, augment, tag)
            for shape, tag in ((self.concentration1, "a"), (self.concentration0, "b"))
        )
        return open_sigmoid(a - b), up + down

    def standardized(self, noise: Noise) -> tuple[Any, Any]:
        """Through the standardized log-odds."""
        a, b = self.full(self.concentration1), self.full(self.concentration0)
        s, logp = standardized_log_odds(a, b, noise)
        return open_sigmoid(s), logp

    def log_prob_elementwise(self, x: Any) -> Any:
        """(α − 1) log(x/p) + (β − 1) log((1 − x)/q) + Stirling's remainder, p = α/(α+β) = 1−q."""
        return beta_log_density(x, self.concentration1, self.concentration0)

    def mean(self) -> Any:
        """α / (α + β)."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    def variance(self) -> Any:
        """p q / (α + β + 1)."""
        n = self.concentration1 + self.concentration0
        return (self.concentration1 / n) * (self.concentration0 / n) / (n + 1.0)

    def mode(self) -> Any:
        """(α − 1) / (α + β − 2) where both are above 1; an end, or NaN for both ends."""
        a, b = self.concentration1, self.concentration0
        inside = logical_and(greater(a, 1.0), greater(b, 1.0))
        interior = (a - 1.0) / where(inside, a + b - 2.0, 1.0)
        both = logical_and(less_equal(a, 1.0), less_equal(b, 1.0))
        end = where(greater(a, 1.0), 1.0, 0.0)
        return where(inside, interior, where(both, np.nan, end))

    def entropy_elementwise(self) -> Any:
        """log B(α, β) − (α − 1) ψ(α) − (β − 1) ψ(β) + (α + β − 2) ψ(α + β), by Stirling."""
        a, b = self.concentration1, self.concentration0
        n = a + b
        spread = -0.5 * (log(n) + log1p(b / a) + log1p(a / b)) + HALF_LOG_2PI
        return spread + entropy_part(a, 1.0) + entropy_part(b, 1.0) - entropy_part(n, 2.0)

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence from Beta(a, b)."""
        alpha, beta = self.concentration1, self.concentration0
        a, b = other.concentration1, other.concentration0
        n, m = alpha + beta, a + b
        means = relative_entropy(a, m * (alpha / n)) + relative_entropy(b, m * (beta / n))
        return means + shape_remainder(alpha, a) + shape_remainder(beta, b) - shape_remainder(n, m)


def entropy_part(a: Any, count: float) -> Any:
    """Part δ(a) − (a − n) (ψ(a) − log a) of an entropy, with Stirling's remainder δ and n = count.

    Entropies of beta and Dirichlet distributions are sums of such parts.
    """
    gap = stirling(a, order=1) - 0.5 / a
    return stirling(a, order=0) - (a - count) * gap


class Dirichlet(Joint):
    """Dirichlet distribution: independent vectors of proportions that sum to one.

    It is the conjugate prior of class probabilities. For points near the corners that approximate
    one-hot vectors use :class:`RelaxedOneHotCategorical`.

    Parameters
    ----------
    concentration : array_like or node
        Shapes α > 0, (..., K) with K ≥ 2: the event shape.

    Raises
    ------
    DeclarationError
        If the last axis has fewer than two elements.

    Notes
    -----
    p(x; α) = Π_k x_k^(α_k − 1) / B(α). A sample is a vector of gamma values divided by its sum,
    computed from their logarithms; an element that would round to 0 or 1 is moved inside.

    Examples
    --------
    >>> import scg
    >>> scg.Dirichlet([1.0, 1.0, 2.0]).mean()
    array([0.25, 0.25, 0.5 ])
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("concentration",)
    support = sets.simplex
    constraints = sets.of(concentration=sets.positive)

    def __init__(self, concentration: Any):
        self.declare(concentration=concentration)
        (self.concentration,) = self.parameters.values()
        if not self.shape or self.shape[-1] < 2:
            raise DeclarationError(
                "Dirichlet: concentration needs a last axis of at least two elements, "
                f"got shape {self.shape}"
            )

    @property
    def _total(self) -> Any:
        return sum(self.concentration, -1, keepdims=True)

    def coupling(self, u: Any) -> Any:
        """Softmax of the logarithms of gamma values."""
        return open_unit(open_exp(log_softmax(log_gammaincinv(self.concentration, u))))

    def rounding(self, x: Any, noise: Noise) -> Any:
        """Σ α times what rounding takes from log x."""
        y = log_softmax(log_gammaincinv(self.concentration, noise.uniform(self.uniforms)))
        return sum(self.concentration * stop(y - log(x)), -1)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In α_k: the parts of x_k, which is Beta(α_k, Σ_j≠k α_j) beside independent shares."""
        a, others = self.full(self.concentration), 1.0 - np.eye(self.shape[-1])
        factor, plus, minus = beta_parts(a, a @ others, noise.uniform(self.shape, "shape"))
        return [(a, factor, open_sigmoid(plus), open_sigmoid(minus))]

    def moved(self, x: Any, here: Any, part: Any) -> Any:
        """Move one proportion, the others keeping their shares of the rest."""
        rest = sum(where(here, 0.0, x), -1, keepdims=True)
        share = (1.0 - sum(where(here, part, 0.0), -1, keepdims=True)) / rest
        return where(here, part, x * share)

    def accepted(self, noise: Noise, augment: int) -> tuple[Any, Any]:
        """Through gamma values."""
        y, logp = accepted_log_gamma(self.full(self.concentration), noise, augment)
        return open_unit(open_exp(log_softmax(y))), logp

    def standardized(self, noise: Noise) -> tuple[Any, Any]:
        """Through gamma values."""
        y, logp = standardized_log_gamma(self.full(self.concentration), noise)
        return open_unit(open_exp(log_softmax(y))), logp

    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ (α − 1) log(x / p) + Stirling's remainder with p = α / Σ α; one value per vector."""
        a, n = self.concentration, sum(self.concentration, -1)
        remainder = stirling(n, order=0) - sum(stirling(a, order=0), -1)
        return dirichlet_core(x, a) + remainder - self._spread()

    def _spread(self) -> Any:
        """½ Σ log p + (K − 1) (½ log 2π − ½ log Σ α)."""
        spare = float(self.shape[-1] - 1)
        log_n = log(sum(self.concentration, -1))
        return 0.5 * sum(log(self.mean()), -1) + spare * (HALF_LOG_2PI - 0.5 * log_n)

    mean = closed_form("p = α / Σ α", lambda d: d.concentration / d._total)

    def variance(self) -> Any:
        """p (1 − p) / (1 + Σ α)."""
        p = self.mean()
        return p * (1.0 - p) / (self._total + 1.0)

    def mode(self) -> Any:
        """(α − 1) / Σ (α − 1) where all α > 1, otherwise NaN: the mode is on the border."""
        a = self.concentration - 1.0
        inside = greater(min(a, -1, keepdims=True), 0.0)
        return where(inside, a / where(inside, sum(a, -1, keepdims=True), 1.0), np.nan)

    def entropy_elementwise(self) -> Any:
        """log B(α) − Σ (α − 1) (ψ(α) − ψ(Σ α)), by Stirling's formula."""
        a, n = self.concentration, sum(self.concentration, -1)
        whole = entropy_part(n, float(self.shape[-1]))
        return self._spread() + sum(entropy_part(a, 1.0), -1) - whole

    def kl_elementwise(self, other: Any) -> Any:
        """log B(a) − log B(α) + Σ (α − a) (ψ(α) − ψ(Σ α)) against Dirichlet(a)."""
        alpha, a = self.concentration, other.concentration
        m = sum(a, -1, keepdims=True)
        each = relative_entropy(a, m * self.mean()) + shape_remainder(alpha, a)
        return sum(each, -1) - shape_remainder(sum(alpha, -1), sum(a, -1))
