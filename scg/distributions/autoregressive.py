"""Binary vectors sampled element by element: fully visible sigmoid belief networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import ENTROPY, closed_form, unsupported
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.finite import Joint
from scg.distributions.given import parameters_of
from scg.distributions.protocols import Noise
from scg.distributions.upward import Upward
from scg.errors import DeclarationError
from scg.ops.elementwise import greater, sigmoid, where
from scg.ops.indexing import getitem
from scg.ops.linalg import matmul
from scg.ops.shape import concatenate, reshape, transpose


class Autoregressive(Joint):
    """Binary vector whose elements are sampled in turn, each given those before.

    It is a fully visible sigmoid belief network in one node (the fDARN of Gregor et al. 2014). Its
    elements depend on each other: use :class:`Bernoulli` where they do not.

    Parameters
    ----------
    family : type
        ``scg.Bernoulli``, the distribution of one element.
    weights : array_like or node
        W, shape (D, D); only entries below the diagonal are used.
    bias : array_like or node
        b, shape (D,): the event shape.

    Raises
    ------
    DeclarationError
        If the family is another one, or if the shapes do not fit.

    Notes
    -----
    p(x; W, b) = Π_i p(x_i | x_{<i}), with the logit b_i + Σ_{j<i} W_ij x_j. The log-probability is
    one product with the masked weights; a sample takes D steps.

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.Autoregressive(scg.Bernoulli, [[0.0, 0.0], [4.0, 0.0]], [0.0, -2.0])
    >>> d.logits(np.array([1.0, 0.0]))
    array([0., 2.])
    """

    whole = True
    support = sets.boolean
    mean = variance = unsupported("moments in closed form", "it is a sum over all values")
    mode = unsupported("mode", "it is a search among all values")
    entropy_elementwise = kl_elementwise = unsupported(ENTROPY, "it is a sum over all values")
    constraints = sets.of(weights=sets.real, bias=sets.real)
    fixed = ("family",)

    def __init__(self, family: type[Bernoulli], weights: Any, bias: Any):
        self.family = family
        if family is not Bernoulli:
            raise DeclarationError(
                f"Autoregressive: the family must be scg.Bernoulli, got {family!r}"
            )
        self.parameters = parameters_of("Autoregressive", weights=weights, bias=bias)
        self.weights, self.bias = self.parameters.values()
        self.shape = np.shape(self.bias)
        if len(self.shape) != 1 or np.shape(self.weights) != self.shape * 2:
            raise DeclarationError(
                f"Autoregressive: weights of shape {np.shape(self.weights)} and bias of shape "
                f"{self.shape} do not fit; expected (D, D) and (D,)"
            )
        self.check_numbers()

    def logits(self, x: Any) -> Any:
        """Logits of each element, given the elements of `x` before it."""
        weights = self.weights * np.tri(self.shape[0], k=-1)
        return matmul(x, transpose(weights, axes=(-1, -2))) + self.bias

    def sample(self, noise: Noise) -> Any:
        """1[p_i > u_i] for i = 0, 1, ..."""
        # one leaf an element: its threshold is random
        return self._in_turn(_against(lambda i: noise.uniform((), f"u{i}")))

    def coupling(self, u: Any) -> Any:
        """Sample as a function of one uniform for each element."""
        return self._in_turn(_against(lambda i: getitem(u, i)))

    def upward(self, x: Any, noise: Noise) -> Upward:
        """An element becomes 1, and later ones follow on the same noise."""
        same = _against(lambda i: noise.uniform((), f"u{i}"))

        def moved(here: Any) -> Any:
            return self._in_turn(lambda i, p: where(getitem(here, i), 1.0, same(i, p)))

        return Bernoulli(logits=self.logits(x)).upward(x)._replace(moved=moved)

    def _in_turn(self, element: Callable[[int, Any], Any]) -> Any:
        drawn: list[Any] = []
        for i in range(self.shape[0]):
            logit = getitem(self.bias, i)
            if drawn:
                before = concatenate(*drawn, axis=-1) if i > 1 else drawn[0]
                logit = logit + matmul(getitem(self.weights, (i, slice(0, i))), before)
            drawn.append(reshape(element(i, sigmoid(logit)), shape=(1,)))
        return concatenate(*drawn, axis=-1)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Log-probability of each element, given those before."""
        return Bernoulli(logits=self.logits(x)).log_prob_elementwise(x)

    def prob_elementwise(self, x: Any) -> Any:
        """Probability of each element, given those before."""
        return Bernoulli(logits=self.logits(x)).prob_elementwise(x)

    cardinality = closed_form("2 to the number of elements", lambda d: 2 ** d.shape[0])

    def enumerate_support(self) -> np.ndarray:
        """All binary vectors, shape (cardinality, D)."""
        return np.array(list(itertools.product((0.0, 1.0), repeat=self.shape[0])))


def _against(uniform: Callable[[int], Any]) -> Callable[[int, Any], Any]:
    """1 where a probability exceeds the uniform of an element, else 0."""
    return lambda i, p: where(greater(p, uniform(i)), 1.0, 0.0)
