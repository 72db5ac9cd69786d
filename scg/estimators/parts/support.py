"""A finite support, from which values are taken without replacement.

A value is a tuple of independent variables. Those that are left after some were taken are a
disjoint union of *branches*: the values that agree with a taken one before a variable, and there
have a value with which none that was taken goes on. The probability of a branch is a product, and
that of all branches a sum of positive numbers, so that nothing cancels where few values have most
of the probability. The support is not listed: one of L variables with C values each has, after
k values were taken, at most k L C branches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scg.distributions.base import Distribution
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.elementwise import (
    equal,
    exp,
    greater,
    greater_equal,
    log,
    logical_and,
    logical_or,
    maximum,
    where,
)
from scg.ops.gather import one_hot
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.reductions import logsumexp, max, sum
from scg.ops.shape import cumsum, np_concatenate, np_reshape, np_stack
from scg.ops.statistics import argmax, prod

_LEAST = -1e30  # log-probability of impossible values where one of them must be chosen


class Pick(NamedTuple):
    """The probability p of a taken value.

    Attributes
    ----------
    logp : Expr
        log p without a gradient; −∞ where the value is impossible.
    scale : Expr
        Product of the probabilities of its variables that are not 0, without a gradient.
    open : Expr
        p / scale, which is 1 or 0, with the gradient of p / scale.
    """

    logp: Expr
    scale: Expr
    open: Expr


class Support:
    """The values of a distribution with their probabilities, and which of them are left.

    With `whole`, or where the elements of the distribution are not independent, all its values are
    listed as those of one variable.

    Attributes
    ----------
    variables : int
        Number of independent variables.
    taken : list of Pick
        The probabilities of the values taken so far.
    """

    def __init__(self, dist: Distribution, whole: bool = False):
        apart = not whole and dist.supports("coordinate_probs") and 0 not in dist.shape
        self._values = dist.coordinate_values() if apart else dist.enumerate_support()
        probs = dist.coordinate_probs() if apart else dist.prob(self._values)
        self._shape, self._classes = dist.shape, len(self._values)
        self._open = np_reshape(probs, (-1, self._classes))
        self._probs = stop(self._open)
        occurs = greater(self._probs, 0.0)
        self._logs = where(occurs, log(where(occurs, self._probs, 1.0)), -np.inf)
        self.variables = self._open.shape[0]
        # Before anything is taken, the branches are the values of the first variable.
        none = np.zeros(self._open.shape)
        first = np.arange(self.variables)[:, None] == 0
        self._paths = [constant(probs.graph, none)]
        self._before = [constant(probs.graph, none[:, 0])]
        self._left = [constant(probs.graph, none + first)]
        self.taken: list[Pick] = []

    def search(self, u: Expr) -> Expr:
        """Draw one of the values that are left; `u` has a uniform for each variable.

        A branch, and then each variable after it, is found by search on the CDF. Where only
        impossible values are left, take the first branch.
        """
        logs = self._branches()
        top = max(logs)
        masses = exp(logs - where(greater(top, -np.inf), top, 0.0))
        left = np_reshape(np_stack(self._left), (1, -1))
        chosen = _search(np_reshape(masses, (1, -1)), left, getitem(u, (slice(1), None)))
        rest = slice(1, None)
        free = _search(getitem(self._probs, rest), 1.0, getitem(u, (rest, None)))
        return self._take(np_reshape(chosen, logs.shape), free)

    def largest(self) -> Expr:
        """Take the most probable of the values that are left, the first of equals."""
        best = max(self._logs, axis=-1)
        after = np_reshape(sum(best) - cumsum(best), (-1, 1))
        score = maximum(self._branches() + after, _LEAST)
        score = np_reshape(where(greater(np_stack(self._left), 0.0), score, -np.inf), (1, -1))
        chosen = one_hot(argmax(score, axis=-1), score.size)
        free = one_hot(argmax(getitem(self._logs, slice(1, None)), axis=-1), self._classes)
        return self._take(np_reshape(chosen, (-1, *self._open.shape)), free)

    @property
    def rest(self) -> Expr:
        """Logarithm of the probability of all values that are left."""
        return logsumexp(self._branches())

    def _branches(self) -> Expr:
        """Log-probabilities of branches, by taken value, variable and value of the variable."""
        before = np_reshape(np_stack(self._before), (-1, self.variables, 1))
        return where(greater(np_stack(self._left), 0.0), before + self._logs, -np.inf)

    def _take(self, chosen: Expr, free: Expr) -> Expr:
        """Take a value of the `chosen` branch; variables after it are `free`, but for the first."""
        branch = sum(chosen, axis=0)
        here = sum(branch, axis=-1, keepdims=True)
        after = cumsum(here, axis=0) - here
        followed = sum(np_stack(self._paths) * sum(chosen, axis=(1, 2), keepdims=True), axis=0)
        last = np_concatenate([0.0 * getitem(branch, slice(1)), free])
        path = branch + after * last + (1.0 - here - after) * followed
        self._left = [row - getitem(chosen, k) for k, row in enumerate(self._left)]
        on = greater(path, 0.0)
        logs = sum(where(on, self._logs, 0.0), axis=-1)
        if self.variables > 1:
            passed = cumsum(getitem(logs, slice(-1)))
            self._paths.append(path)
            self._before.append(np_concatenate([0.0 * getitem(here, (slice(1), 0)), passed]))
            self._left.append(after * (1.0 - path))
        base = sum(where(on, self._probs, 0.0), axis=-1)
        base = where(greater(base, 0.0), base, 1.0)
        open = sum(where(on, self._open, 0.0), axis=-1)
        self.taken.append(Pick(sum(logs), prod(base), prod(open / base)))
        rows = np_reshape(path, (*path.shape, *(1 for _ in self._values.shape[1:])))
        zero = self._values.dtype.type(0)
        return np_reshape(sum(where(greater(rows, 0.0), self._values, zero), axis=1), self._shape)


def _search(masses: Expr, left: Expr | float, u: Expr) -> Expr:
    """One-hot vectors drawn with masses on the last axis, of what is left if all masses are 0."""
    total = cumsum(masses)
    whole = getitem(total, (Ellipsis, slice(-1, None)))
    drawable = logical_or(greater(masses, 0.0), equal(whole, 0.0))
    reached = logical_and(greater_equal(total, u * whole), drawable)
    return one_hot(argmax(where(reached, left, 0.0), axis=-1), masses.shape[-1])
