"""Permutations, and the first k of them: items that are drawn in turn without replacement."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import FAR, closed_form
from scg.distributions.categorical import OneHotCategorical
from scg.distributions.given import parameters_of
from scg.distributions.gumbel import Gumbel
from scg.distributions.protocols import Noise
from scg.distributions.sequential import NEVER, Sequential, check_items, finite, restored, stacked
from scg.errors import DeclarationError, UnsupportedError
from scg.ops.elementwise import absolute, exp, greater, log, maximum, minimum, possible, where
from scg.ops.gather import one_hot
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.reductions import log_softmax, max, softmax, sum
from scg.ops.select import argsort
from scg.ops.shape import concatenate, cumsum, reshape

#: Largest number of sets of items over which marginals are summed.
SETS = 1 << 12


class PlackettLuce(Sequential):
    """Plackett-Luce distribution: the order in which k of n items are drawn, without replacement.

    A value has the k items as rows, one-hot: with all n items it is a permutation matrix P, and
    ``P @ v`` is v in that order; ``np.sum(x, axis=0)`` is the set of a top-k sample. Use it for
    rankings, and for Gumbel top-k samples, which it describes; :class:`Subset` is another
    distribution of sets, with a probability for each set.

    Parameters
    ----------
    logits : array_like or node
        Logarithms θ of the items' weights, shape (n,). Items at −∞ are not drawn; at least k are
        finite.
    k : int, optional
        Number of items drawn; all by default. The event shape is (k, n).

    Raises
    ------
    DeclarationError
        If the logits are not a vector, or `k` does not fit.
    UnsupportedError
        By the mean, entropy and KL, which sum over sets of items, if there are more than 4096.

    Notes
    -----
    log p(x) = Σ_t (θ_{i(t)} − log Σ_{i left} exp θ_i) (Plackett 1975). The order is that of the k
    largest θ_i + Gumbel noise (Yellott 1977), which relaxes: permutations by NeuralSort (Grover et
    al. 2019), the first k by k softmaxes in turn (Xie and Ermon 2019).
    :class:`GumbelSoftmax` is this relaxation alone; :class:`REBAR` and :class:`RELAX` correct it by
    the noise given the order (Gadetsky et al. 2020).

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.PlackettLuce(np.log([1.0, 1.0, 2.0]), k=2)
    >>> float(np.exp(d.log_prob([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])).round(12))
    0.25
    """

    constraints = sets.of(logits=sets.logits)
    fixed = ("k",)

    def __init__(self, logits: Any, k: int | None = None):
        self.parameters = parameters_of("PlackettLuce", logits=logits)
        shape = np.shape(logits)
        if len(shape) != 1 or not shape[0]:
            raise DeclarationError(
                f"PlackettLuce: logits must be a vector, got shape {shape}; what repeats is a plate"
            )
        self.k = shape[0] if k is None else k
        if self.k > shape[0]:
            raise DeclarationError(f"PlackettLuce: k must be from 1 to {shape[0]}, got {k!r}")
        self.check_numbers()
        check_items(self, logits, self.k)
        self.steps, self.options = self.shape = (self.k, *shape)

    @property
    def support(self) -> sets.Constraint:
        """One-hot rows, no two of them equal."""
        return sets.OneHotRows(distinct=True)

    @property
    def logits(self) -> Any:
        """θ, of which none is −∞."""
        return finite(self.parameters["logits"])

    # --- as a sequence of choices; the state is 1 for an item that is left
    def start(self) -> np.ndarray:
        """All items."""
        return np.ones(self.options)

    def move(self, state: Any, choice: Any) -> Any:
        """Take an item."""
        return state * (1.0 - choice)

    def _weights(self, left: Any) -> tuple[Any, Any]:
        """exp(θ − m) of the items that are left, and m, for which the largest is about 1."""
        logs = where(greater(left, 0.0), self.logits + log(maximum(left, 1e-30)), -np.inf)
        top = max(logs, -1, keepdims=True)
        return maximum(left, 0.0) * exp(minimum(self.logits - top, FAR)), top[..., 0]

    def offer(self, step: int, state: Any) -> Any:
        """Weights of the items that are left, over their sum."""
        weights = self._weights(state)[0]
        return weights / sum(weights, -1, keepdims=True)

    def _left(self, x: Any) -> Any:
        """The items that are left before each row."""
        return 1.0 - (cumsum(x, -2) - x)

    def conditionals(self, x: Any) -> OneHotCategorical:
        """Each item given those before."""
        return OneHotCategorical(probs=self.offer(0, self._left(x)))

    choices = value = closed_form("The rows themselves", lambda d, x: x)

    # --- the relaxation: the order of z = θ + Gumbel noise ----------------------------------------
    def location(self, probs: Any = None) -> Any:
        """log p of the first item, each at least −FAR."""
        return maximum(log_softmax(self.logits), -FAR)

    def latent(self) -> Gumbel:
        """Gumbel around the location."""
        return Gumbel(self.location(), 1.0)

    def perturbation(self, x: Any, noise: Noise) -> Any:
        """Gumbel noise whose sum with θ has the order `x`."""
        z = self._race(x, -log(noise.uniform((self.k,), "g")), -log(noise.uniform(self._n, "r")))
        return stop(z - self.location())

    def condition(self, x: Any, noise: Noise, like: Any = None) -> Any:
        """−log of arrival times: the order's from the rates of what is left, then the rest's."""
        if like is None:
            v, w = noise.uniform((self.k,), "v"), noise.uniform(self._n, "w")
            return self._race(x, -log(v), -log(w))
        times, rates = exp(-like), exp(self.location())
        drawn = sum(x * times, -1)
        before = concatenate(np.zeros(1), getitem(drawn, slice(0, self.k - 1)), axis=-1)
        steps = (drawn - before) * sum(self._left(x) * rates, -1)
        waits = (times - getitem(drawn, slice(self.k - 1, self.k))) * rates
        return self._race(x, stop(maximum(steps, 0.0)), stop(maximum(waits, 0.0)))

    @property
    def _n(self) -> tuple[int]:
        return (self.options,)

    def _race(self, x: Any, steps: Any, waits: Any) -> Any:
        """Latent in the order `x`, from standard exponentials of its rows and of what is left."""
        rates = exp(self.location())
        times = cumsum(steps / sum(self._left(x) * rates, -1))
        last = getitem(times, slice(self.k - 1, self.k))
        rest = (1.0 - sum(x, -2)) * (last + waits / rates)
        return -log(sum(x * times[..., None], -2) + rest)

    def relax(self, z: Any, temperature: Any) -> Any:
        """Softmaxes near the k largest of `z` in order."""
        if self.k == self.options:
            apart = sum(absolute(z[..., None] - z[..., None, :]), -1)
            ranks = self.options - 1.0 - 2.0 * np.arange(self.options)
            return softmax((ranks[:, None] * z[..., None, :] - apart[..., None, :]) / temperature)
        some = greater(self.logits, NEVER / 2)
        rows, z = [], where(some, z / temperature, -np.inf)
        for _ in range(self.k):
            rows.append(softmax(z))
            z = z + log(maximum(1.0 - rows[-1], math.exp(-FAR)))
        return stacked(rows)

    # --- as a distribution
    def log_prob_elementwise(self, x: Any) -> Any:
        """Σ (θ − log Σ exp θ of what is left), one value for the order."""
        weights, top = self._weights(self._left(x))
        each = sum(x * self.logits, -1) - top
        return restored(sum(each - log(sum(weights, -1)), -1))

    def _levels(self) -> Iterator[tuple[Any, OneHotCategorical]]:
        """For each row: the probability of each set of items before it, and the item given it."""
        n = self.options
        if builtins.sum(math.comb(n, t) for t in range(self.k)) > SETS:
            raise UnsupportedError(
                f"PlackettLuce: the marginals of {self.k} among {n} items are sums over more than "
                f"{SETS} sets; estimate them from samples"
            )
        reached: Any = np.ones(1)
        places: dict[tuple[int, ...], int] = {(): 0}
        for t in range(self.k):
            taken = np.zeros((len(places), n), bool)
            for row, items in zip(taken, places, strict=True):
                row[list(items)] = True
            logs = where(taken, -np.inf, self.logits)
            law = OneHotCategorical(logits=restored(logs, max(logs, -1, keepdims=True)))
            yield reached, law
            if t + 1 < self.k:
                flow = reshape(reached[..., None] * law.probs, shape=(taken.size,))
                after = list(itertools.combinations(range(n), t + 1))
                source = [
                    [places[(*items[:j], *items[j + 1 :])] * n + i for j, i in enumerate(items)]
                    for items in after
                ]
                reached = sum(flow[np.array(source)], -1)
                places = {items: place for place, items in enumerate(after)}

    def mean(self) -> Any:
        """Probability of each item in each row."""
        return stacked([sum(reached[..., None] * d.probs, -2) for reached, d in self._levels()])

    def variance(self) -> Any:
        """m (1 − m), with m the mean."""
        m = self.mean()
        return m * (1.0 - m)

    def entropy_elementwise(self) -> Any:
        """Σ over rows and sets before them of P(set) H(item | set), one value for the order."""
        return _total(sum(reached * d.entropy_elementwise()) for reached, d in self._levels())

    def kl_elementwise(self, other: Any) -> Any:
        """The same sum of divergences."""
        pairs = zip(self._levels(), other._levels(), strict=True)
        return _total(
            sum(reached * possible(d.kl_elementwise(e), reached)) for (reached, d), (_, e) in pairs
        )

    def mode(self) -> Any:
        """The k largest logits in order, of equals the first."""
        return one_hot(getitem(argsort(-self.logits), slice(0, self.k)), self.options)

    cardinality = closed_form("n! / (n − k)!", lambda d: math.perm(d.options, d.k))

    def enumerate_support(self) -> np.ndarray:
        """All orders, shape (cardinality, k, n)."""
        return np.eye(self.options)[list(itertools.permutations(range(self.options), self.k))]


def _total(values: Iterator[Any]) -> Any:
    total: Any = 0.0
    for value in values:
        total = total + value
    return total
