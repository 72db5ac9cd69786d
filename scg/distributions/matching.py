"""Matchings: permutations with a score for each pair of a row and a column."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form
from scg.distributions.given import parameters_of
from scg.distributions.sequential import NEVER, Automaton
from scg.errors import DeclarationError
from scg.ops.elementwise import equal, possible, where
from scg.ops.indexing import getitem
from scg.ops.reductions import sum
from scg.ops.shape import cumsum, reshape

LARGEST = 12


class Matching(Automaton):
    """Matching of n rows to n columns, as a permutation matrix, with a score for each pair.

    Use it to assign items to places where each pair has its own score; :class:`PlackettLuce` has
    one score for an item, in all places.

    Parameters
    ----------
    logits : array_like or node
        Scores X, shape (n, n), the event shape, with n from 1 to 12. Pairs at −∞ are impossible.

    Raises
    ------
    DeclarationError
        If the scores are not a square matrix, or too many.

    Notes
    -----
    log p(P) = Σ_ij P_ij X_ij − log perm(exp X) (the Gibbs distribution of Mena et al. 2018), where
    the permanent is summed over the 2^n sets of columns that are taken, row by row (Ryser 1963
    needs as many). Samples, marginals (`mean`), entropy and KL follow from the same sums.

    Examples
    --------
    >>> import numpy as np, scg
    >>> scg.Matching(np.log([[2.0, 1.0], [1.0, 1.0]])).mean().round(12)
    array([[0.66666667, 0.33333333],
           [0.33333333, 0.66666667]])
    """

    constraints = sets.of(logits=sets.logits)
    support = sets.OneHotRows(distinct=True)
    first = 0

    def __init__(self, logits: Any):
        self.parameters = parameters_of("Matching", logits=logits)
        self.shape = shape = np.shape(logits)
        if len(shape) != 2 or shape[0] != shape[1] or not 1 <= shape[0] <= LARGEST:
            raise DeclarationError(
                f"Matching: logits must be a square matrix of at most {LARGEST} rows, got shape "
                f"{shape}; what repeats is a plate"
            )
        self.check_numbers()
        self.steps, self.options = shape
        sets_of = np.arange(2 ** shape[0])[:, None]
        bits = 2 ** np.arange(shape[0])
        self._taken = (sets_of & bits) > 0
        self._with, self._without = sets_of | bits, sets_of & ~bits

    # --- as a sequence of choices: a column for each row; the state is the set of columns taken
    @property
    def natural(self) -> Any:
        """X."""
        return self.parameters["logits"]

    scores = closed_form("X", lambda d: d.natural)

    @property
    def end(self) -> np.ndarray:
        """All the same."""
        return np.zeros(len(self._taken))

    def weigh(self, step: int, scores: Any) -> Any:
        """X of the row, for columns that are not taken."""
        return where(self._taken, NEVER, getitem(scores, step))

    def lead(self, after: Any) -> Any:
        """The column is taken, too."""
        return after[self._with]

    def arrive(self, joint: Any) -> Any:
        """Sum over the columns of a set of what takes one of them last."""
        flow = reshape(joint, shape=(joint.size,))
        last = flow[self._without * self.options + np.arange(self.options)]
        return sum(where(self._taken, last, 0.0), -1)

    def states(self, x: Any) -> Any:
        """The columns of the rows before."""
        before = cumsum(x, -2) - x
        number = sum(before * 2.0 ** np.arange(self.options), -1)[..., None]
        return where(equal(number, np.arange(float(len(self._taken)))), 1.0, 0.0)

    choices = value = closed_form("The rows themselves", lambda d, x: x)

    # --- as a distribution
    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ P X − log perm(exp X), one value for the matrix."""
        return sum(possible(self.natural, x) * x, (-2, -1)) - self.log_normalizer

    cardinality = closed_form("n!", lambda d: math.factorial(d.steps))

    def enumerate_support(self) -> np.ndarray:
        """All permutation matrices, shape (cardinality, n, n)."""
        return np.eye(self.options)[list(itertools.permutations(range(self.options)))]
