"""Local expectation gradients: sum over a coordinate given its Markov blanket."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.parts.alternatives import alternatives
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, along
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, greater, minimum, possible, where
from scg.ops.reductions import max, sum

_MOST = 80.0  # log-ratio that only impossible values exceed; its exponential is finite


class LocalExpectation(Estimator):
    """Sum over each coordinate given its Markov blanket: what lies below is kept and reweighted.

    Σ_i Σ_v f(x_{i=v}) q_i(v)/p_i(v) ∇θ p_i(v; θ), with x_{i=v} the sample with coordinate i at the
    value v, p_i(v) the probability of v, and q_i(v) ∝ p_i(v) p(c | x_{i=v}) that given its Markov
    blanket, c the children: n |values| + 1 evaluations for n coordinates. Use it where the nodes
    below should not be sampled again; :class:`RAM` samples them again on the same noise, with
    bounded weights, and is the same estimate where there are none.

    References
    ----------
    Titsias and Lázaro-Gredilla (2015).
    """

    evaluations = "n |values| + 1"
    requires = ("coordinates", "densities below")
    credit = "along"
    formula = "Σᵢ Σᵥ f(x₍ᵢ₌ᵥ₎) qᵢ(v)/pᵢ(v) ∇θ pᵢ(v; θ)"
    symbols = {  # noqa: RUF012
        "v": "a value of the coordinate",
        "q": "the probability of a coordinate's value given its Markov blanket",
    }
    cites = ("titsias2015",)

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the reweighted costs of all alternatives along their probabilities."""
        every = alternatives(dist, draw.value, downstream)
        replay = downstream.alone(every.value, below="kept")
        logp, probs = every.arranged(replay.logp), every.probs
        top = max(where(greater(probs, 0.0), logp, -np.inf), axis=-1, keepdims=True)
        ratio = exp(minimum(logp - top, _MOST))
        ratio = ratio / sum(probs * ratio, axis=-1, keepdims=True)
        cost = possible(every.arranged(replay.cost), probs * ratio)
        return along(ratio * cost, probs)
