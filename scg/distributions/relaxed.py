"""Concrete distributions: continuous relaxations of Bernoulli and one-hot variables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import ENTROPY, FAR, Distribution, unsupported
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.categorical import OneHotCategorical
from scg.distributions.finite import Joint
from scg.distributions.given import one_of
from scg.distributions.logistic import Logistic, mean_sigmoid, mean_slope, mean_softplus
from scg.distributions.protocols import Noise
from scg.errors import DeclarationError
from scg.ops.elementary import open_exp, open_sigmoid, open_unit
from scg.ops.elementwise import absolute, greater, log, log1p, maximum, softplus, subtract, where
from scg.ops.gradient import stop
from scg.ops.reductions import log_softmax, logsumexp, sum
from scg.ops.within import within


class RelaxedBernoulli(Distribution):
    """Binary Concrete distribution: independent values in (0, 1) near 0 or 1.

    It is a continuous relaxation of :class:`Bernoulli`, which it approaches as the temperature
    falls. To relax a Bernoulli node only for its gradient use :class:`GumbelSoftmax`.

    Parameters
    ----------
    temperature : array_like or node
        τ > 0.
    logits : array_like or node, optional
        log p − log(1 − p); it broadcasts with `temperature` to the event shape.
    probs : array_like or node, optional
        Probability p of the value 1; give one of the two.

    Notes
    -----
    Pathwise: x = σ((logits + log u − log(1 − u)) / τ) (Maddison et al. 2017). A sample
    that would round to 0 or 1 is moved inside. The log-odds of x are logistic. At p = 0 and p = 1
    there is no density: infinite logits count as ±80 max(τ, 1), without derivatives, with which x
    is within exp(−80) of 0 or 1 but for the noise.

    Examples
    --------
    >>> import scg
    >>> float(scg.RelaxedBernoulli(0.5, logits=0.0).mean().round(4))
    0.5
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("temperature", "logits", "probs")
    support = sets.Interval(0.0, 1.0, closed=False)
    mode = unsupported("mode", "the density is unbounded, or its maximum has no closed form")
    constraints = sets.of(temperature=sets.positive, logits=sets.real, probs=sets.unit_interval)

    def __init__(self, temperature: Any, *, logits: Any = None, probs: Any = None):
        chosen = one_of("RelaxedBernoulli", logits=logits, probs=probs)
        self.declare(temperature=temperature, **chosen)
        self.temperature = self.parameters["temperature"]
        self.hard = Bernoulli(**chosen)

    @property
    def logits(self) -> Any:
        """log p − log(1 − p), finite."""
        end, (given,) = _far(self.temperature), self.hard.parameters.values()
        if "logits" in self.parameters:
            ends = where(greater(given, 0.0), end, -end)
            return within(given, -np.inf, np.inf, given, ends, closed=True)
        p = within(given, 0.0, 1.0, given, 0.5, closed=False)
        ends = where(greater(given, 0.5), end, -end)
        return within(given, 0.0, 1.0, subtract(log(p), log1p(-p)), ends, closed=False)

    def quantile(self, u: Any) -> Any:
        """σ((logits + log u − log(1 − u)) / τ)."""
        noisy = self.logits + (log(u) - log1p(-u))
        return open_sigmoid(noisy / self.temperature)

    @property
    def log_odds(self) -> Logistic:
        """Distribution of log x − log(1 − x)."""
        return Logistic(self.logits / self.temperature, 1.0 / self.temperature)

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """Weak derivatives of the log-odds."""
        parts = self.log_odds.weak_derivatives(subtract(log(x), log1p(-x)), noise)
        return [
            (theta, factor, open_sigmoid(plus), open_sigmoid(minus))
            for theta, factor, plus, minus in parts
        ]

    def mean(self) -> Any:
        """E σ(z) of the log-odds z, to rounding."""
        return open_unit(mean_sigmoid(*_joint(self.log_odds)))

    def variance(self) -> Any:
        """E σ(z) − E σ(z) σ(−z) − (E σ(z))²."""
        z = _joint(self.log_odds)
        mean = mean_sigmoid(*z)
        return mean * (1.0 - mean) - mean_slope(*z)

    def entropy_elementwise(self) -> Any:
        """Entropy of the log-odds z, plus E log σ(z) σ(−z) = E[z − 2 log(1 + exp z)]."""
        loc, scale = _joint(self.log_odds)
        return self.log_odds.entropy_elementwise() + loc - 2.0 * mean_softplus(loc, scale)

    def kl_elementwise(self, other: Any) -> Any:
        """Divergence of the log-odds."""
        return self.log_odds.kl_elementwise(other.log_odds)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Logistic log-density at z = τ (log x − log(1 − x)) − logits, and log τ − log x(1 − x)."""
        log_x, log_rest = log(x), log1p(-x)
        z = absolute(self.temperature * subtract(log_x, log_rest) - self.logits)
        return log(self.temperature) - log_x - log_rest - z - 2.0 * softplus(-z)


def _far(temperature: Any) -> Any:
    """Least log-odds that count as certain, and least −log p that counts as impossible."""
    return FAR * maximum(stop(temperature), 1.0)


def _joint(law: Logistic) -> tuple[Any, Any]:
    return law.full(law.loc), law.full(law.scale)


class RelaxedOneHotCategorical(Joint):
    """Concrete distribution: independent points of the simplex near its corners.

    It is a continuous relaxation of :class:`OneHotCategorical`, which it approaches as the
    temperature falls. To relax a one-hot node only for its gradient use :class:`GumbelSoftmax`.

    Parameters
    ----------
    temperature : float, array_like or node
        τ > 0, a scalar.
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (..., C): the event shape.
    probs : array_like or node, optional
        Probabilities, shape (..., C); give one of the two.

    Raises
    ------
    DeclarationError
        If the temperature is not a scalar.

    Notes
    -----
    Pathwise: x = softmax((log p + Gumbel noise) / τ) (Maddison et al. 2017). An
    element that would round to 0 or 1 is moved inside. The log p of an impossible class counts as
    −80 max(τ, 1), without derivatives.

    Examples
    --------
    >>> import scg
    >>> d = scg.RelaxedOneHotCategorical(1.0, probs=[0.5, 0.5])
    >>> round(float(d.log_prob([0.5, 0.5])), 4)
    0.0
    """

    reparameterized = True
    support = sets.Simplex(closed=False)
    mean = variance = unsupported("moments in closed form", "it is an integral")
    mode = unsupported("mode", "the density is unbounded, or its maximum has no closed form")
    entropy_elementwise = kl_elementwise = unsupported(ENTROPY, "it is an integral")
    constraints = sets.of(temperature=sets.positive, logits=sets.class_logits, probs=sets.simplex)

    def __init__(self, temperature: Any, *, logits: Any = None, probs: Any = None):
        if np.ndim(temperature) != 0:
            raise DeclarationError(
                "RelaxedOneHotCategorical: temperature must be a scalar, got shape "
                f"{np.shape(temperature)}"
            )
        chosen = one_of("RelaxedOneHotCategorical", logits=logits, probs=probs)
        self.declare(temperature=temperature, **chosen)
        self.temperature = self.parameters["temperature"]
        self.hard = OneHotCategorical(**chosen)
        self.classes = self.hard.classes

    @property
    def log_probs(self) -> Any:
        """log p, finite."""
        logs = self.hard.log_probs
        return where(greater(logs, -np.inf), logs, -_far(self.temperature))

    def coupling(self, u: Any) -> Any:
        """softmax((log p − log(−log u)) / τ)."""
        gumbel = -log(-log(u))
        return open_unit(open_exp(log_softmax((self.log_probs + gumbel) / self.temperature)))

    def log_prob_elementwise(self, x: Any) -> Any:
        """One value a vector: log (C−1)! + (C−1) log τ + Σ (s − log x) − C log Σ exp s.

        Here s = log p − τ log x.
        """
        classes, log_x = float(self.classes), log(x)
        s = self.log_probs - self.temperature * log_x
        spread = sum(subtract(s, log_x), -1) - classes * logsumexp(s, -1)
        return spread + (classes - 1.0) * log(self.temperature) + math.lgamma(classes)
