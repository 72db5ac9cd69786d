"""Hidden Markov models: sequences of observations whose states are summed out."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import ENTROPY, Distribution, closed_form, unsupported
from scg.distributions.chains import LinearChain, MarkovChain
from scg.distributions.finite import Joint
from scg.distributions.protocols import Noise
from scg.distributions.sequential import restored
from scg.distributions.tagged import Tagged
from scg.distributions.values import check_mask
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, where
from scg.ops.indexing import getitem
from scg.ops.linalg import matmul
from scg.ops.reductions import sum
from scg.ops.shape import reshape

#: What it has if its emission has something.
_FROM_EMISSION = {
    "mean": "mean",
    "variance": "variance",
    "cardinality": "coordinate_values",
    "enumerate_support": "coordinate_values",
}


class HiddenMarkov(Joint):
    """Hidden Markov model: T observations whose distributions follow the states of a Markov chain.

    Its log-probability is the marginal likelihood, with all paths of states summed out in T K²
    operations. Use it to learn from sequences; `posterior` is the distribution of the states given
    observations. To sum states out of expected costs use :class:`MarkovChain` or nodes.

    Parameters
    ----------
    length : int
        Number T of steps.
    initial_logits : array_like or node
        Unnormalised log-probabilities of the first state, shape (K,).
    transition_logits : array_like or node
        Those of the next state in each row: (K, K), or (T − 1, K, K).
    emission : Distribution
        Distribution of one observation in each state: states are its first event axis, (K, ...),
        and its elements are independent.

    Raises
    ------
    DeclarationError
        If the shapes do not fit, or if the emission has a support that differs by state.

    Notes
    -----
    p(x) = Σ_z p(z) Π_t p(x_t | z_t), by the forward-backward algorithm (Rabiner 1989); the event
    shape is (T, ...). Each family of emissions has its own subclass.

    Examples
    --------
    >>> import numpy as np, scg
    >>> stay = np.log([[0.9, 0.1], [0.1, 0.9]])
    >>> d = scg.HiddenMarkov(2, [0.0, 0.0], stay, scg.Bernoulli(probs=[0.25, 0.75]))
    >>> float(np.exp(d.log_prob([1.0, 1.0])).round(12))
    0.3
    """

    whole = True
    constraints = MarkovChain.constraints
    mode = unsupported("mode", "it is a search among all values")
    entropy_elementwise = kl_elementwise = unsupported(ENTROPY, "it is a sum over all values")
    upward = unsupported(
        "next value", "its states are summed out: declare them as a MarkovChain node, too"
    )

    def __new__(cls, *args: Any, **given: Any) -> HiddenMarkov:
        """Make an instance of the HiddenMarkov that belongs to the family of the emission."""
        emission = given.get("emission", args[-1] if args else None)
        if not isinstance(emission, Distribution):
            raise DeclarationError(
                f"HiddenMarkov: emission must be a distribution, got {emission!r}"
            )
        return object.__new__(_of(type(emission)))

    def __init__(
        self, length: int, initial_logits: Any, transition_logits: Any, emission: Distribution
    ):
        self.states = MarkovChain(length, initial_logits, transition_logits)
        self.length, self.emission, k = length, emission, self.states.classes
        if emission.shape[:1] != (k,) or emission.support.axes >= len(emission.shape):
            raise DeclarationError(
                f"HiddenMarkov: the first event axis of the emission must be {k} states, got the "
                f"event shape {emission.shape}"
            )
        if emission.whole or np.ndim(emission.support.low) or np.ndim(emission.support.high):
            raise DeclarationError(
                f"HiddenMarkov: the emission {type(emission).__name__} must have independent "
                "elements with one support in all states"
            )
        self.shape = (length, *emission.shape[1:])
        self.parameters = self.states.parameters | emission.parameters

    @property
    def static(self) -> tuple[Any, ...]:
        """Length, family and options of the emission."""
        return self.length, type(self.emission), self.emission.static

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Distribution with other parameter values."""
        length, family, options = static
        start, steps, *rest = values
        return HiddenMarkov(length, start, steps, family.rebuild(tuple(rest), options))

    @property
    def support(self) -> Any:
        """That of one observation."""
        return self.emission.support

    def posterior(self, x: Any) -> LinearChain:
        """Distribution of the states given observations; its Z is their likelihood."""
        return LinearChain.of(self._scores(x), self.states.pairs)

    def _scores(self, x: Any, mask: Any = None) -> Any:
        x = x if isinstance(x, Expr) else np.asarray(x)
        logs = self.emission.log_prob_on_support(x[:, None], mask)
        logs = sum(logs, tuple(range(2, np.ndim(logs)))) if np.ndim(logs) > 2 else logs
        return self.states.unary + logs

    def log_prob_on_support(self, x: Any, mask: Any = None) -> Any:
        """log Z of the posterior, one value for the sequence."""
        if mask is not None:
            check_mask(self, mask)
        chain = LinearChain.of(self._scores(x, mask), self.states.pairs)
        value = restored(chain.log_normalizer)
        return value if mask is None else where(mask, value, 0.0)

    def prob(self, x: Any) -> Any:
        """exp(log_prob); values on a leading axis are taken one by one."""
        if np.ndim(x) == len(self.shape):
            return exp(self.log_prob(x))
        return np.stack([self.prob(row) for row in x])

    def sample(self, noise: Noise) -> Any:
        """An observation in each state at each step, of which that of the sampled state is kept."""
        path = self.states.sample(Tagged(noise, "states/"))
        return self._emitted(path, noise.uniform((self.length, *self.emission.uniforms[1:])))

    @property
    def uniforms(self) -> tuple[int, ...]:
        """One for each state, and those of its observation."""
        return self.length, 1 + math.prod(self.emission.uniforms[1:])

    def coupling(self, u: Any) -> Any:
        """States by the first uniform of each step, observations by the others."""
        path = self.states.coupling(getitem(u, (slice(None), 0)))
        rest = getitem(u, (slice(None), slice(1, None)))
        return self._emitted(path, reshape(rest, shape=(self.length, *self.emission.uniforms[1:])))

    def _emitted(self, path: Any, u: Any) -> Any:
        x = self.emission.coupling(u[:, None])
        chosen = getitem(path, (slice(None), slice(None), *(None,) * (np.ndim(x) - 2)))
        return sum(where(chosen, x, 0), 1) if self.kind == "int" else sum(chosen * x, 1)

    def mean(self) -> Any:
        """Means of the observations, averaged over the states."""
        return self._averaged(self.emission.mean())

    def variance(self) -> Any:
        """E (σ² + μ²) − (E μ)², averaged over the states."""
        centre = self.emission.mean()
        square = self._averaged(self.emission.variance() + centre * centre)
        return square - self.mean() ** 2

    def _averaged(self, values: Any) -> Any:
        rows = reshape(values, shape=(self.states.classes, math.prod(self.shape[1:])))
        return reshape(matmul(self.states.mean(), rows), shape=self.shape)

    def _one_step(self) -> np.ndarray:
        """All values of one observation, on a leading axis."""
        values = self.emission.coordinate_values()
        count = math.prod(self.shape[1 : len(self.shape) + 1 - values.ndim])
        rows = list(itertools.product(range(len(values)), repeat=count))
        return values[np.array(rows, dtype=int)].reshape(len(rows), *self.shape[1:])

    cardinality = closed_form("All sequences", lambda d: len(d._one_step()) ** d.length)

    def enumerate_support(self) -> np.ndarray:
        """All sequences, shape (cardinality, T, ...)."""
        values = self._one_step()
        rows = list(itertools.product(range(len(values)), repeat=self.length))
        return values[np.array(rows)]


@functools.cache
def _of(family: type[Distribution]) -> type[HiddenMarkov]:
    """HiddenMarkov of a family of emissions, with its traits."""
    members: dict[str, Any] = {"__doc__": HiddenMarkov.__doc__, "kind": family.kind}
    members["constraints"] = sets.of(**HiddenMarkov.constraints, **family.constraints)
    for name, needed in _FROM_EMISSION.items():
        if not family.supports(needed):
            members[name] = getattr(family, needed)
    return type(HiddenMarkov.__name__, (HiddenMarkov,), members)
