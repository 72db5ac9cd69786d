"""Counts of trials until failure or success: the geometric and negative binomial families."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, one_of
from scg.distributions.bernoulli import Bernoulli
from scg.ops.elementary import ceil, floor
from scg.ops.elementwise import exp, greater, log, log1p, maximum, square, where
from scg.ops.special import betaln, negative_binomial_quantile


class Geometric(Distribution):
    """Independent numbers of failures before the first success: 0, 1, 2, ... (as floats).

    Parameters
    ----------
    logits : array_like or node, optional
        log p − log(1 − p), of any shape: the event shape.
    probs : array_like or node, optional
        Probability p of a success; give one of the two.

    Notes
    -----
    log p(k) = k log(1 − p) + log p, which extends to the mean.
    """

    extends_to_mean = True
    support = sets.natural
    constraints = sets.of(logits=sets.real, probs=sets.unit_interval)

    def __init__(self, logits: Any = None, *, probs: Any = None):
        self.declare(**one_of("Geometric", logits=logits, probs=probs))

    @property
    def trial(self) -> Bernoulli:
        """The law of one trial."""
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

    def log_prob_elementwise(self, x: Any) -> Any:
        """k log(1 − p) + log p."""
        trial = self.trial
        return x * trial.log_prob_elementwise(0.0) + trial.log_prob_elementwise(1.0)

    def mean(self) -> Any:
        """(1 − p) / p."""
        return self._odds_against

    def variance(self) -> Any:
        """(1 − p) / p²."""
        odds = self._odds_against
        return odds * (1.0 + odds)

    def mode(self) -> Any:
        """0."""
        return self.full(0.0)

    def entropy_elementwise(self) -> Any:
        """The entropy of a trial, over p."""
        return self.trial.entropy_elementwise() / self.trial.probs

    def kl_elementwise(self, other: Any) -> Any:
        """The divergence of a trial, over p."""
        return self.trial.kl_elementwise(other.trial) / self.trial.probs


class NegativeBinomial(Distribution):
    """Independent numbers of successes before a number of failures (as floats).

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
    log p(k) = log Γ(k + r) − log Γ(r) − log k! + k log p + r log(1 − p), which extends to the mean.
    """

    extends_to_mean = True
    support = sets.natural
    constraints = sets.of(total_count=sets.positive, logits=sets.real, probs=sets.unit_interval)

    def __init__(self, total_count: Any, logits: Any = None, *, probs: Any = None):
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

    def log_prob_elementwise(self, x: Any) -> Any:
        """k log p + r log(1 − p) − log((k + r) B(k + 1, r))."""
        r, trial = self.total_count, self.trial
        trials = x * trial.log_prob_elementwise(1.0) + r * trial.log_prob_elementwise(0.0)
        return trials - log(x + r) - betaln(x + 1.0, r)

    def mean(self) -> Any:
        """r p / (1 − p)."""
        return self.total_count * self._odds

    def variance(self) -> Any:
        """r p / (1 − p)²."""
        odds = self._odds
        return self.total_count * (odds + square(odds))

    def mode(self) -> Any:
        """⌊(r − 1) p / (1 − p)⌋ for r > 1, otherwise 0."""
        r = self.total_count
        return where(greater(r, 1.0), floor((r - 1.0) * self._odds), 0.0)
