"""Categorical distributions: of integers, and of one-hot vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import FAR, closed_form, unsupported
from scg.distributions.finite import Finite
from scg.distributions.given import one_of
from scg.distributions.gumbel import Gumbel
from scg.distributions.protocols import Noise
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ops.elementwise import cast, exp, greater, less, log, log1p, maximum, possible, where
from scg.ops.gather import _one_hot, one_hot
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.powers import xlogy
from scg.ops.reductions import log_softmax, max, softmax, sum
from scg.ops.shape import cumsum
from scg.ops.statistics import argmax


class _Classes(Finite):
    """C classes on the last axis of the parameters."""

    constraints = sets.of(logits=sets.class_logits, probs=sets.simplex)

    def __init__(self, *, logits: Any = None, probs: Any = None):
        self.declare(**one_of(type(self).__name__, logits=logits, probs=probs))
        ((name, value),) = self.parameters.items()
        shape = np.shape(value)
        if not shape or shape[-1] < 1:
            raise DeclarationError(
                f"{type(self).__name__}: {name} needs a last axis of classes, got shape {shape}"
            )
        self.classes, self.batch_shape = shape[-1], shape[:-1]
        self.shape = shape if self.kind == "float" else shape[:-1]

    @property
    def log_probs(self) -> Any:
        """Normalised log-probabilities, classes last."""
        if "logits" in self.parameters:
            return log_softmax(self.parameters["logits"])
        return xlogy(1.0, self.probs)

    @property
    def probs(self) -> Any:
        """Probabilities, classes last; those of a node over their sum."""
        if "logits" in self.parameters:
            return softmax(self.parameters["logits"])
        p = self.parameters["probs"]
        return p / sum(p, axis=-1, keepdims=True) if isinstance(p, Expr) else p

    @property
    def finite_log_probs(self) -> Any:
        """log p, of each class at least −FAR: for what must not be infinitely far from a class."""
        if "logits" in self.parameters:
            return maximum(self.log_probs, -FAR)
        return _finite_log(self.probs)

    @property
    def uniforms(self) -> tuple[int, ...]:
        """One for each variable."""
        return self.batch_shape

    def of_index(self, index: Any) -> Any:
        """Value whose class is `index`, an integer for each variable."""
        raise NotImplementedError

    def sample(self, noise: Noise) -> Any:
        """Class found by search on the cumulated probabilities."""
        return self.of_index(search(self.probs, noise.uniform((*self.batch_shape, 1))))

    def coupling(self, u: Any) -> Any:
        """Class at which the cumulated probability reaches `u`."""
        return self.of_index(search(self.probs, getitem(u, (Ellipsis, None))))

    def mode(self) -> Any:
        """Most probable class, the first of equals."""
        largest = cast(self.probs >= max(self.probs, axis=-1, keepdims=True))
        started = greater(cumsum(largest), 0.0)
        return self.of_index(sum(where(started, 0, 1), axis=-1))

    def _weighted(self, x: Any) -> Any:
        """x_c log p_c, zero where x_c is zero, also for an impossible class; linear in x."""
        if "probs" in self.parameters:
            return xlogy(x, self.probs)
        return x * possible(self.log_probs, x)

    entropy_elementwise = closed_form("−Σ p log p", lambda d: -sum(d._weighted(d.probs), axis=-1))

    def kl_elementwise(self, other: Any) -> Any:
        """Σ p (log p − log q)."""
        return sum(self._weighted(self.probs) - other._weighted(self.probs), axis=-1)

    coordinate_probs = closed_form("p", lambda d: d.probs)


def search(probs: Any, u: Any) -> Any:
    """Count the classes whose cumulative probability is below `u`, which has a last axis.

    Rounding moves the total of the probabilities away from 1. They are divided by it, so that an
    impossible class is not sampled, not even the last one.
    """
    reached = cumsum(probs)
    whole, below = (_last(reached, part) for part in (slice(-1, None), slice(0, -1)))
    return sum(where(greater(u, below / whole), 1, 0), axis=-1)


def _last(x: Any, part: slice) -> Any:
    return x[..., part] if isinstance(x, np.ndarray) else getitem(x, (Ellipsis, part))


class OneHotCategorical(_Classes):
    """Categorical distribution whose values are one-hot vectors over C classes.

    Use it where costs are functions of the vector, which estimators of gradients can relax or
    differentiate; :class:`Categorical` has the same probabilities with integer values.

    Parameters
    ----------
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (..., C): the event shape.
    probs : array_like or node, optional
        Probabilities, shape (..., C), that sum to one on the last axis; give one of the two. A node
        is divided by its sum, so that E ∇ log p = 0 and a baseline adds no bias.

    Notes
    -----
    log p(x; p) = Σ_c x_c log p_c is linear in x, so that it extends to the mean. Relaxations use
    x = one-hot argmax(log p + Gumbel noise).

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.OneHotCategorical(probs=[0.2, 0.3, 0.5])
    >>> float(np.exp(d.log_prob([0.0, 0.0, 1.0])).round(12))
    0.5
    """

    extends_to_mean = True
    support = sets.one_hot_vector

    def of_index(self, index: Any) -> Any:
        """One-hot vector of a class."""
        return one_hot(index, self.classes)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ_c x_c log p_c, one value for each vector."""
        return sum(self._weighted(x), axis=-1)

    def prob_elementwise(self, x: Any) -> Any:
        """Σ_c x_c p_c, one value for each vector."""
        return sum(x * self.probs, axis=-1)

    mean = closed_form("p", lambda d: d.probs)
    variance = closed_form("p (1 − p), elementwise", lambda d: d.probs * (1.0 - d.probs))

    coordinate_values = closed_form("The C one-hot vectors", lambda d: np.eye(d.classes))

    # --- the relaxation: the one-hot argmax of z = log p + Gumbel noise ---------------------------
    def location(self, probs: Any = None) -> Any:
        """log p, of each class at least −FAR."""
        return self.finite_log_probs if probs is None else _finite_log(probs)

    def perturbation(self, x: Any, noise: Noise) -> Any:
        """Gumbel noise whose sum with log p has its maximum at `x`."""
        z = self._latent(x, -log(noise.uniform(self.shape, "g")))
        return stop(z - self.location())

    def condition(self, x: Any, noise: Noise, like: Any = None) -> Any:
        """−log(e_x + [c ≠ x] e_c / p_c), e = −log v."""
        if like is None:
            return self._latent(x, -log(noise.uniform(self.shape, "v")))
        times = exp(-like)
        first = sum(x * times, -1, keepdims=True)
        rest = (1.0 - x) * (times - first) * exp(self.location())
        return self._latent(x, stop(x * first + rest))

    def _latent(self, x: Any, e: Any) -> Any:
        """z = −log t: class c comes at a time t_c of rate p_c, the class of `x` first."""
        first, rest, place = sum(x * e, -1, keepdims=True), 1.0 - x, self.location()
        return rest * place - log(first * (x + rest * exp(place)) + rest * e)

    def relax(self, z: Any, temperature: Any) -> Any:
        """softmax(z / τ), 0 for an impossible class."""
        return softmax(where(greater(self.probs, 0.0), z / temperature, -np.inf))

    scores = closed_form("log p", lambda d: d.location())

    def decide(self, scores: Any) -> Any:
        """Class of the largest score."""
        return self.of_index(argmax(scores, -1))

    def separate(self, x: Any, gap: float | None) -> Any:
        """log p with x raised to the maximum and the rest kept `gap` below.

        Without a number the gap is −log(1 − π) / π, π = P(x).
        """
        place = self.location()
        if gap is None:
            chosen, rest = (sum(y * exp(place), -1, keepdims=True) for y in (x, 1.0 - x))
            unlikely = less(chosen, 0.5)  # from below 1 − π is known better than from above
            rarity = where(unlikely, log1p(-where(unlikely, chosen, 0.0)), log(rest))
            gap = -rarity / chosen
        top = max(place, -1, keepdims=True)
        return place + x * (top - place) - (1.0 - x) * maximum(place - top + gap, 0.0)

    def latent(self) -> Gumbel:
        """Gumbel around the location."""
        return Gumbel(self.location(), 1.0)


