"""The multinomial family: counts of classes among a fixed number of draws."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, Noise, one_of
from scg.distributions.binomial import check_same_total, whole_number
from scg.distributions.categorical import OneHotCategorical
from scg.errors import DeclarationError
from scg.ops.elementwise import greater, where
from scg.ops.reductions import sum
from scg.ops.shape import cumsum, getitem, one_hot
from scg.ops.special import gammaln


class Multinomial(Distribution):
    """Counts of C classes among `total_count` independent draws (as floats).

    Parameters
    ----------
    total_count : int
        Number n of draws.
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (C,): the event shape.
    probs : array_like or node, optional
        Probabilities, shape (C,), summing to one; give one of the two.

    Notes
    -----
    log p(k) = log n! − Σ log k_c! + Σ k_c log p_c, which extends to the mean. A draw counts n
    classes, each found by search on the CDF with a uniform of its own.
    """

    extends_to_mean = True
    constraints = sets.of(logits=sets.logits, probs=sets.simplex)

    def __init__(self, total_count: int, logits: Any = None, *, probs: Any = None):
        self.total_count = whole_number("Multinomial", total_count)
        self.declare(**one_of("Multinomial", logits=logits, probs=probs))
        if len(self.shape) != 1:
            raise DeclarationError(
                f"Multinomial: {self.static[1]} must be a vector of classes, got shape "
                f"{self.shape}; what repeats is a plate"
            )

    @property
    def static(self) -> tuple[Any, ...]:
        """Number of draws, and the name of the parameter given."""
        return (self.total_count, *self.parameters)

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Make the distribution anew on another parameter value."""
        return cls(static[0], **dict(zip(static[1:], values, strict=True)))

    @property
    def support(self) -> sets.Constraint:
        """Counts that sum to n."""
        return sets.Counts(self.total_count)

    @property
    def single(self) -> OneHotCategorical:
        """The law of one draw."""
        return OneHotCategorical(**self.parameters)

    @property
    def probs(self) -> Any:
        """Probabilities of the classes."""
        return self.single.probs

    def sample(self, noise: Noise) -> Any:
        """Counts of n classes."""
        classes = self.shape[0]
        below = getitem(cumsum(self.probs), (slice(0, classes - 1),))
        u = noise.uniform((self.total_count, 1))
        index = sum(where(greater(u, below), 1, 0), -1)
        return sum(one_hot(index, classes), 0)

    def log_prob_elementwise(self, x: Any) -> Any:
        """log n! − Σ log k! + Σ k log p; one value for the vector."""
        return (
            self.single.log_prob_elementwise(x)
            - sum(gammaln(x + 1.0), -1)
            + math.lgamma(self.total_count + 1.0)
        )

    def mean(self) -> Any:
        """n p."""
        return self.total_count * self.probs

    def variance(self) -> Any:
        """n p (1 − p), elementwise."""
        return self.total_count * self.single.variance()

    def kl_elementwise(self, other: Any) -> Any:
        """n times the divergence of one draw; the numbers of draws must agree."""
        check_same_total(self, other)
        return self.total_count * self.single.kl_elementwise(other.single)

    def cardinality(self) -> int:
        """C(n + C − 1, n)."""
        return math.comb(self.total_count + self.shape[0] - 1, self.total_count)

    def enumerate_support(self) -> np.ndarray:
        """All vectors of counts, shape (cardinality, C)."""
        n = self.total_count
        rows: list[tuple[int, ...]] = [()]
        for _ in range(self.shape[0] - 1):
            rows = [(*row, k) for row in rows for k in range(n + 1 - builtins.sum(row))]
        return np.array([(*row, n - builtins.sum(row)) for row in rows], dtype=float)
