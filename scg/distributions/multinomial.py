"""The multinomial distribution."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form
from scg.distributions.binomial import Binomial
from scg.distributions.categorical import OneHotCategorical
from scg.distributions.counts import Trials, check_same_total
from scg.distributions.finite import Joint
from scg.distributions.protocols import Noise
from scg.distributions.upward import Upward
from scg.errors import DeclarationError
from scg.ops.elementary import floor
from scg.ops.elementwise import equal, exp, greater, less, logical_and, minimum, where
from scg.ops.gather import one_hot
from scg.ops.indexing import getitem
from scg.ops.powers import power, ratio, xlogy
from scg.ops.proportions import gamma_log_density
from scg.ops.reductions import sum
from scg.ops.shape import concatenate, reshape
from scg.ops.special import binomial_quantile, gammaln
from scg.ops.statistics import argmax, prod


class Multinomial(Trials, Joint):
    """Multinomial distribution: counts of C classes among a number of draws, as floats.

    With one draw it is :class:`OneHotCategorical`; with two classes each count is
    :class:`Binomial`.

    Parameters
    ----------
    total_count : int
        Number n of draws, known when the graph is declared.
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (C,): the event shape.
    probs : array_like or node, optional
        Probabilities, shape (C,), that sum to one; give one of the two.

    Raises
    ------
    DeclarationError
        If the probabilities are not a vector: put repetitions on a plate.

    Notes
    -----
    p(k; n, p) = n! Π_c p_c^(k_c) / k_c!; its logarithm extends to the mean. A sample adds n one-hot
    vectors.

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.Multinomial(3, probs=[0.5, 0.25, 0.25])
    >>> float(np.exp(d.log_prob([1.0, 1.0, 1.0])).round(12))
    0.1875
    """

    extends_to_mean = True
    constraints = sets.of(logits=sets.class_logits, probs=sets.simplex)

    def __init__(self, total_count: Any, *, logits: Any = None, probs: Any = None):
        super().__init__(total_count, logits=logits, probs=probs)
        if len(self.shape) != 1:
            raise DeclarationError(
                f"Multinomial: {self.static[1]} must be a vector of classes, got shape "
                f"{self.shape}; what repeats is a plate"
            )

    @property
    def support(self) -> sets.Constraint:
        """Counts that sum to n."""
        return sets.Counts(self.total_count)

    @property
    def single(self) -> OneHotCategorical:
        """Distribution of one draw."""
        return OneHotCategorical(**self.parameters)

    @property
    def probs(self) -> Any:
        """Probabilities of the classes."""
        return self.single.probs

    def sample(self, noise: Noise) -> Any:
        """Counts of n classes."""
        return sum(self.single.coupling(noise.uniform((self.total_count,))), 0)

    @property
    def uniforms(self) -> tuple[int, ...]:
        """One a class, without the last."""
        return (self.shape[0] - 1,)

    def coupling(self, u: Any) -> Any:
        """Counts class by class: binomial quantiles, given the counts before."""
        p, left, counts = self.probs, float(self.total_count), []
        for k in range(self.shape[0] - 1):
            rest = sum(getitem(p, (slice(k, None),)))
            share = minimum(ratio(getitem(p, k), rest), 1.0)
            count = binomial_quantile(left, share, getitem(u, k))
            left = left - count
            counts.append(reshape(count, shape=(1,)))
        return concatenate(*counts, reshape(left, shape=(1,)), axis=-1)

    def upward(self, x: Any, noise: Any = None) -> Upward:
        """One draw of a class becomes the next class, at the rate of all draws of the class."""
        each = np.eye(self.shape[0])
        up = OneHotCategorical(probs=self.probs + np.zeros_like(each)).upward(each)
        there = greater(x, 0.0)

        def moved(here: Any) -> Any:
            here = logical_and(here, there)
            return x + sum(where(here[..., None], up.moved(here) - each, 0.0), -2)

        ((probs, rate),) = up.rates
        rate = where(there[..., None], x[..., None] * rate, 0.0)
        return Upward(moved, where(there, x * up.weight, 0.0), [(probs, rate)])

    def log_prob_elementwise(self, x: Any) -> Any:
        """log n! − Σ log k! + Σ k log p; one value for the vector."""
        return (
            self.single.log_prob_elementwise(x)
            - sum(gammaln(x + 1.0), -1)
            + math.lgamma(self.total_count + 1.0)
        )

    def prob_elementwise(self, x: Any) -> Any:
        """n! / Π k_c! Π p_c^k_c, with powers, and so their derivatives, where p_c is 0."""
        if "logits" in self.parameters:
            return exp(self.log_prob_on_support(x))
        zero = equal(self.probs, 0.0)
        ways = math.lgamma(self.total_count + 1.0) - sum(gammaln(x + 1.0), -1)
        logs = sum(xlogy(x, where(zero, 1.0, self.probs)), -1)
        return exp(ways + logs) * prod(where(zero, power(self.probs, x), 1.0), -1)

    mean = closed_form("n p", lambda d: d.total_count * d.probs)

    def variance(self) -> Any:
        """n p (1 − p), elementwise."""
        return self.total_count * self.single.variance()

    def mode(self) -> Any:
        """⌊n p⌋, and what is missing to n where p / (k + 1) is largest (Finucan 1964)."""
        p, classes = self.probs, self.shape[0]
        k = floor(self.total_count * p)
        for _ in range(classes - 1):
            best = one_hot(argmax(p / (k + 1.0), -1), classes)
            k = k + where(less(sum(k, -1, keepdims=True), float(self.total_count)), best, 0.0)
        return k

    def entropy_elementwise(self) -> Any:
        """log Pois(n; n) − Σ E log Pois(K; n p): a multinomial vector is Poisson, given its sum."""
        n, some = float(self.total_count), greater(self.probs, float(np.finfo(float).tiny))
        p = where(some, self.probs, 0.5)  # a class without probability adds nothing
        rate = getitem(n * p, (Ellipsis, None))
        each = Binomial(self.total_count, probs=p)
        unlikely = each.expect(lambda k, _: -gamma_log_density(rate, k + 1.0, 1.0))
        whole = float(gamma_log_density(n, n + 1.0, 1.0))
        return sum(where(some, unlikely, 0.0), -1) + whole

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
