"""Unordered set: several values without replacement, weighted by leave-one-out ratios."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.parts.couplings import spread, times
from scg.estimators.parts.options import at_least
from scg.estimators.parts.support import Support
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.elementwise import exp, greater, where
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.reductions import logsumexp, plate_sum, sum
from scg.ops.shape import np_concatenate, np_reshape, np_stack

_MOST = 8  # a set has 2^K subsets


class UnorderedSet(Estimator):
    """K values without replacement, whose order is integrated out.

    Σ_{s∈S} R(S, s) (f(s) − b(s)) ∇θ p(s; θ), with S the set of values, R(S, s) = p^{D∖s}(S∖s)/p(S)
    the leave-one-out ratio, p^{D∖s} the distribution without s, and b(s) = Σ_{t∈S} p(t) R^{D∖s}(S,
    t) f(t), R^{D∖s}(S, t) = p^{D∖{s,t}}(S∖{s,t})/p^{D∖s}(S∖s), 1 for t = s: K evaluations. Use it
    where few values have most of the probability. Independent variables of a node are sampled
    jointly, and their joint values are not listed. Where S is the support it is exact.
    :class:`LeaveOneOut` samples with replacement, for any distribution.

    Parameters
    ----------
    samples : int
        K, from 2 to 8 (from 1 without the baseline); at most the size of the support.
    baseline : bool
        Subtract b: for each value the estimate of the mean cost from the rest of the set.

    References
    ----------
    Kool, van Hoof and Welling (2020).
    """

    evaluations = "K"
    requires = ("listable values", "enough values", "surviving plates")
    credit = "weight"
    formula = "Σ_{s∈S} R(S, s) (f(s) − b(s)) ∇θ p(s; θ)"
    symbols = {  # noqa: RUF012
        "S": "the set of sampled values",
        "s": "a value in S",
        "R": "the leave-one-out ratio of probabilities of the set",
    }
    cites = ("kool2020",)

    def __init__(self, samples: int = 2, baseline: bool = True):
        self.samples = at_least("UnorderedSet", samples, 2 if baseline else 1)
        if samples > _MOST:
            raise EstimatorError(f"UnorderedSet: samples must be at most {_MOST}, got {samples}")
        self.baseline = baseline

    def where(self) -> dict[str, Any]:
        return {"b(s)": "Σ_{t∈S} p(t) R₋ₛ(S, t) f(t)" if self.baseline else 0}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw one value after the other, and weight them with p(s) R(S, s)."""
        support, plate, count = Support(dist), noise.plate(self.samples), self.samples
        tags = ["u", *(f"u{k}" for k in range(2, count + 1))]
        drawn = [support.search(noise.uniform((support.variables,), tag)) for tag in tags]
        logp, scale, open = map(np_stack, zip(*support.taken, strict=True))
        chances, occurs = _sets(logp, support.rest), greater(logp, -np.inf)
        whole, bits = (1 << count) - 1, 1 << np.arange(count)
        without = getitem(chances, whole ^ bits)
        shares = exp(without - getitem(chances, whole)) * where(occurs, 1.0, scale) * open
        pairs = getitem(chances, whole ^ (bits[:, None] | bits))
        ratios = where(occurs, exp(pairs - getitem(without, (slice(None), None))), 0.0)
        marks = noise.constant(np.eye(count), plate)
        aux = {"marks": marks, "others": where(np.eye(count) > 0, exp(logp), ratios)}
        x = stop(spread(drawn, noise, plate))
        return Draw(x, plate=plate, weight=sum(marks * shares), aux=aux)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract, for each value, the estimate of the mean cost from the rest of the set."""
        if not self.baseline:
            return None
        assert draw.weight is not None
        marks = draw.aux["marks"]
        costs = plate_sum(marks * downstream.cost, draw.samples)
        b = sum(marks * times(draw.aux["others"], costs))
        return plate_sum(along(-b, draw.weight), draw.samples)


def _sets(logp: Expr, rest: Expr) -> Expr:
    """log U(T) for all sets T ⊆ S, which are the bits of the place.

    W(T) is the probability of drawing T, given that the others of the set are gone: Σ_{s∈T}
    p(s)/(rest + p(T)) W(T∖s), and 1 where nothing possible is left. U(T) is W(T) over the
    probabilities of the possible values in T, whose product may be smaller than any float.
    """
    count = logp.size
    order = sorted(range(1 << count), key=int.bit_count)
    at = np.argsort(order)
    masses = np_concatenate([logp, np_reshape(rest, (1,))])
    found = constant(logp.graph, np.zeros(1))
    for _, group in itertools.groupby(order[1:], int.bit_count):
        sets = np.array(list(group))
        members = np.array([[s for s in range(count) if T >> s & 1] for T in sets])
        first = getitem(found, at[sets[:, None] ^ 1 << members])
        first = where(greater(getitem(logp, members), -np.inf), first, -np.inf)
        gone = np.pad(members, ((0, 0), (0, 1)), constant_values=count)
        mass = logsumexp(getitem(masses, gone), axis=-1)
        possible = greater(mass, -np.inf)
        chances = where(possible, logsumexp(first, axis=-1) - where(possible, mass, 0.0), 0.0)
        found = np_concatenate([found, chances])
    return getitem(found, at)
