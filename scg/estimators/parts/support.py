"""A finite support, from which values are taken without replacement."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.ir.expr import Expr
from scg.ops.elementwise import equal, greater, greater_equal, logical_and, logical_or, where
from scg.ops.gather import one_hot
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.reductions import sum
from scg.ops.shape import cumsum
from scg.ops.statistics import argmax


class Support:
    """The values of a distribution with their probabilities, and which of them are left.

    Attributes
    ----------
    values : ndarray
        The values, stacked on a leading axis of length N.
    probs : Expr
        Their probabilities, shape (N,), without a gradient.
    open : list of Expr
        The probabilities of the values taken so far, with their gradients.
    taken : list of Expr
        The same without a gradient.
    """

    def __init__(self, dist: Distribution):
        self.values = dist.enumerate_support()
        self.count = len(self.values)
        self._open = dist.prob(self.values)
        self.probs = stop(self._open)
        self.left: Expr = self.probs * 0.0 + 1.0
        self.open: list[Expr] = []
        self.taken: list[Expr] = []

    def search(self, u: Expr) -> Expr:
        """Draw one of the values that are left by search on their CDF; `u` has shape (1,).

        Where only impossible values are left, take the first of them.
        """
        total = cumsum(self.left * self.probs)
        whole = getitem(total, slice(self.count - 1, self.count))
        drawable = logical_or(greater(self.left * self.probs, 0.0), equal(whole, 0.0))
        reached = logical_and(greater_equal(total, u * whole), drawable)
        return self.value(argmax(where(reached, self.left, 0.0)))

    def largest(self) -> Expr:
        """Take the most probable of the values that are left, the first of equals."""
        return self.value(argmax(where(greater(self.left, 0.0), self.probs, -1.0)))

    def value(self, index: Expr) -> Expr:
        """Take the value at an index."""
        chosen = one_hot(index, self.count)
        self.left = self.left - chosen
        self.open.append(sum(chosen * self._open))
        self.taken.append(sum(chosen * self.probs))
        rows = np.reshape(chosen, (self.count, *(1 for _ in self.values.shape[1:])))
        zero = self.values.dtype.type(0)
        return sum(where(greater(rows, 0.0), self.values, zero), axis=0)

    @property
    def rest(self) -> Expr:
        """Probability of all values that are left."""
        return sum(self.left * self.probs)
