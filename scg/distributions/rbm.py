"""Restricted Boltzmann machines: binary vectors whose hidden units are summed out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.common.lazy import cached_property
from scg.distributions import constraints as sets
from scg.distributions.base import closed_form, unsupported
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.configurations import configurations, digits, log_weight, log_weights
from scg.distributions.finite import Joint
from scg.distributions.given import parameters_of
from scg.distributions.protocols import Noise
from scg.distributions.sequential import restored
from scg.distributions.upward import Upward
from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Expr
from scg.ops.elementwise import cast, exp, greater, possible, sigmoid, where
from scg.ops.gradient import first_order, stop
from scg.ops.indexing import getitem
from scg.ops.linalg import matmul
from scg.ops.reductions import logsumexp, softmax, sum
from scg.ops.shape import concatenate, reshape, transpose

#: Most units of the smaller side, over whose configurations the partition function is summed.
LARGEST = 20
#: The logarithm of the most numbers in a program.
IN_PROGRAM = 27


class RBM(Joint):
    """Restricted Boltzmann machine: n binary units that m hidden binary units make dependent.

    The event is the visible side. Use it as a learned prior of binary latents: independent
    :class:`Bernoulli` units are the case W = 0. :class:`Autoregressive` is a directed prior,
    without a bound on its size.

    Parameters
    ----------
    visible_bias : array_like or node
        a, shape (n,): the event shape.
    hidden_bias : array_like or node
        b, shape (m,).
    weights : array_like or node
        W, shape (n, m).

    Raises
    ------
    DeclarationError
        If the shapes do not fit.
    UnsupportedError
        For what needs log Z if both sides have more than 20 units, or if a parameter is a node and
        the sum is too large to differentiate; for entropy and KL of more than 20 visible units,
        which are sums over visible vectors.

    Notes
    -----
    log p(x) = a·x + Σ_j log(1 + exp(b_j + Σ_i x_i W_ij)) − log Z (Salakhutdinov and Murray 2008),
    without the last term the negative free energy. log Z is exact: a sum over the 2^min(n, m)
    configurations of the smaller side, for each of which the other side factorises. Configurations
    come in blocks, so that memory is bounded where parameters are arrays. A program that
    differentiates log Z may keep 2^min(n, m) · max(n, m) numbers: where a parameter is a node, more
    than 2^27 are refused. Samples are exact, too: the smaller side unit by unit from its marginal,
    then the other side given it. KL is that to another RBM, with any number of hidden units. An
    infinite bias makes its unit certain; `log_weight` leaves it out.

    Beyond 20 units there are `log_weight`, which is log p(x) + log Z; `contrast`, which has the
    derivatives of log p(x) on average over samples; chains of `gibbs` steps, which
    :class:`PersistentChains` runs; and :func:`annealed_log_z`, which brackets log Z.

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.RBM([0.0, 0.0], [0.0], np.log([[3.0], [3.0]]))
    >>> d.mean()
    array([0.7, 0.7])
    >>> float(np.exp(d.log_prob([1.0, 1.0])).round(12))
    0.5
    """

    whole = True
    extends_to_mean = True
    support = sets.binary_vector
    constraints = sets.of(visible_bias=sets.real, hidden_bias=sets.real, weights=sets.real)
    mode = unsupported("mode", "it is a search among all values")

    def __init__(self, visible_bias: Any, hidden_bias: Any, weights: Any):
        self.parameters = parameters_of(
            "RBM", visible_bias=visible_bias, hidden_bias=hidden_bias, weights=weights
        )
        self.shape, hidden, pairs = map(np.shape, self.parameters.values())
        if len(self.shape) != 1 or len(hidden) != 1 or pairs != self.shape + hidden or 0 in pairs:
            raise DeclarationError(
                f"RBM: visible_bias of shape {self.shape}, hidden_bias of shape {hidden} and "
                f"weights of shape {pairs} do not fit; expected (n,), (m,) and (n, m)"
            )
        self.check_numbers()
        a, b, w = self.parameters.values()
        #: Whether the smaller side is the hidden one; its bias, the bias of the other, and weights.
        self._turned = pairs[0] > pairs[1]
        self._sides = (b, a, transpose(w, axes=(-1, -2))) if self._turned else (a, b, w)

    # --- sums over the configurations of the smaller side
    @cached_property
    def _table(self) -> Any:
        pairs = np.shape(self.parameters["weights"])
        instead = (
            "take fewer hidden units, or write x = g.sample(name, rbm) with the estimator "
            "PersistentChains, and rbm.contrast(z, x) in place of rbm.log_prob(z)"
        )
        if min(pairs) > LARGEST:
            raise UnsupportedError(
                f"RBM: weights of shape {pairs}: log Z is a sum over the smaller side, which may "
                f"have at most {LARGEST} units; {instead}. annealed_log_z estimates log Z"
            )
        kept = min(pairs) + math.log2(max(pairs))
        if kept > IN_PROGRAM and any(isinstance(p, Expr) for p in self.parameters.values()):
            raise UnsupportedError(
                f"RBM: weights of shape {pairs}: a program may keep 2^{min(pairs)} · {max(pairs)} "
                f"numbers to differentiate log Z, of at most 2^{IN_PROGRAM}; {instead}. Arrays are "
                "summed in blocks"
            )
        return log_weights(*self._sides)

    @property
    def log_normalizer(self) -> Any:
        """Logarithm of the sum over all configurations of both sides."""
        return logsumexp(self._table, -1)

    # --- without log Z
    def log_weight(self, x: Any) -> Any:
        """Unnormalised log-probability, log p(x) + log Z."""
        return log_weight(x, *self.parameters.values())

    def contrast(self, x: Any, sample: Any) -> Any:
        """The unnormalised log-probability of `x`, with the derivatives of log p(x) on average.

        The derivative of log Z is the mean of that of `log_weight` over samples; a `sample` that is
        a node on a sample plate is averaged over it. Its own credit is stopped.

        Parameters
        ----------
        x : array_like or node
            A value, shape (n,).
        sample : node
            A sample of this machine, for example of a node with :class:`PersistentChains`.
        """
        negative = self.log_weight(stop(sample))
        return first_order(self.log_weight(x) - (negative - stop(negative)))

    def gibbs(self, x: Any, noise: Noise, step: int) -> Any:
        """A step of block Gibbs sampling: all hidden units, then all visible ones."""
        a, b, w = self.parameters.values()

        def units(logits: Any, tag: str) -> Any:
            u = noise.uniform(np.shape(logits), f"{tag}{step}")
            return cast(where(greater(sigmoid(logits), u), 1, 0))

        h = units(b + matmul(x, w), "h")
        return units(a + matmul(h, transpose(w, axes=(-1, -2))), "v")

    def log_prob_elementwise(self, x: Any) -> Any:
        """a·x + Σ log(1 + exp(b + xW)) − log Z, one value for the vector."""
        return restored(self.log_weight(x) - self.log_normalizer)

    def mean(self) -> Any:
        """Marginal probabilities of the visible units."""
        _, other, weights = self._sides
        found, at = 0.0, 0
        for rows in configurations(weights):
            p = getitem(softmax(self._table), slice(at, at + len(rows)))
            at += len(rows)
            found += matmul(p, sigmoid(other + matmul(rows, weights)) if self._turned else rows)
        return found

    def variance(self) -> Any:
        """m (1 − m), with m the marginal probabilities."""
        m = self.mean()
        return m * (1.0 - m)

    def _log_probs(self, what: str) -> Any:
        """Log-probabilities of all visible vectors."""
        if self.shape[0] > LARGEST:
            raise UnsupportedError(
                f"RBM: {what} is a sum over the visible vectors, of at most {LARGEST} units, got "
                f"{self.shape[0]}; average log_prob over samples"
            )
        table = log_weights(*self.parameters.values()) if self._turned else self._table
        return restored(table - self.log_normalizer)

    def entropy_elementwise(self) -> Any:
        """−Σ_x p(x) log p(x), one value for the vector."""
        log_p = self._log_probs("the entropy")
        p = exp(log_p)
        return -sum(p * possible(log_p, p), -1)

    def kl_elementwise(self, other: Any) -> Any:
        """Σ_x p(x) (log p(x) − log q(x)), one value for the vector."""
        log_p, log_q = self._log_probs("KL"), other._log_probs("KL")
        p = exp(log_p)
        return sum(p * possible(log_p - log_q, p), -1)

    cardinality = closed_form("2 to the number of visible units", lambda d: 2 ** d.shape[0])

    def enumerate_support(self) -> np.ndarray:
        """All binary vectors, shape (cardinality, n)."""
        return digits(np.arange(self.cardinality()), self.shape[0])

    # --- samples
    def smaller_side(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Exact samples of the units of the smaller side, shape (count, units)."""
        p = softmax(self._table)
        units = min(np.shape(self.parameters["weights"]))
        return digits(rng.choice(len(p), size=count, p=p / p.sum()), units)

    @property
    def uniforms(self) -> tuple[int, ...]:
        """One for each unit that is sampled: the smaller side, and the visible one."""
        units = len(self._levels)
        return (units + self.shape[0] if self._turned else units,)

    def sample(self, noise: Noise) -> Any:
        """The smaller side unit by unit; if it is the hidden one, the visible one given it."""
        # one leaf a unit: its threshold is random
        return self._in_turn(_against(lambda i: noise.uniform((), f"u{i}")))

    def coupling(self, u: Any) -> Any:
        """Sample as a function of one uniform for each unit."""
        return self._in_turn(_against(lambda i: getitem(u, i)))

    def upward(self, x: Any, noise: Noise) -> Upward:
        """A unit of either side becomes 1, and later ones follow on the same noise."""
        same = _against(lambda i: noise.uniform((), f"u{i}"))
        logits: list[Any] = []
        bits: list[Any] = []

        def first(i: int, logit: Any) -> Any:
            logits.append(logit)
            bits.append(same(i, logit))
            return bits[-1]

        def moved(here: Any) -> Any:
            return self._in_turn(lambda i, logit: where(getitem(here, i), 1, same(i, logit)))

        self._in_turn(first)
        return Bernoulli(logits=_row(logits)).upward(cast(_row(bits)))._replace(moved=moved)

    @cached_property
    def _levels(self) -> list[Any]:
        """Logits of each unit of the smaller side, in each configuration of the units before."""
        found, table = [], self._table
        while np.shape(table) != (1,):
            pairs = reshape(table, shape=(np.shape(table)[0] // 2, 2))
            found.append(pairs[..., 1] - pairs[..., 0])
            table = logsumexp(pairs, -1)
        return found[::-1]

    def _in_turn(self, draw: Callable[[int, Any], Any]) -> Any:
        bits: list[Any] = []
        place: Any = 0
        for i, logits in enumerate(self._levels):
            bits.append(draw(i, getitem(logits, place)))
            place = 2 * place + bits[-1]
        units = _row(bits)
        if self._turned:
            _, bias, weights = self._sides
            logits = bias + matmul(cast(units), weights)
            units = _row([draw(len(bits) + i, getitem(logits, i)) for i in range(self.shape[0])])
        return cast(units)


def _against(uniform: Callable[[int], Any]) -> Callable[[int, Any], Any]:
    """1 where the probability of a logit exceeds the uniform of a unit, else 0."""
    return lambda i, logit: where(greater(sigmoid(logit), uniform(i)), 1, 0)


def _row(units: list[Any]) -> Any:
    rows = [reshape(unit, shape=(1,)) for unit in units]
    return concatenate(*rows, axis=-1) if len(rows) > 1 else rows[0]
