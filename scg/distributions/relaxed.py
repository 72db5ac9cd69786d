"""Concrete laws: continuous relaxations of Bernoulli and one-hot variables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, Noise, one_of
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.categorical import OneHotCategorical
from scg.errors import DeclarationError
from scg.ops.elementary import open_unit
from scg.ops.elementwise import absolute, log, log1p, sigmoid, softplus, subtract
from scg.ops.reductions import logsumexp, softmax, sum


class RelaxedBernoulli(Distribution):
    """Independent values in (0, 1) that tend to Bernoulli values with the temperature.

    Parameters
    ----------
    temperature : array_like or node
        τ > 0.
    logits : array_like or node, optional
        log p − log(1 − p); it broadcasts with `temperature` to the event shape.
    probs : array_like or node, optional
        p; give one of the two.

    Notes
    -----
    x = σ((logits + log u − log(1 − u)) / τ), the binary Concrete law of Maddison et al. (2017,
    eq. 24); a draw that rounds to 0 or 1 is moved inside.
    """

    reparameterized = True
    support = sets.unit_interval
    constraints = sets.of(temperature=sets.positive, logits=sets.real, probs=sets.unit_interval)

    def __init__(self, temperature: Any, logits: Any = None, *, probs: Any = None):
        chosen = one_of("RelaxedBernoulli", logits=logits, probs=probs)
        self.declare(temperature=temperature, **chosen)
        self.temperature = self.parameters["temperature"]
        self.hard = Bernoulli(**chosen)

    def quantile(self, u: Any) -> Any:
        """σ((logits + log u − log(1 − u)) / τ)."""
        noisy = self.hard.logits + (log(u) - log1p(-u))
        return open_unit(sigmoid(noisy / self.temperature))

    def log_prob_elementwise(self, x: Any) -> Any:
        """Logistic log-density at z = τ (log x − log(1 − x)) − logits, and log τ − log x(1 − x)."""
        log_x, log_rest = log(x), log1p(-x)
        z = absolute(self.temperature * subtract(log_x, log_rest) - self.hard.logits)
        return log(self.temperature) - log_x - log_rest - z - 2.0 * softplus(-z)


class RelaxedOneHotCategorical(Distribution):
    """Independent points of the simplex that tend to one-hot vectors with the temperature.

    Parameters
    ----------
    temperature : float, array_like or node
        τ > 0, a scalar.
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (..., C): the event shape.
    probs : array_like or node, optional
        Probabilities, shape (..., C); give one of the two.

    Notes
    -----
    x = softmax((logits + Gumbel) / τ), the Concrete law of Maddison et al. (2017, eq. 10); an
    element that rounds to 0 or 1 is moved inside.
    """

    reparameterized = True
    support = sets.simplex
    constraints = sets.of(temperature=sets.positive, logits=sets.real, probs=sets.simplex)

    def __init__(self, temperature: Any, logits: Any = None, *, probs: Any = None):
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

    def sample(self, noise: Noise) -> Any:
        """softmax((log p − log(−log u)) / τ)."""
        gumbel = -log(-log(noise.uniform(self.shape)))
        return open_unit(softmax((self.hard.log_probs + gumbel) / self.temperature))

    def log_prob_elementwise(self, x: Any) -> Any:
        """One value a vector: log (C−1)! + (C−1) log τ + Σ (s − log x) − C log Σ exp s.

        Here s = log p − τ log x.
        """
        classes, log_x = float(self.classes), log(x)
        s = self.hard.log_probs - self.temperature * log_x
        spread = sum(subtract(s, log_x), -1) - classes * logsumexp(s, -1)
        return spread + (classes - 1.0) * log(self.temperature) + math.lgamma(classes)
