"""Chains of classes, by dynamic programming: Markov chains and conditional random fields."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form, numeric
from scg.distributions.categorical import OneHotCategorical
from scg.distributions.sequential import Automaton, stacked
from scg.errors import DeclarationError
from scg.lazy import cached_property
from scg.ops.elementwise import possible
from scg.ops.gather import one_hot
from scg.ops.reductions import log_softmax, logsumexp, max, sum
from scg.ops.shape import concatenate, getitem, reshape
from scg.ops.statistics import argmax


def ahead(unary: Any, pairs: Any, reduce: Callable[..., Any]) -> Any:
    """For each class at each step, the sum or maximum over all that follows, shape (T, K)."""
    steps, classes = np.shape(unary)
    after: Any = np.zeros(classes)
    rows = [after]
    for t in reversed(range(steps - 1)):
        pair = pairs if np.ndim(pairs) == 2 else getitem(pairs, t)
        after = reduce(pair + (getitem(unary, t + 1) + after), -1)
        rows.append(after)
    return stacked(rows[::-1])


def log_normalizer(unary: Any, pairs: Any) -> Any:
    """log Σ exp of the scores of all sequences."""
    after = getitem(ahead(unary, pairs, logsumexp), 0)
    return logsumexp(getitem(unary, 0) + after, -1)


class _Chain(Automaton):
    """One-hot vectors in a row: log p(x) = Σ_t u_t·x_t + Σ_t x_t·V_t x_{t+1} − log Z.

    The state before a choice is the choice before. Before the first one it is the first class,
    whatever it is.
    """

    support = sets.one_hot_rows

    def _declare(self, steps: int, classes: int, **given: Any) -> None:
        self.parameters = {name: numeric(value) for name, value in given.items()}
        self.steps = self.length = steps
        self.options = self.classes = classes
        self.shape = (steps, classes)
        pairs = np.shape(self.parameters["transition_logits"])
        if pairs not in ((classes, classes), (steps - 1, classes, classes)) or not classes:
            raise DeclarationError(
                f"{type(self).__name__}: transition_logits must have the shape {(classes,) * 2}, "
                f"or {(steps - 1, classes, classes)} for each step its own, got {pairs}"
            )
        self.check_numbers()

    @property
    def unary(self) -> Any:
        """u, shape (T, K)."""
        raise NotImplementedError

    @property
    def pairs(self) -> Any:
        """V, shape (K, K) or (T − 1, K, K)."""
        return self.parameters["transition_logits"]

    @cached_property
    def _messages(self) -> Any:
        return ahead(self.unary, self.pairs, logsumexp)

    def _first_and_next(self, ahead: Any) -> tuple[Any, Any]:
        """Scores of the first class, and of each class after each class, given the way ahead."""
        score = self.unary + ahead
        return getitem(score, 0), self.pairs + getitem(score, slice(1, None))[..., None, :]

    @cached_property
    def table(self) -> OneHotCategorical:  # type: ignore[override]
        """Distribution of each class given the class before."""
        first, rest = self._first_and_next(self._messages)
        k = self.classes
        first = reshape(first, shape=(1, 1, k)) + np.zeros((1, k, k))
        return OneHotCategorical(
            logits=concatenate(first, rest, axis=-3) if self.steps > 1 else first
        )

    # --- as a sequence of choices
    def start(self) -> np.ndarray:
        """The first class."""
        return np.eye(self.classes)[0]

    def arrive(self, joint: Any) -> Any:
        """The choice is the next state."""
        return sum(joint, -2)

    def states(self, x: Any) -> Any:
        """The class before each class."""
        before = reshape(self.start(), shape=(1, self.classes)) + 0.0 * getitem(x, slice(0, 1))
        return concatenate(before, getitem(x, slice(0, self.steps - 1)), axis=-2)

    choices = value = closed_form("The vectors themselves", lambda d, x: x)

    # --- as a distribution
    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ u·x + Σ x·V x − log Z, one value for the sequence; linear in each vector."""
        joint = x[..., :-1, :, None] * x[..., 1:, None, :]
        energy = sum(x * possible(self.unary, x), (-2, -1))
        return energy + sum(joint * possible(self.pairs, joint), (-3, -2, -1)) - self.log_normalizer

    @property
    def log_normalizer(self) -> Any:
        """log Z."""
        return log_normalizer(self.unary, self.pairs)

    def pair_marginals(self) -> Any:
        """Probability of each pair of successive classes, shape (T − 1, K, K)."""
        joint = self.visits()[..., None] * self.table.probs
        return getitem(joint, slice(1, None))

    def mode(self) -> Any:
        """Most probable sequence (Viterbi), of equals the one with the first class."""
        first, rest = self._first_and_next(ahead(self.unary, self.pairs, max))
        x = one_hot(argmax(first, -1), self.classes)
        found = [x]
        for t in range(self.steps - 1):
            row = sum(x[..., None] * possible(getitem(rest, t), x[..., None]), -2)
            x = one_hot(argmax(row, -1), self.classes)
            found.append(x)
        return stacked(found)

    cardinality = closed_form("K to the power T", lambda d: d.classes**d.steps)

    def enumerate_support(self) -> np.ndarray:
        """All sequences, shape (cardinality, T, K)."""
        rows = itertools.product(range(self.classes), repeat=self.steps)
        return np.eye(self.classes)[np.array(list(rows))]


