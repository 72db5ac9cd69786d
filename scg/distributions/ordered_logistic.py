"""The ordered logistic distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form
from scg.distributions.finite import Finite
from scg.distributions.given import parameters_of
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ops.elementwise import expm1, greater, log, possible, sigmoid, softplus, square, where
from scg.ops.gather import one_hot
from scg.ops.indexing import getitem
from scg.ops.reductions import sum
from scg.ops.select import take_along_axis
from scg.ops.shape import concatenate, take_slice
from scg.ops.statistics import argmax


class OrderedLogistic(Finite):
    """Ordered logistic distribution: classes with an order, such as ratings.

    A logistic variable around the predictor is cut by thresholds. All classes share one predictor,
    where :class:`Categorical` has a logit for each class.

    Parameters
    ----------
    predictor : array_like or node
        Location η of the logistic variable, of any shape: the event shape.
    cutpoints : array_like or node
        Increasing thresholds c, shape (K − 1,), for classes 0, ..., K − 1.

    Raises
    ------
    DeclarationError
        If `cutpoints` is not a vector of at least one threshold.

    Notes
    -----
    P(X ≤ k; η, c) = σ(c_k − η). Between two thresholds a < b the log-probability is
    log σ(b) + log σ(−a) + log(1 − exp(a − b)), in which nothing cancels, with a − b the difference
    of the cutpoints. An infinite predictor makes the first or last class certain.

    Examples
    --------
    >>> import scg
    >>> scg.OrderedLogistic(0.0, [-1.0, 1.0]).probs.round(4)
    array([0.2689, 0.4621, 0.2689])
    """

    kind = "int"
    constraints = sets.of(predictor=sets.real, cutpoints=sets.ordered_vector)

    def __init__(self, predictor: Any, cutpoints: Any):
        self.parameters = parameters_of("OrderedLogistic", predictor=predictor, cutpoints=cutpoints)
        self.predictor, self.cutpoints = self.parameters.values()
        if np.ndim(self.cutpoints) != 1 or np.shape(self.cutpoints)[0] < 1:
            raise DeclarationError(
                "OrderedLogistic: cutpoints must be a vector of at least one threshold, got shape "
                f"{np.shape(self.cutpoints)}"
            )
        self.check_numbers()
        self.shape = np.shape(self.predictor)
        self.classes = np.shape(self.cutpoints)[0] + 1

    @property
    def support(self) -> sets.Constraint:
        """0 to K − 1."""
        last = self.classes - 1
        return sets.Integers(0, last, f"a class from 0 to {last}")

    @property
    def _thresholds(self) -> Any:
        """c − η, thresholds last."""
        return self.cutpoints - getitem(self.predictor, (Ellipsis, None))

    @property
    def _apart(self) -> Any:
        """1 − exp(a − b) of neighbouring thresholds a < b."""
        c, k = self.cutpoints, self.classes - 1
        return -expm1(_last(c, 0, k - 1) - _last(c, 1, k))

    @property
    def log_probs(self) -> Any:
        """Log-probabilities, classes last."""
        c, k = self._thresholds, self.classes - 1
        low, high = -softplus(-c), -softplus(c)  # log σ(c), log σ(−c)
        if k == 1:
            return concatenate(low, high, axis=-1)
        between = _last(low, 1, k) + _last(high, 0, k - 1) + log(self._apart)
        return concatenate(_last(low, 0, 1), between, _last(high, k - 1, k), axis=-1)

    @property
    def probs(self) -> Any:
        """Probabilities, classes last; the factors of `log_probs`, of which none cancels."""
        c, k = self._thresholds, self.classes - 1
        below, above = sigmoid(c), sigmoid(-c)
        if k == 1:
            return concatenate(below, above, axis=-1)
        between = _last(below, 1, k) * _last(above, 0, k - 1) * self._apart
        return concatenate(_last(below, 0, 1), between, _last(above, k - 1, k), axis=-1)

    def quantile(self, u: Any) -> Any:
        """The number of thresholds with σ(c − η) < u."""
        below = greater(getitem(u, (Ellipsis, None)), sigmoid(self._thresholds))
        return sum(where(below, 1, 0), -1)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Log of the probability between the thresholds at x − 1 and x."""
        index = getitem(x, (Ellipsis, None)) if isinstance(x, Expr) else np.asarray(x)[..., None]
        chosen = take_along_axis(self.log_probs, index, -1)
        return sum(chosen, -1)

    def prob_elementwise(self, x: Any) -> Any:
        """The probability between the thresholds at x − 1 and x."""
        return sum(one_hot(x, self.classes) * self.probs, -1)

    def mean(self) -> Any:
        """Σ k p_k, of the ranks 0, ..., K − 1."""
        return sum(self.probs * np.arange(float(self.classes)), -1)

    def variance(self) -> Any:
        """Σ p_k (k − m)² with m the mean."""
        gap = np.arange(float(self.classes)) - getitem(self.mean(), (Ellipsis, None))
        return sum(self.probs * square(gap), -1)

    def mode(self) -> Any:
        """The most probable class, the first of equals."""
        return argmax(self.log_probs, -1)

    def entropy_elementwise(self) -> Any:
        """−Σ p log p."""
        p = self.probs
        return -sum(p * possible(self.log_probs, p), -1)

    def kl_elementwise(self, other: Any) -> Any:
        """Σ p (log p − log q)."""
        p = self.probs
        return sum(p * (possible(self.log_probs, p) - possible(other.log_probs, p)), -1)

    coordinate_values = closed_form("0 to K − 1", lambda d: np.arange(d.classes))
    coordinate_probs = closed_form("p", lambda d: d.probs)


def _last(x: Any, start: int, stop: int) -> Any:
    return take_slice(x, index=(*((0, n, 1) for n in np.shape(x)[:-1]), (start, stop, 1)))
