"""The Dirichlet family."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, Noise
from scg.errors import DeclarationError
from scg.ops.elementary import open_unit
from scg.ops.elementwise import greater, log, where
from scg.ops.proportions import log_over_means
from scg.ops.reductions import softmax, sum
from scg.ops.special import HALF_LOG_2PI, digamma, log_gammaincinv, stirling
from scg.ops.statistics import min


class Dirichlet(Distribution):
    """Independent vectors of proportions that sum to one.

    Parameters
    ----------
    concentration : array_like or node
        Shapes α > 0, (..., K) with K ≥ 2: the event shape.

    Notes
    -----
    log p(x) = Σ (α_k − 1) log x_k − log B(α). The draw is a vector of gamma values divided by its
    sum, in logarithms; an element that rounds to 0 or 1 is moved inside.
    """

    reparameterized = True
    extends_to_mean = True
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

    def sample(self, noise: Noise) -> Any:
        """Softmax of the logarithms of gamma values."""
        return open_unit(softmax(log_gammaincinv(self.concentration, noise.uniform(self.shape))))

    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ (α − 1) log(x / p) + Stirling's remainder with p = α / Σ α; one value a vector."""
        a = self.concentration
        return sum((a - 1.0) * log_over_means(x, a) - 0.5 * log(self.mean()), -1) - self._scale()

    def _scale(self) -> Any:
        """log B(α) − Σ (α − ½) log p."""
        n = sum(self.concentration, -1)
        spare = float(self.shape[-1] - 1)
        remainder = sum(stirling(self.concentration, order=0), -1) - stirling(n, order=0)
        return remainder - spare * (0.5 * log(n) - HALF_LOG_2PI)

    def mean(self) -> Any:
        """p = α / Σ α."""
        return self.concentration / self._total

    def variance(self) -> Any:
        """p (1 − p) / (1 + Σ α)."""
        p = self.mean()
        return p * (1.0 - p) / (self._total + 1.0)

    def mode(self) -> Any:
        """(α − 1) / Σ (α − 1) where all α > 1, otherwise NaN: the mode is on the border."""
        a = self.concentration - 1.0
        inside = greater(min(a, -1, keepdims=True), 0.0)
        return where(inside, a / where(inside, sum(a, -1, keepdims=True), 1.0), np.nan)

    def _log_normalizer(self) -> Any:
        p = self.mean()
        return sum((self.concentration - 0.5) * log(p), -1) + self._scale()

    def _expected_log(self) -> Any:
        return digamma(self.concentration) - digamma(self._total)

    def entropy_elementwise(self) -> Any:
        """log B(α) − Σ (α − 1) (ψ(α) − ψ(Σ α))."""
        return self._log_normalizer() - sum((self.concentration - 1.0) * self._expected_log(), -1)

    def kl_elementwise(self, other: Any) -> Any:
        """log B(a) − log B(α) + Σ (α − a) (ψ(α) − ψ(Σ α)) against Dirichlet(a)."""
        gap = self.concentration - other.concentration
        normalizers = other._log_normalizer() - self._log_normalizer()
        return normalizers + sum(gap * self._expected_log(), -1)
