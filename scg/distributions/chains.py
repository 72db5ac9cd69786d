"""Chains of classes, by dynamic programming: Markov chains and conditional random fields."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scg.common.lazy import cached_property
from scg.distributions import constraints as sets
from scg.distributions.base import FAR, closed_form
from scg.distributions.given import parameters_of
from scg.distributions.sequential import Automaton, finite, restored, stacked
from scg.errors import DeclarationError
from scg.ops.elementwise import possible
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.reductions import log_softmax, max, sum
from scg.ops.shape import concatenate, reshape
from scg.ops.within import within


class _Chain(Automaton):
    """One-hot vectors in a row: log p(x) = Σ_t u_t·x_t + Σ_t x_t·V_t x_{t+1} − log Z.

    The state before a choice is the choice before. Before the first one it is the first class,
    whatever it is.
    """

    support = sets.one_hot_rows

    def _declare(self, steps: int, classes: int, **given: Any) -> None:
        self.parameters = parameters_of(type(self).__name__, **given)
        self.steps = self.length = steps
        self.options = self.classes = classes
        self.shape = (steps, classes)
        pairs = np.shape(self.parameters["transition_logits"])
        if pairs not in ((classes, classes), (steps - 1, classes, classes)) or not classes:
            raise DeclarationError(
                f"{type(self).__name__}: transition_logits must have the shape {(classes,) * 2}, "
                f"or {(steps - 1, classes, classes)} for each step its own, got {pairs}"
            )

    @property
    def unary(self) -> Any:
        """u, shape (T, K)."""
        raise NotImplementedError

    @property
    def pairs(self) -> Any:
        """V, shape (K, K) or (T − 1, K, K)."""
        return self.parameters["transition_logits"]

    # --- as a sequence of choices
    first = 0

    @property
    def natural(self) -> Any:
        """u."""
        return self.unary

    @property
    def end(self) -> np.ndarray:
        """All the same."""
        return np.zeros(self.classes)

    def weigh(self, step: int, scores: Any) -> Any:
        """u, and V of the class before."""
        own = getitem(scores, slice(step, step + 1))
        if not step:
            return own
        return own + (self.pairs if np.ndim(self.pairs) == 2 else getitem(self.pairs, step - 1))

    def lead(self, after: Any) -> Any:
        """The choice is the next state."""
        return after[..., None, :] + np.zeros((self.classes, 1))

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
        pairs = joint * _mixed(self.pairs, joint)
        return energy + sum(pairs, (-3, -2, -1)) - self.log_normalizer

    cardinality = closed_form("K to the power T", lambda d: d.classes**d.steps)

    def enumerate_support(self) -> np.ndarray:
        """All sequences, shape (cardinality, T, K)."""
        rows = itertools.product(range(self.classes), repeat=self.steps)
        return np.eye(self.classes)[np.array(list(rows))]


def _mixed(pairs: Any, joint: Any) -> Any:
    """Scores of pairs, of which means and relaxed values mix even impossible ones.

    There these count as FAR below the best pair, without a derivative.
    """
    near = within(pairs, -np.inf, np.inf, pairs, stop(max(pairs)) - FAR, closed=True)
    return possible(within(joint, 0.0, 1.0, near, pairs, closed=False), joint)


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
        self.check_numbers()

    @classmethod
    def of(cls, scores: Any, pairs: Any) -> LinearChain:
        """Field of scores that were computed from data, which are not checked."""
        chain = cls.__new__(cls)
        chain._declare(*np.shape(scores), logits=scores, transition_logits=pairs)
        return chain

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
    fixed = ("length",)

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
        self.check_numbers()

    @cached_property
    def pairs(self) -> Any:  # type: ignore[override]
        """Log-probabilities of transitions."""
        return restored(log_softmax(finite(self.parameters["transition_logits"])))

    @cached_property
    def unary(self) -> Any:  # type: ignore[override]
        """Log-probabilities of the first class, then zeros."""
        first = restored(log_softmax(finite(self.parameters["initial_logits"])))
        return concatenate(
            reshape(first, shape=(1, self.classes)),
            np.zeros((self.steps - 1, self.classes)),
            axis=-2,
        )

    @cached_property
    def _messages(self) -> Any:  # type: ignore[override]
        """The transitions: what follows sums to one."""
        own = [finite(self.weigh(t, self.unary)) + self.lead(self.end) for t in range(self.steps)]
        return stacked(own)

    @property
    def log_normalizer(self) -> float:
        """0."""
        return 0.0
