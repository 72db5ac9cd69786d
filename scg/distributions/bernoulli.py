"""The Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import FAR, closed_form
from scg.distributions.finite import Finite
from scg.distributions.given import one_of
from scg.distributions.logistic import Logistic
from scg.distributions.protocols import Noise
from scg.ops.elementary import ceil, clip, floor
from scg.ops.elementwise import (
    expm1,
    greater,
    log,
    log1p,
    log_binary,
    maximum,
    minimum,
    possible,
    sigmoid,
    softplus,
    subtract,
    where,
)
from scg.ops.gradient import graft, stop
from scg.ops.powers import xlog1py, xlogy
from scg.ops.within import within

#: Stands for infinity; in single precision, too, there is room for sums above.
HUGE = 1e30


class Bernoulli(Finite):
    """Bernoulli distribution with independent binary elements, 0.0 or 1.0.

    Prefer `logits` for the output of a network: log-probabilities then stay exact where p rounds to
    0 or 1.

    Parameters
    ----------
    logits : array_like or node, optional
        log p − log(1 − p), of any shape: the event shape.
    probs : array_like or node, optional
        Probability p of the value 1; give one of the two.

    Raises
    ------
    DeclarationError
        Unless exactly one of the two is given.

    Notes
    -----
    log p(x; p) = x log p + (1 − x) log(1 − p). It is written linear in x, so that it extends to the
    mean. A sample is 1[u < p].

    Examples
    --------
    >>> import numpy as np, scg
    >>> float(np.exp(scg.Bernoulli(probs=0.3).log_prob(1.0)).round(12))
    0.3
    """

    extends_to_mean = True
    constraints = sets.of(logits=sets.real, probs=sets.unit_interval)
    support = sets.boolean

    def __init__(self, *, logits: Any = None, probs: Any = None):
        self.declare(**one_of("Bernoulli", logits=logits, probs=probs))

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
    def finite_logits(self) -> Any:
        """Logits of which infinite ones, those of certain values, count as ±HUGE: 0 · ∞ is NaN."""
        a = self.logits
        return within(a, -HUGE, HUGE, a, clip(a, -HUGE, HUGE), closed=True)

    @property
    def probs(self) -> Any:
        """Probability of the value 1."""
        return sigmoid(self.logits) if self._given_logits else self.parameters["probs"]

    @property
    def _rest(self) -> Any:
        """Probability of the value 0."""
        return sigmoid(-self.logits) if self._given_logits else 1.0 - self.probs

    def sample(self, noise: Noise) -> Any:
        """1[p > u]."""
        return where(greater(self.probs, noise.uniform(self.shape)), 1.0, 0.0)

    def quantile(self, u: Any) -> Any:
        """1[u > 1 − p], the smallest value x with P(X ≤ x) ≥ u."""
        return where(greater(u, 1.0 - self.probs), 1.0, 0.0)

    def log_prob_elementwise(self, x: Any) -> Any:
        """x log p + (1 − x) log(1 − p)."""
        if self._given_logits:
            return log_binary(self.logits, x)
        return self.tally(x, 1.0 - x)

    def tally(self, ones: Any, zeros: Any) -> Any:
        """Log-probability of one sequence with given numbers of ones and zeros."""
        if self._given_logits:
            a = self.logits
            return -(ones * possible(softplus(-a), ones) + zeros * possible(softplus(a), zeros))
        return xlogy(ones, self.probs) + xlog1py(zeros, -self.probs)

    def prob_elementwise(self, x: Any) -> Any:
        """x p + (1 − x) (1 − p)."""
        return x * self.probs + (1.0 - x) * self._rest

    mean = closed_form("p", lambda d: d.probs)
    variance = closed_form("p (1 − p)", lambda d: d.probs * d._rest)
    mode = closed_form("1[p > 1/2]", lambda d: where(greater(d.probs, 0.5), 1.0, 0.0))

    def entropy_elementwise(self) -> Any:
        """−p log p − (1 − p) log(1 − p)."""
        if self._given_logits:
            a = (
                self.finite_logits
            )  # nothing cancels: −log p is softplus(−a), −log(1 − p) softplus(a)
            return sigmoid(a) * softplus(-a) + sigmoid(-a) * softplus(a)
        return -self.tally(self.probs, 1.0 - self.probs)

    def kl_elementwise(self, other: Any) -> Any:
        """Σ p (log p − log q) + (1 − p)(log(1 − p) − log(1 − q))."""
        return -self.entropy_elementwise() - other.log_prob_elementwise(self.mean())

    coordinate_values = closed_form("0 and 1", lambda d: np.array([0.0, 1.0]))

    def coordinate_probs(self) -> Any:
        """1 − p and p, on a last axis."""
        return np.stack([self._rest, self.probs], axis=-1)

    # --- the relaxation: b = 1[z > 0] for z = logits + logistic noise -----------------------------
    def location(self, probs: Any = None) -> Any:
        """log p − log(1 − p)."""
        if probs is None and self._given_logits:
            return graft(clip(self.logits, -FAR, FAR), self.logits)
        p, least = self.probs if probs is None else probs, math.exp(-FAR)
        return log(maximum(p, least)) - log(maximum(1.0 - p, least))

    def perturbation(self, x: Any, noise: Noise) -> Any:
        """Logistic noise log(1 − u) − log u, with the uniform u of `x`."""
        u = noise.uniform(self.shape)
        return log1p(-u) - log(u)

    def condition(self, x: Any, noise: Noise, like: Any = None) -> Any:
        """±log(1 + exp(e) / P(not x)), e = log(1 − v) − log v; plus for x = 1."""
        sign = 2.0 * x - 1.0
        odds = softplus(sign * self.location())  # −log P(not x)
        if like is None:
            v = noise.uniform(self.shape, "v")
            e = log1p(-v) - log(v)
        else:
            distance = maximum(sign * like, 1e-30)  # where u is p but for rounding
            e = stop(distance + log(-expm1(-distance)) - odds)
        return sign * softplus(e + odds)

    def relax(self, z: Any, temperature: Any) -> Any:
        """σ(z / τ); 0 or 1 where the other value is impossible."""
        soft = sigmoid(z / temperature)
        if self._given_logits:  # certain values are those of infinite logits
            a = self.logits
            return within(a, -HUGE, HUGE, soft, where(greater(a, 0.0), 1.0, 0.0), closed=True)
        return minimum(maximum(soft, floor(self.probs)), ceil(self.probs))

    def separate(self, x: Any, gap: float | None) -> Any:
        """±max(±logits, gap); without a number the gap is −log(1 − π) / π, π = P(x)."""
        sign = 2.0 * x - 1.0
        lead = sign * self.location()
        return sign * maximum(lead, softplus(lead) / sigmoid(lead) if gap is None else gap)

    def latent(self) -> Logistic:
        """Logistic around the location."""
        return Logistic(self.location(), 1.0)
