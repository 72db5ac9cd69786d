"""Vectors that are sampled choice by choice, and sums over all of them by dynamic programming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg.distributions.base import Joint, unsupported
from scg.distributions.categorical import OneHotCategorical, search
from scg.distributions.protocols import Noise
from scg.ops.gather import one_hot
from scg.ops.reductions import sum
from scg.ops.shape import concatenate, getitem, reshape


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
    """Choices whose state is one of S: a distribution over states is what a relaxed state is.

    Attributes
    ----------
    table : OneHotCategorical
        Distribution of the choice at each step and state, shape (T, S, C).
    """

    table: OneHotCategorical

    def arrive(self, joint: Any) -> Any:
        """Distribution of the next state; `joint` is that of a state and a choice, (S, C)."""
        raise NotImplementedError

    def states(self, x: Any) -> Any:
        """The state before each choice of a value, one-hot, shape (T, S)."""
        raise NotImplementedError

    def offer(self, step: int, state: Any) -> Any:
        """Average of the table over the state."""
        return weighted(state, getitem(self.table.probs, step))

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
        return sum(self.visits() * self.table.kl_elementwise(other.table))


def stacked(rows: Sequence[Any]) -> Any:
    """Vectors, as the rows of a matrix."""
    return concatenate(*(reshape(row, shape=(1, *np.shape(row))) for row in rows), axis=-2)


def weighted(weights: Any, rows: Any) -> Any:
    """Sum of the rows of a matrix with weights."""
    return sum(weights[..., None] * rows, -2)