class LinearChain(_Chain):
    """Linear-chain conditional random field: a sequence of T one-hot vectors over K classes.

    Use it for labels whose scores come from a network; :class:`MarkovChain` is the chain of given
    initial and transition probabilities, :class:`HiddenMarkov` the distribution of observations
    whose states are summed out.

    Parameters
    ----------
    logits : array_like or node
        Scores u of the classes at each step, shape (T, K): the event shape.
    transition_logits : array_like or node
        Scores V of pairs, of one class and the next one: (K, K), or (T − 1, K, K).

    Raises
    ------
    DeclarationError
        If the shapes do not fit.

    Notes
    -----
    log p(x) = Σ_t u_t·x_t + Σ_t x_t·V_t x_{t+1} − log Z (Lafferty et al. 2001), where backward
    messages β_t(i) = log Σ_j exp(V_ij + u_{t+1}(j) + β_{t+1}(j)) give Z in T K² operations. They
    also turn the field into a Markov chain with P(x_{t+1} = j | x_t = i) ∝ exp(V_ij + u_{t+1}(j) +
    β_{t+1}(j)), from which samples, marginals (`mean`), entropy and KL follow.

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.LinearChain(np.zeros((2, 2)), [[0.0, 0.0], [0.0, np.log(2.0)]])
    >>> d.mean().round(12)
    array([[0.4, 0.6],
           [0.4, 0.6]])
    """

    constraints = sets.of(logits=sets.logits, transition_logits=sets.logits)

    def __init__(self, logits: Any, transition_logits: Any):
        shape = np.shape(logits)
        if len(shape) != 2 or 0 in shape:
            raise DeclarationError(
                f"LinearChain: logits must have the shape (steps, classes), got {shape}; what "
                "repeats is a plate"
            )
        self._declare(*shape, logits=logits, transition_logits=transition_logits)

    @property
    def unary(self) -> Any:
        """The scores u."""
        return self.parameters["logits"]


class MarkovChain(_Chain):
    """Markov chain of T one-hot vectors over K classes.

    Use it where a sequence is one node, with exact marginals (`mean`), entropy and KL; a chain of
    :class:`OneHotCategorical` nodes has the same samples, and costs between its steps.

    Parameters
    ----------
    length : int
        Number T ≥ 1 of steps.
    initial_logits : array_like or node
        Unnormalised log-probabilities of the first class, shape (K,).
    transition_logits : array_like or node
        Those of the next class in each row: (K, K), or (T − 1, K, K).

    Raises
    ------
    DeclarationError
        If the shapes do not fit.

    Notes
    -----
    p(x) = p(x_1) Π_t P_t(x_t, x_{t+1}); the event shape is (T, K).

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.MarkovChain(3, [0.0, -np.inf], np.log([[0.5, 0.5], [0.25, 0.75]]))
    >>> d.mean()[:, 1].round(12)
    array([0.   , 0.5  , 0.625])
    """

    constraints = sets.of(initial_logits=sets.logits, transition_logits=sets.logits)

    def __init__(self, length: int, initial_logits: Any, transition_logits: Any):
        shape = np.shape(initial_logits)
        if len(shape) != 1:
            raise DeclarationError(
                f"MarkovChain: initial_logits must be a vector, got shape {shape}; what repeats is "
                "a plate"
            )
        self._declare(
            length, *shape, initial_logits=initial_logits, transition_logits=transition_logits
        )

    @property
    def static(self) -> tuple[Any, ...]:
        """The length."""
        return (self.length,)

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Distribution with other parameter values."""
        return cls(*static, *values)

    @cached_property
    def pairs(self) -> Any:  # type: ignore[override]
        """Log-probabilities of transitions."""
        return log_softmax(self.parameters["transition_logits"])

    @cached_property
    def unary(self) -> Any:  # type: ignore[override]
        """Log-probabilities of the first class, then zeros."""
        first = log_softmax(self.parameters["initial_logits"])
        return concatenate(
            reshape(first, shape=(1, self.classes)),
            np.zeros((self.steps - 1, self.classes)),
            axis=-2,
        )

    @cached_property
    def _messages(self) -> np.ndarray:  # type: ignore[override]
        """Zeros: the chain is normalised."""
        return np.zeros(self.shape)

    @property
    def log_normalizer(self) -> float:
        """0."""
        return 0.0
