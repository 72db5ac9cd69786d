"""Local expectation gradients: sum over a coordinate given its Markov blanket."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.parts.alternatives import alternatives
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, along
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, greater, minimum, possible, where
from scg.ops.reductions import max, sum

_MOST = 80.0  # of log-ratios, which only those of impossible values exceed: no overflow


class LocalExpectation(Estimator):
    """Each coordinate at all its values, everything below kept and reweighted.

    Notes
    -----
    Σᵢ Σᵥ f(x₍ᵢ₌ᵥ₎) p(xᵢ = v | mbᵢ) / p(xᵢ = v; θ) ∇θ p(xᵢ = v; θ), with mbᵢ the Markov blanket;
    Titsias and Lázaro-Gredilla (2015, section 3). With children c the ratio is p(c | x₍ᵢ₌ᵥ₎) over
    its mean under p(xᵢ); without any it is 1 and the estimate is RAM's.
    """

    evaluations = "n |values| + 1"
    requires = ("coordinates", "surviving plates", "densities below")
    credit = "along"
    formula = "Σᵢ Σᵥ f(x₍ᵢ₌ᵥ₎) qᵢ(v)/pᵢ(v) ∇θ pᵢ(v; θ)"
    cites = ("titsias2015",)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Inject the reweighted costs of all alternatives along their probabilities."""
        every = alternatives(dist, draw.value, downstream)
        replay = downstream.at(every.value, below="kept")
        logp, probs = every.arranged(replay.logp), every.probs
        top = max(where(greater(probs, 0.0), logp, -np.inf), axis=-1, keepdims=True)
        ratio = exp(minimum(logp - top, _MOST))
        ratio = ratio / sum(probs * ratio, axis=-1, keepdims=True)
        cost = possible(every.arranged(replay.cost), probs * ratio)
        return along(ratio * cost, probs)
