"""Vectors that are sampled choice by choice, and sums over all of them by dynamic programming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg.common.lazy import cached_property
from scg.distributions.base import unsupported
from scg.distributions.categorical import OneHotCategorical, search
from scg.distributions.finite import Joint
from scg.distributions.protocols import Noise
from scg.distributions.upward import Upward
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ops.elementwise import greater, less, maximum, possible, where
from scg.ops.gather import one_hot
from scg.ops.indexing import getitem
from scg.ops.reductions import logsumexp, max, sum
from scg.ops.shape import concatenate, reshape
from scg.ops.statistics import argmax

#: The log-weight of what is impossible in sums over choices, where −∞ would have no derivative.
NEVER = -1e30


def finite(logs: Any) -> Any:
    """Log-weights of which none is less than NEVER."""
    return maximum(logs, NEVER)


def restored(logs: Any, top: Any = 0.0) -> Any:
    """−∞ in place of log-weights that are NEVER, relative to the largest one."""
    return where(less(logs - top, NEVER / 2), -np.inf, logs)


class Sequential(Joint):
    """Vector that is made of choices, each of C options, with probabilities that a state decides.

    The state is a vector that a one-hot choice moves linearly, so that a relaxed choice moves it,
    too. A subclass defines the methods that raise NotImplementedError here.

    Attributes
    ----------
    steps : int
        Number T of choices.
    options : int
        Number C of options of each.
    """

    whole = True
    extends_to_mean = True
    steps: int
    options: int
    separate = unsupported("latent of each element", "its elements depend on each other")
    latent = unsupported("latent of each element", "its relaxation is made choice by choice")

    def start(self) -> Any:
        """State before the first choice."""
        raise NotImplementedError

    def offer(self, step: int, state: Any) -> Any:
        """Probabilities of the options at a step, given the state."""
        raise NotImplementedError

    def move(self, state: Any, choice: Any) -> Any:
        """State after a choice."""
        raise NotImplementedError

    def conditionals(self, x: Any) -> OneHotCategorical:
        """Distribution of each choice given the choices of the value `x` before it, (T, C)."""
        raise NotImplementedError

    def choices(self, x: Any) -> Any:
        """The choices that make a value, one-hot, shape (T, C)."""
        raise NotImplementedError

    def value(self, choices: Any) -> Any:
        """The value that choices of shape (T, C) make, which may be relaxed ones."""
        raise NotImplementedError

    @property
    def uniforms(self) -> tuple[int, ...]:
        """One a choice."""
        return (self.steps,)

    def sample(self, noise: Noise) -> Any:
        """Choice after choice, each by search on its cumulated probabilities."""
        # one leaf a choice: its thresholds are random
        return self._searched(lambda t: noise.uniform((1,), f"u{t}"))

    def coupling(self, u: Any) -> Any:
        """Sample as a function of one uniform for each choice."""
        return self._searched(lambda t: getitem(u, slice(t, t + 1)))

    def _searched(self, uniform: Callable[[int], Any]) -> Any:
        return self.in_turn(lambda t, p: one_hot(search(p, uniform(t)), self.options))

    def in_turn(self, choose: Callable[[int, Any], Any]) -> Any:
        """Value whose choice at a step is a function of the step and its probabilities."""
        state, chosen = self.start(), []
        for t in range(self.steps):
            chosen.append(choose(t, self.offer(t, state)))
            state = self.move(state, chosen[-1])
        return self.value(stacked(chosen))

    def upward(self, x: Any, noise: Noise) -> Upward:
        """A choice becomes the next option, and later ones follow on the same noise."""
        ups: list[Upward] = []

        def same(t: int, p: Any) -> Any:
            return one_hot(search(p, noise.uniform((1,), f"u{t}")), self.options)

        def first(t: int, p: Any) -> Any:
            choice = same(t, p)
            ups.append(OneHotCategorical(probs=p).upward(choice))
            return choice

        def moved(here: Any) -> Any:
            def choose(t: int, p: Any) -> Any:
                there = getitem(here, t)
                return where(there[..., None], ups[t].moved(there), same(t, p))

            return self.in_turn(choose)

        self.in_turn(first)
        weights, rates = [up.weight for up in ups], [up.rates[0] for up in ups]
        theta, rate = map(stacked, zip(*rates, strict=True))
        return Upward(moved, stacked(weights), [(theta, rate)])

    # --- the relaxation: each choice is the argmax of log p + Gumbel noise; the latent is the noise
    def location(self, probs: Any = None) -> Any:
        """Zeros: the choices before a choice decide its probabilities, and `relax` adds them."""
        return np.zeros((self.steps, self.options))

    def perturbation(self, x: Any, noise: Noise) -> Any:
        """Gumbel noise of each choice, with which they are those of `x`."""
        return self.conditionals(x).perturbation(self.choices(x), noise)

    def condition(self, x: Any, noise: Noise, like: Any = None) -> Any:
        """Gumbel noise of each choice given `x`."""
        given = self.conditionals(x)
        place = given.location()
        like = None if like is None else place + like
        return given.condition(self.choices(x), noise, like) - place

    def relax(self, z: Any, temperature: Any) -> Any:
        """softmax((log p + z) / τ) for each choice, p given the relaxed choices before."""

        def choose(t: int, p: Any) -> Any:
            law = OneHotCategorical(probs=p)
            return law.relax(law.location() + getitem(z, t), temperature)

        return self.in_turn(choose)


class Automaton(Sequential):
    """Choices with a weight for each state and option, normalised over all sequences of choices.

    The state is one of S. Messages from the last choice to the first turn the weights into
    probabilities of each choice given the state before it.

    Attributes
    ----------
    first : int
        Number of the state before the first choice.
    """

    first: int

    @property
    def natural(self) -> Any:
        """Natural parameters, of the event shape, which `decide` replaces."""
        raise NotImplementedError

    @property
    def end(self) -> np.ndarray:
        """Log-weights of the states after the last choice."""
        raise NotImplementedError

    def weigh(self, step: int, scores: Any) -> Any:
        """Log-weights of options at a step, which broadcast to (S, C)."""
        raise NotImplementedError

    def lead(self, after: Any) -> Any:
        """For each state and option what `after` holds for the state that they lead to, (S, C)."""
        raise NotImplementedError

    def arrive(self, joint: Any) -> Any:
        """Distribution of the next state; `joint` is that of a state and a choice, (S, C)."""
        raise NotImplementedError

    def states(self, x: Any) -> Any:
        """The state before each choice of a value, one-hot, shape (T, S)."""
        raise NotImplementedError

    def _ahead(self, scores: Any, reduce: Callable[..., Any]) -> Any:
        """Log-weights of each option with all that follows, summed or maximised, (T, S, C)."""
        after: Any = self.end
        found = []
        for t in reversed(range(self.steps)):
            found.append(finite(self.weigh(t, scores)) + self.lead(after))
            after = reduce(found[-1], -1)
        return stacked(found[::-1])

    @cached_property
    def _messages(self) -> Any:
        return self._ahead(finite(self.natural), logsumexp)

    @property
    def log_normalizer(self) -> Any:
        """Logarithm of the sum over all sequences of choices."""
        return logsumexp(getitem(self._messages, (0, self.first)), -1)

    @cached_property
    def table(self) -> OneHotCategorical:
        """Distribution of the choice at each step in each state, shape (T, S, C)."""
        top = max(self._messages, -1, keepdims=True)
        return OneHotCategorical(logits=restored(self._messages, top))

    def decide(self, scores: Any) -> Any:
        """Most probable value at other natural parameters, of equals the one of first options."""
        messages, state, chosen = self._ahead(finite(scores), max), self.start(), []
        for t in range(self.steps):
            row = sum(state[..., None] * possible(getitem(messages, t), state[..., None]), -2)
            chosen.append(one_hot(argmax(row, -1), self.options))
            state = self.move(state, chosen[-1])
        return self.value(stacked(chosen))

    def mode(self) -> Any:
        """Most probable value, of equals the one of first options."""
        return self.decide(self.natural)

    def start(self) -> np.ndarray:
        """The first state."""
        return np.eye(len(self.end))[self.first]

    @cached_property
    def _alive(self) -> Any:
        """1 for each state at each step from which a possible value can be completed, (T, S)."""
        return where(greater(max(self._messages, -1), NEVER / 2), 1.0, 0.0)

    def offer(self, step: int, state: Any) -> Any:
        """Average of the table over the state, without states that lead to no possible value."""
        state = state * getitem(self._alive, step)
        return weighted(state, getitem(self.table.probs, step)) / sum(state, -1)[..., None]

    def move(self, state: Any, choice: Any) -> Any:
        """Independent of each other given the past, a state and a choice arrive at the next."""
        return self.arrive(state[..., None] * choice)

    def conditionals(self, x: Any) -> OneHotCategorical:
        """Row of the table at the state before each choice."""
        states = self.states(x)
        return OneHotCategorical(probs=sum(states[..., None] * self.table.probs, -2))

    def visits(self) -> Any:
        """Probability of each state before each choice, shape (T, S)."""
        state, found = self.start(), []
        for t in range(self.steps):
            found.append(state)
            if t + 1 < self.steps:
                state = self.arrive(state[..., None] * getitem(self.table.probs, t))
        return stacked(found)

    def mean(self) -> Any:
        """Marginal probabilities."""
        return self.value(sum(self.visits()[..., None] * self.table.probs, -2))

    def variance(self) -> Any:
        """m (1 − m), with m the marginal probabilities."""
        m = self.mean()
        return m * (1.0 - m)

    def entropy_elementwise(self) -> Any:
        """Σ_t Σ_s P(s) H(choice | s), one value for the vector."""
        return sum(self.visits() * self.table.entropy_elementwise())

    def kl_elementwise(self, other: Any) -> Any:
        """Σ_t Σ_s P(s) KL(choice | s), one value for the vector."""
        visits = self.visits()
        return sum(visits * possible(self.table.kl_elementwise(other.table), visits))


def check_items(owner: Joint, logits: Any, k: int) -> None:
    """Raise if fewer than k items have logits above −∞, where these are numbers."""
    if not isinstance(logits, Expr):
        some = int(np.sum(np.asarray(logits) > -np.inf))
        if some < k:
            raise DeclarationError(
                f"{type(owner).__name__}: k = {k} items cannot be drawn: only {some} have logits "
                "above −∞"
            )


def stacked(rows: Sequence[Any]) -> Any:
    """Arrays of one shape on a new leading axis."""
    rank = np.ndim(rows[0]) + 1
    return concatenate(*(reshape(row, shape=(1, *np.shape(row))) for row in rows), axis=-rank)


def weighted(weights: Any, rows: Any) -> Any:
    """Sum of the rows of a matrix with weights."""
    return sum(weights[..., None] * rows, -2)
