"""Annealed importance sampling: the partition function of a machine, from both ends."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from scg.common.arguments import Count, checked
from scg.common.lazy import scipy_function
from scg.distributions.rbm import LARGEST, RBM
from scg.errors import DeclarationError
from scg.ir.expr import Expr

logit, logsumexp, softmax = map(scipy_function, ("logit", "logsumexp", "softmax"))


class Annealed(NamedTuple):
    """Estimates of log Z, which :func:`annealed_log_z` returns.

    Attributes
    ----------
    lower, upper : float
        On average at most, and at least, log Z.
    lower_stderr, upper_stderr : float
        Their standard errors.
    """

    lower: float
    upper: float
    lower_stderr: float
    upper_stderr: float


@checked("scg.annealed_log_z(rbm, seed=0)")
def annealed_log_z(
    rbm: Any, *, seed: Count, chains: int = 100, temperatures: int = 1000, start: Any = None
) -> Annealed:
    """Bracket log Z of an RBM of any size by annealed importance sampling in both directions.

    Chains that go from independent units to the machine have weights of mean Z/Z₀, with Z₀ known.
    Their log-mean is too small on average, so that a likelihood computed with it is too high.
    Chains that start in the machine and go back have weights of mean Z₀/Z: their log-mean gives the
    upper end. Claim an improvement with `upper`. Where log Z is a sum, ``rbm.log_normalizer`` is
    exact.

    Parameters
    ----------
    rbm : RBM
        With arrays as parameters.
    seed : int
        The seed.
    chains : int
        Number of chains in each direction, at least 2.
    temperatures : int
        Number of intermediate distributions; the bracket shrinks with it.
    start : array_like, optional
        Where the chains back start, shape (c, n): samples of the machine, such as the state of
        :class:`PersistentChains`. By default they are exact samples where one side has at most 20
        units, and else the ends of chains of the first kind, chosen by their weights.

    Returns
    -------
    Annealed
        ``lower``, ``upper``, and their standard errors. `upper` is too large on average only if
        the chains back start at samples of the machine. If it lies below `lower` by more than the
        errors, they do not, or both ends are poor: take more temperatures and chains.

    Raises
    ------
    CallError
        If an option is not such a number.
    DeclarationError
        If a parameter is a node, or the shape of `start` does not fit.

    References
    ----------
    Neal (2001); Salakhutdinov and Murray (2008); Burda, Grosse and Salakhutdinov (2015)
    for the reverse chain.

    Examples
    --------
    >>> import numpy as np, scg
    >>> rng = np.random.default_rng(0)
    >>> rbm = scg.RBM(rng.normal(size=9), rng.normal(size=7), rng.normal(size=(9, 7)))
    >>> found = scg.annealed_log_z(rbm, seed=0)
    >>> [round(float(end - rbm.log_normalizer), 1) for end in (found.lower, found.upper)]
    [-0.0, 0.0]
    """
    if not isinstance(rbm, RBM) or any(isinstance(p, Expr) for p in rbm.parameters.values()):
        raise DeclarationError(
            f"annealed_log_z: expected an scg.RBM of arrays, got {rbm!r}; write "
            'scg.RBM(params["a"], params["b"], params["W"])'
        )
    if chains < 2:
        raise DeclarationError(f"annealed_log_z: chains must be at least 2, got {chains}")
    rng = np.random.default_rng(seed)
    betas = np.linspace(0.0, 1.0, temperatures + 1)
    here = _samples(rbm, chains, betas, rng) if start is None else _given(start, rbm.shape[0])
    others = _samples(rbm, chains, betas, rng)  # the path must not depend on where it starts
    path = _Annealing(rbm, logit((others.sum(0) + 1.0) / (chains + 2.0)))

    _, forward = path.up(chains, betas, rng)
    x, back = here, np.zeros(len(here))
    for beta, before in itertools.pairwise(betas[::-1]):
        x = path.step(x, beta, rng)
        back += path.log_weight(x, before) - path.log_weight(x, beta)
    (low, low_error), (high, high_error) = _log_mean(forward), _log_mean(back)
    return Annealed(path.log_z0 + low, path.log_z0 - high, low_error, high_error)


class _Annealing:
    """The machine whose hidden biases and weights are multiplied by β, its visible biases moved."""

    def __init__(self, rbm: RBM, base: np.ndarray):
        self.base = base  # the visible biases at β = 0
        self.a, self.b, self.w = rbm.parameters.values()
        self.log_z0 = float(np.logaddexp(0.0, base).sum() + len(self.b) * np.log(2.0))

    def _at(self, beta: float) -> np.ndarray:
        return (1.0 - beta) * self.base + beta * self.a

    def log_weight(self, x: np.ndarray, beta: float) -> np.ndarray:
        return x @ self._at(beta) + np.logaddexp(0.0, beta * (self.b + x @ self.w)).sum(-1)

    def step(self, x: np.ndarray, beta: float, rng: np.random.Generator) -> np.ndarray:
        h = _coins(beta * (self.b + x @ self.w), (len(x), len(self.b)), rng)
        return _coins(self._at(beta) + beta * (h @ self.w.T), x.shape, rng)

    def up(self, chains: int, betas: np.ndarray, rng: np.random.Generator) -> Any:
        """Where chains from independent units end, and their log-weights."""
        x, found = _coins(self.base, (chains, len(self.a)), rng), np.zeros(chains)
        for before, beta in itertools.pairwise(betas):
            found += self.log_weight(x, beta) - self.log_weight(x, before)
            x = self.step(x, beta, rng)
        return x, found


def _coins(logits: Any, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return (rng.logistic(size=shape) < logits).astype(float)


def _samples(rbm: RBM, chains: int, betas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Samples of the machine: exact ones where one side is small, else ends of annealed chains."""
    n, m = np.shape(rbm.parameters["weights"])
    path = _Annealing(rbm, rbm.parameters["visible_bias"])
    if min(n, m) > LARGEST:
        ends, log_weights = path.up(chains, betas, rng)
        return ends[rng.choice(chains, size=chains, p=softmax(log_weights))]
    units = rbm.smaller_side(rng, chains)
    return units if n <= m else _coins(path.a + units @ path.w.T, (chains, n), rng)


def _given(start: Any, n: int) -> np.ndarray:
    x = np.asarray(start, dtype=float)
    if x.ndim != 2 or x.shape[1] != n or len(x) < 2 or not np.isin(x, (0.0, 1.0)).all():
        raise DeclarationError(
            f"annealed_log_z: start: expected zeros and ones of shape (c, {n}) with c ≥ 2, got "
            f"shape {x.shape}"
        )
    return x


def _log_mean(x: np.ndarray) -> tuple[float, float]:
    """Logarithm of the mean of exponentials, and its standard error by the delta method."""
    weights = softmax(x)
    error = np.sqrt(len(x) * np.sum((weights - 1.0 / len(x)) ** 2) / (len(x) - 1.0))
    return float(logsumexp(x) - np.log(len(x))), float(error)
