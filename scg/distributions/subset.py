"""Subsets of a given size: independent bits, given their sum."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form
from scg.distributions.given import parameters_of
from scg.distributions.sequential import NEVER, Automaton, check_items
from scg.errors import DeclarationError
from scg.ops.elementwise import equal, possible, where
from scg.ops.indexing import getitem
from scg.ops.reductions import sum
from scg.ops.shape import concatenate, cumsum


class Subset(Automaton):
    """Subset of k among n items: independent Bernoulli variables, given that k of them are 1.

    Use it to choose a fixed number of items, such as features. :class:`PlackettLuce` draws items in
    turn without replacement, which is another distribution of subsets, and Gumbel top-k sampling
    draws from that one.

    Parameters
    ----------
    logits : array_like or node
        Logits θ of the items, shape (n,): the event shape. Adding a constant changes nothing. Items
        at −∞ are not taken; at least k are finite.
    k : int
        Size of the subset, from 1 to n.

    Raises
    ------
    DeclarationError
        If the logits are not a vector, or `k` does not fit.

    Notes
    -----
    log p(x) = θ·x − log e_k(exp θ) (Chen et al. 1994, conditional Bernoulli), with e_k the
    elementary symmetric polynomial, summed item by item in n k operations. The probability of
    taking an item depends on how many are still to be taken; samples, marginals (`mean`), entropy
    and KL follow from a chain of these numbers. At a subset the score function is that of SFESS
    (Wijk et al. 2025), :class:`StraightThrough` is SIMPLE (Ahmed et al. 2023), and :class:`REBAR`
    relaxes the choices one after the other.

    Examples
    --------
    >>> import numpy as np, scg
    >>> scg.Subset(np.log([1.0, 2.0, 3.0]), 2).mean().round(12)
    array([0.45454545, 0.72727273, 0.81818182])
    """

    constraints = sets.of(logits=sets.logits)
    fixed = ("k",)

    def __init__(self, logits: Any, k: int):
        self.parameters = parameters_of("Subset", logits=logits)
        self.shape, self.k = np.shape(logits), k
        if len(self.shape) != 1 or not self.shape[0]:
            raise DeclarationError(
                f"Subset: logits must be a vector, got shape {self.shape}; what repeats is a plate"
            )
        if k > self.shape[0]:
            raise DeclarationError(f"Subset: k must be from 1 to {self.shape[0]}, got {k!r}")
        self.check_numbers()
        self.steps, self.options = self.shape[0], 2
        check_items(self, logits, k)

    @property
    def support(self) -> sets.Constraint:
        """Zeros and k ones."""
        return sets.Subsets(self.k)

    # --- as a sequence of choices: leave or take each item; the state is how many are still to take
    @property
    def natural(self) -> Any:
        """θ."""
        return self.parameters["logits"]

    scores = closed_form("θ", lambda d: d.natural)

    @property
    def end(self) -> np.ndarray:
        """None is left to take."""
        return np.where(np.arange(self.k + 1) == 0, 0.0, NEVER)

    @property
    def first(self) -> int:  # type: ignore[override]
        """All k."""
        return self.k

    def weigh(self, step: int, scores: Any) -> Any:
        """0 and θ."""
        return np.array([0.0, 1.0]) * getitem(scores, step)

    def lead(self, after: Any) -> Any:
        """One less if the item is taken, which is impossible if none is left to take."""
        taken = concatenate(np.full(1, NEVER), getitem(after, slice(0, self.k)), axis=-1)
        return concatenate(after[..., None], taken[..., None], axis=-1)

    def arrive(self, joint: Any) -> Any:
        """One less if the item is taken."""
        left, taken = getitem(joint, (Ellipsis, 0)), getitem(joint, (slice(1, None), 1))
        return left + concatenate(taken, np.zeros(1), axis=-1)

    def states(self, x: Any) -> Any:
        """How many are to be taken after those before."""
        to_take = (self.k - cumsum(x) + x)[..., None]
        return where(equal(to_take, np.arange(self.k + 1.0)), 1.0, 0.0)

    choices = closed_form("1 − x and x", lambda d, x: np.stack([1.0 - x, x], axis=-1))
    value = closed_form("Which items are taken", lambda d, choices: choices[..., 1])

    # --- as a distribution
    def log_prob_elementwise(self, x: Any) -> Any:
        """θ·x − log e_k, one value for the vector."""
        return sum(possible(self.natural, x) * x, -1) - self.log_normalizer

    def entropy_elementwise(self) -> Any:
        """−log p at the mean, because log p is linear."""
        return -self.log_prob_elementwise(self.mean())

    def kl_elementwise(self, other: Any) -> Any:
        """log p − log q at the mean."""
        mean = self.mean()
        return self.log_prob_elementwise(mean) - other.log_prob_elementwise(mean)

    cardinality = closed_form("n over k", lambda d: math.comb(d.steps, d.k))

    def enumerate_support(self) -> np.ndarray:
        """All subsets, shape (cardinality, n)."""
        rows = np.zeros((self.cardinality(), self.steps))
        for row, chosen in zip(
            rows, itertools.combinations(range(self.steps), self.k), strict=True
        ):
            row[list(chosen)] = 1.0
        return rows
