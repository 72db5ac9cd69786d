"""The Bernoulli family: independent binary values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scg.distributions.base import Distribution, Noise, one_of
from scg.ops.elementwise import (
    greater,
    log,
    log1p,
    sigmoid,
    softplus,
    subtract,
    where,
    xlog1py,
    xlogy,
)


class Bernoulli(Distribution):
    """Independent binary values, 1 with probability p and 0 otherwise.

    Parameters
    ----------
    logits : array_like or node, optional
        log p − log(1 − p), of any shape: the event shape.
    probs : array_like or node, optional
        p; give one of the two.

    Notes
    -----
    log p(x) = x log p + (1 − x) log(1 − p) is written linear in x, so that it extends to the mean.

    Examples
    --------
    >>> import numpy as np, scg
    >>> float(np.exp(scg.Bernoulli(probs=0.3).log_prob(1.0)).round(12))
    0.3
    """

    extends_to_mean = True

    def __init__(self, logits: Any = None, *, probs: Any = None):
        self.parameters = one_of("Bernoulli", logits=logits, probs=probs)
        (value,) = self.parameters.values()
        self.shape = np.shape(value)

    @property
    def _given_logits(self) -> bool:
        return "logits" in self.parameters

    @property
    def logits(self) -> Any:
        """log p − log(1 − p)."""
        if self._given_logits:
            return self.parameters["logits"]
        return subtract(log(self.parameters["probs"]), log1p(-self.parameters["probs"]))

    @property
    def probs(self) -> Any:
        """Probability of the value 1."""
        return sigmoid(self.logits) if self._given_logits else self.parameters["probs"]

    def sample(self, noise: Noise) -> Any:
        """Draw 1[p > u]."""
        return where(greater(self.probs, noise.uniform(self.shape)), 1.0, 0.0)

    def log_prob_elementwise(self, x: Any) -> Any:
        """x log p + (1 − x) log(1 − p)."""
        if self._given_logits:
            return x * self.logits - softplus(self.logits)
        return xlogy(x, self.probs) + xlog1py(1.0 - x, -self.probs)

    def mean(self) -> Any:
        """p."""
        return self.probs

    def variance(self) -> Any:
        """p (1 − p)."""
        return self.probs * (sigmoid(-self.logits) if self._given_logits else 1.0 - self.probs)

    def mode(self) -> Any:
        """1[p > 1/2]."""
        return where(greater(self.probs, 0.5), 1.0, 0.0)

    def entropy_elementwise(self) -> Any:
        """−p log p − (1 − p) log(1 − p)."""
        if self._given_logits:
            a = self.logits  # nothing cancels: −log p is softplus(−a), −log(1 − p) softplus(a)
            return sigmoid(a) * softplus(-a) + sigmoid(-a) * softplus(a)
        p = self.probs
        return -(xlogy(p, p) + xlog1py(1.0 - p, -p))

    def kl_elementwise(self, other: Any) -> Any:
        """Σ p (log p − log q) + (1 − p)(log(1 − p) − log(1 − q))."""
        return -self.entropy_elementwise() - other.log_prob_elementwise(self.mean())

    def cardinality(self) -> int:
        """2 to the number of elements."""
        return 2 ** int(np.prod(self.shape, dtype=int))

    def enumerate_support(self) -> np.ndarray:
        """All binary arrays of the event shape, shape (cardinality, *shape)."""
        n = int(np.prod(self.shape, dtype=int))
        rows = np.array(list(itertools.product((0.0, 1.0), repeat=n)))
        return rows.reshape(2**n, *self.shape)