class Categorical(_Classes):
    """Categorical distribution whose values are integers from 0 to C − 1.

    Use it to index tables. Estimators that differentiate the cost in the value need
    :class:`OneHotCategorical`; :class:`OrderedLogistic` has classes with an order.

    Parameters
    ----------
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (..., C); the event shape is (...).
    probs : array_like or node, optional
        Probabilities, shape (..., C); give one of the two. A node is divided by its sum, as for
        :class:`OneHotCategorical`.

    Notes
    -----
    log p(x; p) = log p_x. A sample is found by search on the cumulated probabilities.

    Examples
    --------
    >>> import numpy as np, scg
    >>> float(np.exp(scg.Categorical(probs=[0.2, 0.3, 0.5]).log_prob(2)).round(12))
    0.5
    """

    kind = "int"
    mean = unsupported("mean", "classes are names, not numbers; OneHotCategorical has one")
    variance = unsupported("variance", "classes are names, not numbers; OneHotCategorical has one")
    relax = unsupported("relaxation", "a relaxed class is a vector; OneHotCategorical has one")
    condition = relax

    @property
    def support(self) -> sets.Constraint:
        """0 to C − 1."""
        last = self.classes - 1
        return sets.Integers(0, last, f"a class from 0 to {last}")

    @property
    def fill(self) -> int:
        """−1, which is no class: its `log_prob_elementwise` is 0 for all probabilities."""
        return -1

    of_index = closed_form("The integer itself", lambda d, index: index)
    quantile = _Classes.coupling

    def log_prob_elementwise(self, x: Any) -> Any:
        """log p_x."""
        # what is no class has no place, which `one_hot` would refuse
        return sum(self._weighted(_one_hot(x, depth=self.classes)), axis=-1)

    def prob_elementwise(self, x: Any) -> Any:
        """p_x; 0 for what is no class."""
        return sum(one_hot(x, self.classes) * self.probs, axis=-1)

    coordinate_values = closed_form("0 to C − 1", lambda d: np.arange(d.classes))


def _finite_log(p: Any) -> Any:
    return log(maximum(p, math.exp(-FAR)))
