"""Counts of trials before a failure or success: geometric and negative binomial."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.counts import log_gamma_gap, settled
from scg.distributions.given import one_of
from scg.distributions.protocols import Noise
from scg.distributions.upward import Upward, count
from scg.ops.elementary import ceil, floor
from scg.ops.elementwise import exp, greater, log, log1p, maximum, square, where
from scg.ops.proportions import beta_log_density
from scg.ops.special import negative_binomial_quantile


class Geometric(Distribution):
    """Geometric distribution with independent counts 0, 1, 2, ..., as floats.

    It counts the failures before the first success. SciPy and NumPy count the trials, which is one
    more.

    Parameters
    ----------
    logits : array_like or node, optional
        log p − log(1 − p), of any shape: the event shape.
    probs : array_like or node, optional
        Probability p of a success, greater than 0; give one of the two.

    Notes
    -----
    p(k; p) = (1 − p)^k p; its logarithm extends to the mean (1 − p) / p.

    Examples
    --------
    >>> import scg
    >>> float(scg.Geometric(probs=0.25).mean())
    3.0
    """

    extends_to_mean = True
    weak_parameters = ("logits", "probs")
    support = sets.natural
    constraints = sets.of(logits=sets.real, probs=sets.Chance(without=0.0))

    def __init__(self, *, logits: Any = None, probs: Any = None):
        self.declare(**one_of("Geometric", logits=logits, probs=probs))

    @property
    def trial(self) -> Bernoulli:
        """Distribution of one trial."""
        return Bernoulli(**self.parameters)

    @property
    def _odds_against(self) -> Any:
        """(1 − p) / p."""
        if "logits" in self.parameters:
            return exp(-self.parameters["logits"])
        return (1.0 - self.parameters["probs"]) / self.parameters["probs"]

    def quantile(self, u: Any) -> Any:
        """⌈log(1 − u) / log(1 − p)⌉ − 1."""
        log_failure = self.trial.log_prob_elementwise(0.0)
        return maximum(ceil(log1p(-u) / log_failure) - 1.0, 0.0)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In p: the sample against itself plus one and a second sample."""
        more = 1.0 + self.quantile(noise.uniform(self.shape, "more"))
        return [(self.trial.probs, 1.0 / self.trial.probs, x, x + more)]

    def upward(self, x: Any, noise: Any = None) -> Upward:
        """In p, at a negative rate: a larger p makes counts smaller."""
        p = self.full(self.trial.probs)
        return count(x, (x + 1.0) * (1.0 - p), p, -(x + 1.0) / p)

    def log_prob_elementwise(self, x: Any) -> Any:
        """k log(1 − p) + log p."""
        return self.trial.tally(1.0, x)

    mean = closed_form("(1 − p) / p", lambda d: d._odds_against)

    def variance(self) -> Any:
        """(1 − p) / p²."""
        odds = self._odds_against
        return odds * (1.0 + odds)

    mode = closed_form("0", lambda d: d.full(0.0))

    def entropy_elementwise(self) -> Any:
        """The entropy of a trial, over p."""
        return self.trial.entropy_elementwise() / self.trial.probs

    def kl_elementwise(self, other: Any) -> Any:
        """The divergence of a trial, over p."""
        return self.trial.kl_elementwise(other.trial) / self.trial.probs


class NegativeBinomial(Distribution):
    """Negative binomial distribution with independent counts 0, 1, 2, ..., as floats.

    It counts the successes before r failures, as in PyTorch; p is the probability of what is
    counted. SciPy and NumPy count failures before r successes, so their p is 1 − p here. Use it for
    counts whose variance exceeds their mean: it is a Poisson distribution whose rate is gamma.

    Parameters
    ----------
    total_count : array_like or node
        Number r > 0 of failures, not necessarily an integer.
    logits : array_like or node, optional
        log p − log(1 − p); it broadcasts with `total_count` to the event shape.
    probs : array_like or node, optional
        Probability p of a success, less than 1; give one of the two.

    Notes
    -----
    p(k; r, p) = Γ(k + r) / (Γ(r) k!) p^k (1 − p)^r; its logarithm extends to the mean r p / (1 −
    p).

    Examples
    --------
    >>> import scg
    >>> float(scg.NegativeBinomial(2.0, probs=0.75).mean())
    6.0
    """

    extends_to_mean = True
    weak_parameters = ("logits", "probs")
    support = sets.natural
    constraints = sets.of(
        total_count=sets.positive, logits=sets.real, probs=sets.Chance(without=1.0)
    )

    def __init__(self, total_count: Any, *, logits: Any = None, probs: Any = None):
        chosen = one_of("NegativeBinomial", logits=logits, probs=probs)
        self.declare(total_count=total_count, **chosen)
        self.total_count = self.parameters["total_count"]
        self.trial = Bernoulli(**chosen)

    @property
    def _odds(self) -> Any:
        """p / (1 − p)."""
        if "logits" in self.parameters:
            return exp(self.parameters["logits"])
        return self.parameters["probs"] / (1.0 - self.parameters["probs"])

    def quantile(self, u: Any) -> Any:
        """The smallest k with P(K ≤ k) ≥ u."""
        return negative_binomial_quantile(self.total_count, self.trial.logits, u)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In p: the sample plus a success and those before another failure, against itself."""
        successes = Geometric(logits=-self.trial.logits)
        more = 1.0 + successes.quantile(noise.uniform(self.shape, "more"))
        rate = self.total_count * (1.0 + self._odds)
        return [(self.full(self.trial.probs), rate, x + more, x)]

    def upward(self, x: Any, noise: Any = None) -> Upward:
        """In p: F(x) = I_(1 − p)(r, x + 1)."""
        p, n = self.full(self.trial.probs), x + self.total_count
        return count(x, n * p, p, n / (1.0 - p))

    def log_prob_elementwise(self, x: Any) -> Any:
        """In p, the log-density of a beta value of shapes k + 1 and r, times (1 − p) / (k + r)."""
        r, ((name, value),) = self.total_count, self.trial.parameters.items()
        x = settled(x, self.trial)
        density = beta_log_density(value, x + 1.0, r, logit=name == "logits")
        return density + self.trial.log_prob_elementwise(0.0) - log(x + r)

    mean = closed_form("r p / (1 − p)", lambda d: d.total_count * d._odds)

    def variance(self) -> Any:
        """r p / (1 − p)²."""
        odds = self._odds
        return self.total_count * (odds + square(odds))

    def mode(self) -> Any:
        """⌊(r − 1) p / (1 − p)⌋ for r > 1, otherwise 0."""
        r = self.total_count
        return where(greater(r, 1.0), floor((r - 1.0) * self._odds), 0.0)

    def entropy_elementwise(self) -> Any:
        """−E[K log p + r log(1 − p) + log Γ(K + r) − log Γ(r) − log K!], to rounding."""
        r = self.total_count
        ways = log_gamma_gap(r, self._odds, r, 1.0)
        trial = self.trial
        if "logits" in self.parameters:
            trial = Bernoulli(logits=trial.finite_logits)
        return -(trial.tally(self.mean(), r) + ways)

    def kl_elementwise(self, other: Any) -> Any:
        """E of the difference of the log-probabilities, to rounding."""
        r, s, mean = self.total_count, other.total_count, self.mean()
        ways = log_gamma_gap(r, self._odds, r, s)
        return self.trial.tally(mean, r) - other.trial.tally(mean, s) + ways
