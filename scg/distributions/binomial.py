"""The binomial distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.categorical import search
from scg.distributions.counts import POINTS, Trials, check_same_total, settled, spread
from scg.distributions.finite import Finite
from scg.distributions.protocols import Noise
from scg.distributions.upward import Upward, count
from scg.ops.elementary import clip, floor
from scg.ops.elementwise import cast, exp, greater, less, less_equal, minimum, sqrt, where
from scg.ops.indexing import getitem
from scg.ops.powers import ratio
from scg.ops.proportions import beta_log_density, binomial_probability
from scg.ops.reductions import sum
from scg.ops.special import binomial_quantile

#: Up to this many trials a sample is found by search on the table of probabilities.
_TABLE = 256


class Binomial(Trials, Finite):
    """Binomial distribution with independent counts of successes, as floats.

    Use it for the number of successes among a known number of trials. :class:`Poisson` has no
    largest count, :class:`NegativeBinomial` a number of failures at which it stops.

    Parameters
    ----------
    total_count : int
        Number n of trials, known when the graph is declared.
    logits : array_like or node, optional
        log p − log(1 − p), of any shape: the event shape.
    probs : array_like or node, optional
        Probability p of a success; give one of the two.

    Notes
    -----
    p(k; n, p) = C(n, k) p^k (1 − p)^(n−k); its logarithm extends to the mean. Where p is 0 or 1,
    the term 0 · log 0 has no derivative in k.

    Examples
    --------
    >>> import numpy as np, scg
    >>> float(np.exp(scg.Binomial(3, probs=0.5).log_prob(1.0)).round(12))
    0.375
    """

    extends_to_mean = True
    weak_parameters = ("logits", "probs")
    constraints = sets.of(logits=sets.real, probs=sets.unit_interval)

    @property
    def support(self) -> sets.Constraint:
        """0 to n."""
        return sets.Integers(0, self.total_count, f"a count from 0 to {self.total_count}")

    @property
    def trial(self) -> Bernoulli:
        """Distribution of one trial."""
        return Bernoulli(**self.parameters)

    @property
    def probs(self) -> Any:
        """Probability of a success."""
        return self.trial.probs

    def _stretched(self) -> Binomial:
        """The distribution with a new last axis, for counts that lie on it."""
        ((name, value),) = self.parameters.items()
        return Binomial(self.total_count, **{name: getitem(value, (Ellipsis, None))})

    def expect(self, function: Callable[[Any, Any], Any]) -> Any:
        """E f(K, log p(K)) for a function f of counts on a last axis."""
        k, stride = np.arange(self.total_count + 1.0), 1.0
        if len(k) > POINTS:
            k, stride = spread(self.mean(), sqrt(self.variance()))
        inside = less_equal(k, float(self.total_count))
        k = where(inside, k, 0.0)
        logp = self._stretched().log_prob_elementwise(k)
        p = where(inside, exp(logp), 0.0)
        possible = greater(p, 0.0)
        return sum(where(possible, stride * p * where(possible, function(k, logp), 0.0), 0.0), -1)

    def sample(self, noise: Noise) -> Any:
        """Number of counts k with P(K ≤ k) < u."""
        u = noise.uniform(self.shape)
        if self.total_count > _TABLE:
            return self.quantile(u)
        return cast(search(self.coordinate_probs(), getitem(u, (Ellipsis, None))))

    def quantile(self, u: Any) -> Any:
        """The smallest k with P(K ≤ k) ≥ u."""
        return binomial_quantile(float(self.total_count), self.probs, u)

    def log_prob_elementwise(self, x: Any) -> Any:
        """In p, the log-density of a beta value of shapes k + 1 and n − k + 1, over n + 1."""
        ((name, value),) = self.parameters.items()
        n, x = float(self.total_count), settled(x, self.trial)
        density = beta_log_density(value, x + 1.0, n + 1.0 - x, logit=name == "logits")
        return density - math.log(n + 1.0)

    def prob_elementwise(self, x: Any) -> Any:
        """The probability of a count."""
        if "logits" in self.parameters:
            return exp(self.log_prob_on_support(x))
        return binomial_probability(x, self.probs, self.total_count)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In p: n − 1 trials and a success against n − 1 trials and a failure."""
        n = float(self.total_count)
        rest = x - where(less(noise.uniform(self.shape, "which") * n, x), 1.0, 0.0)
        return [(self.probs, n, rest + 1.0, rest)]

    def upward(self, x: Any, noise: Any = None) -> Upward:
        """In p, by a trial that failed."""
        p, failed = self.full(self.probs), self.total_count - x
        up = count(x, failed * p, p, ratio(failed, 1.0 - p))
        return up._replace(moved=lambda here: minimum(up.moved(here), float(self.total_count)))

    mean = closed_form("n p", lambda d: d.total_count * d.probs)
    variance = closed_form("n p (1 − p)", lambda d: d.total_count * d.trial.variance())

    def mode(self) -> Any:
        """⌊(n + 1) p⌋, at most n."""
        return clip(floor((self.total_count + 1.0) * self.probs), 0.0, float(self.total_count))

    entropy_elementwise = closed_form("−Σ p(k) log p(k)", lambda d: d.expect(lambda k, logp: -logp))

    def kl_elementwise(self, other: Any) -> Any:
        """n times the divergence of a trial; the numbers of trials must agree."""
        check_same_total(self, other)
        return self.total_count * self.trial.kl_elementwise(other.trial)

    coordinate_values = closed_form("0 to n", lambda d: np.arange(d.total_count + 1.0))

    def coordinate_probs(self) -> Any:
        """p(0), ..., p(n), on a last axis."""
        return self._stretched().prob_elementwise(self.coordinate_values())
