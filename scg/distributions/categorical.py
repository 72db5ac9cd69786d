"""Categorical laws: integers (Categorical) and one-hot vectors (OneHotCategorical)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scg.distributions.base import Distribution, Noise, one_of
from scg.errors import DeclarationError
from scg.ops.elementwise import (
    cast,
    equal,
    greater,
    greater_equal,
    less,
    log,
    logical_and,
    where,
    xlogy,
)
from scg.ops.reductions import log_softmax, max, softmax, sum
from scg.ops.shape import cumsum, getitem, one_hot


class _Classes(Distribution):
    """What both laws share: C classes on the last axis of the parameters."""

    def __init__(self, logits: Any = None, *, probs: Any = None):
        self.parameters = one_of(type(self).__name__, logits=logits, probs=probs)
        ((name, value),) = self.parameters.items()
        shape = np.shape(value)
        if not shape or shape[-1] < 1:
            raise DeclarationError(
                f"{type(self).__name__}: {name} needs a last axis of classes, got shape {shape}"
            )
        self.classes = shape[-1]
        self._batch = shape[:-1]
        self.shape = self._event(shape)

    def _event(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def log_probs(self) -> Any:
        """Normalised log-probabilities, classes last."""
        if "logits" in self.parameters:
            return log_softmax(self.parameters["logits"])
        return log(self.parameters["probs"])

    @property
    def probs(self) -> Any:
        """Probabilities, classes last."""
        if "probs" in self.parameters:
            return self.parameters["probs"]
        return softmax(self.parameters["logits"])

    def _index(self, noise: Noise) -> Any:
        """Draw by search on the CDF: the number of classes whose cumulative probability is < u."""
        below = getitem_last(cumsum(self.probs), slice(0, self.classes - 1))
        u = noise.uniform((*self._batch, 1))
        return sum(where(greater(u, below), 1, 0), axis=-1)

    def _weighted(self, x: Any) -> Any:
        """x_c log p_c, zero where x_c is zero, also for an impossible class; linear in x."""
        if "probs" in self.parameters:
            return xlogy(x, self.parameters["probs"])
        logp = self.log_probs
        return x * where(logical_and(equal(x, 0.0), equal(logp, -np.inf)), 0.0, logp)

    def entropy_elementwise(self) -> Any:
        """−Σ p log p."""
        return -sum(self._weighted(self.probs), axis=-1)

    def kl_elementwise(self, other: Any) -> Any:
        """Σ p (log p − log q)."""
        return sum(self._weighted(self.probs) - other._weighted(self.probs), axis=-1)

    def cardinality(self) -> int:
        """C to the number of variables."""
        return self.classes ** int(np.prod(self._batch, dtype=int))

    def _all_indices(self) -> np.ndarray:
        n = int(np.prod(self._batch, dtype=int))
        rows = np.array(list(itertools.product(range(self.classes), repeat=n)), dtype=np.int64)
        return rows.reshape(-1, *self._batch)


def getitem_last(x: Any, part: slice) -> Any:
    """Slice the last axis of a node or an array."""
    return x[..., part] if isinstance(x, np.ndarray) else getitem(x, (Ellipsis, part))


class OneHotCategorical(_Classes):
    """Independent one-hot vectors over C classes.

    Parameters
    ----------
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (..., C): the event shape.
    probs : array_like or node, optional
        Probabilities, shape (..., C), summing to one on the last axis; give one of the two.

    Notes
    -----
    log p(x) = Σ_c x_c log p_c is linear in x and so extends to the mean.
    """

    extends_to_mean = True

    def _event(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def sample(self, noise: Noise) -> Any:
        """One-hot vector of a class drawn by search on the CDF."""
        return one_hot(self._index(noise), self.classes)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ_c x_c log p_c, one value for each vector."""
        return sum(self._weighted(x), axis=-1)

    def mean(self) -> Any:
        """p."""
        return self.probs

    def variance(self) -> Any:
        """p (1 − p), elementwise."""
        return self.probs * (1.0 - self.probs)

    def mode(self) -> Any:
        """One-hot vector of the most probable class, the first of equals."""
        return one_hot(_first_largest(self.probs), self.classes)

    def enumerate_support(self) -> np.ndarray:
        """All one-hot arrays, shape (cardinality, ..., C)."""
        return np.eye(self.classes)[self._all_indices()]


class Categorical(_Classes):
    """Independent integers 0, ..., C − 1.

    Parameters
    ----------
    logits : array_like or node, optional
        Unnormalised log-probabilities, shape (..., C); the event shape is (...).
    probs : array_like or node, optional
        Probabilities, shape (..., C); give one of the two.
    """

    kind = "int"

    def _event(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[:-1]

    def sample(self, noise: Noise) -> Any:
        """Integer drawn by search on the CDF."""
        return self._index(noise)

    def log_prob_elementwise(self, x: Any) -> Any:
        """log p_x; −∞ for what is no class."""
        inside = logical_and(greater_equal(x, 0), less(x, self.classes))
        return where(inside, sum(self._weighted(one_hot(x, self.classes)), axis=-1), -np.inf)

    def mode(self) -> Any:
        """Most probable class, the first of equals."""
        return _first_largest(self.probs)

    def enumerate_support(self) -> np.ndarray:
        """All integer arrays, shape (cardinality, ...)."""
        return self._all_indices()


def _first_largest(p: Any) -> Any:
    largest = cast(p >= max(p, axis=-1, keepdims=True))
    started = greater(cumsum(largest), 0.0)
    return sum(where(started, 0, 1), axis=-1)
