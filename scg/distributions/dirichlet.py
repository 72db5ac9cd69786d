"""The Dirichlet family."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Joint
from scg.distributions.beta import entropy_part
from scg.distributions.gamma import shape_remainder
from scg.errors import DeclarationError
from scg.ops.elementary import open_exp, open_unit
from scg.ops.elementwise import greater, log, where
from scg.ops.proportions import dirichlet_core, relative_entropy
from scg.ops.reductions import log_softmax, sum
from scg.ops.special import HALF_LOG_2PI, log_gammaincinv, stirling
from scg.ops.statistics import min


class Dirichlet(Joint):
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

    def coupling(self, u: Any) -> Any:
        """Softmax of the logarithms of gamma values."""
        return open_unit(open_exp(log_softmax(log_gammaincinv(self.concentration, u))))

    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ (α − 1) log(x / p) + Stirling's remainder with p = α / Σ α; one value a vector."""
        a, n = self.concentration, sum(self.concentration, -1)
        remainder = stirling(n, order=0) - sum(stirling(a, order=0), -1)
        return dirichlet_core(x, a) + remainder - self._spread()

    def _spread(self) -> Any:
        """½ Σ log p + (K − 1) (½ log 2π − ½ log Σ α)."""
        spare = float(self.shape[-1] - 1)
        log_n = log(sum(self.concentration, -1))
        return 0.5 * sum(log(self.mean()), -1) + spare * (HALF_LOG_2PI - 0.5 * log_n)

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
