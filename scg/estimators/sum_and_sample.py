"""Sum and sample: the most probable values exactly, one of the others at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.parts.couplings import spread
from scg.estimators.parts.options import true_baseline
from scg.estimators.parts.signal import learning_signal
from scg.estimators.parts.support import Support
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, greater, where
from scg.ops.gradient import stop
from scg.ops.reductions import plate_sum


class SumAndSample(Estimator):
    """Sum over the K − 1 most probable values, and a sample of the others.

    Σ_{z∈T} (f(z) − b) ∇θ p(z; θ) + (1 − p(T)) (f(v) − b) ∇θ log p(v; θ), with T the K − 1 most
    probable values, v sampled from the rest and b the baseline: K evaluations. It is a conditional
    mean of the score function, so that its variance is at most the score function's. Use it where
    few values have most of the probability, jointly where a node has several variables;
    :class:`UnorderedSet` samples all its values.

    Parameters
    ----------
    samples : int
        K ≥ 1, at most the size of the support. With 1 it is the score function.
    baseline : Baseline, optional
        Subtracted from the cost.

    References
    ----------
    Liu et al. (2019).
    """

    evaluations = "K"
    credit = "weight"
    formula = "Σ_{z∈T} (f(z) − b) ∇θ p(z; θ) + (1 − Σ_{z∈T} p(z)) (f(v) − b) ∇θ log p(v; θ)"
    symbols = {  # noqa: RUF012
        "T": "the most probable values",
        "z": "a value in T",
        "v": "a sample of the other values",
    }
    cites = ("liu2019",)

    def __init__(self, samples: int = 2, baseline: Baseline | None = None):
        self.samples = samples
        self.baseline = true_baseline("SumAndSample", baseline)

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A support of enough values for each element, and what the baseline requires."""
        own = ("listable values", "enough values", "surviving plates")
        return (*own, *(self.baseline.requires if self.baseline else ()))

    def where(self) -> dict[str, Any]:
        return {"b": self.baseline or 0}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Take the most probable values, weighted with p(z), then draw one of weight 1 − p(T)."""
        support, plate = Support(dist), noise.plate(self.samples)
        parts = [support.largest() for _ in range(self.samples - 1)]
        tail = exp(support.rest)
        parts.append(support.search(noise.uniform((support.variables,))))
        x = stop(spread(parts, noise, plate))
        *most, last = support.taken
        drawn = last.open * where(greater(last.logp, -np.inf), tail, last.scale)
        weight = spread([*(p.open * p.scale for p in most), drawn], noise, plate)
        return Draw(x, plate=plate, weight=weight)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the baseline from the cost that the weights' gradients multiply."""
        b = learning_signal(self.baseline, None, False, dist, draw, downstream, memory)
        assert draw.weight is not None
        if b is None or b.shape == ():
            return None if b is None else plate_sum(along(-b, draw.weight), draw.samples)
        return along(-b, dist.log_prob(draw.value, elementwise=True))
