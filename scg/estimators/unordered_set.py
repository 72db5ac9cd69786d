"""Unordered set: several values without replacement, weighted by leave-one-out ratios."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.parts.couplings import spread
from scg.estimators.parts.options import at_least
from scg.estimators.parts.support import Support
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import equal, where
from scg.ops.gradient import stop
from scg.ops.powers import ratio
from scg.ops.reductions import plate_sum

_MOST = 8  # a set has 2^K subsets


class UnorderedSet(Estimator):
    """K values without replacement, whose order is integrated out.

    Σ_{s∈S} R(S, s) (f(s) − b(s)) ∇θ p(s; θ), with S the set of values, R(S, s) = p^{D∖s}(S∖s)/p(S)
    the leave-one-out ratio, p^{D∖s} the distribution without s, and b(s) = Σ_{t∈S} p(t) R^{D∖s}(S,
    t) f(t), R^{D∖s}(S, t) = p^{D∖{s,t}}(S∖{s,t})/p^{D∖s}(S∖s), 1 for t = s: K evaluations. Use it
    where few values have most of the probability and the support is listable. Where S is the
    support it is exact. :class:`LeaveOneOut` samples with replacement, for any distribution.

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
    requires = ("finite support", "enough values", "surviving plates")
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
        support, plate = Support(dist), noise.plate(self.samples)
        tags = ["u", *(f"u{k}" for k in range(2, self.samples + 1))]
        x = spread([support.search(noise.uniform((1,), tag)) for tag in tags], noise, plate)
        sets = _subsets(support.taken, support.rest)
        whole = len(sets) - 1
        ratios = [sets[whole ^ 1 << k] / sets[whole] for k in range(self.samples)]
        shares = [p * r for p, r in zip(support.open, ratios, strict=True)]
        others = []
        for j, p in enumerate(support.taken):
            column = [
                p if k == j else p * sets[whole ^ 1 << k ^ 1 << j] / sets[whole ^ 1 << k]
                for k in range(self.samples)
            ]
            mark = noise.constant(np.eye(self.samples)[j], plate)
            others.append((spread(column, noise, plate), mark))
        weight = spread(shares, noise, plate)
        return Draw(stop(x), plate=plate, weight=weight, aux={"others": others})

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract, for each value, the estimate of the mean cost from the rest of the set."""
        if not self.baseline:
            return None
        assert draw.weight is not None
        cost = downstream.cost
        parts = [p * plate_sum(mark * cost, draw.samples) for p, mark in draw.aux["others"]]
        b = functools.reduce(operator.add, parts)
        return plate_sum(along(-b, draw.weight), draw.samples)


def _subsets(taken: list[Expr], rest: Expr) -> list[Any]:
    """Probability of drawing each subset T, given that the others of the set are gone.

    Subsets are bits; the last one is the set. W(T) = Σ_{s∈T} p(s)/(rest + p(T)) W(T∖s), and 1 where
    nothing possible is left.
    """
    found: list[Any] = [1.0]
    masses = [rest]
    for subset in range(1, 1 << len(taken)):
        members = [k for k in range(len(taken)) if subset >> k & 1]
        masses.append(masses[subset ^ 1 << members[0]] + taken[members[0]])
        firsts = [taken[k] * found[subset ^ 1 << k] for k in members]
        share = ratio(functools.reduce(operator.add, firsts), masses[subset])
        found.append(where(equal(masses[subset], 0.0), 1.0, share))
    return found
