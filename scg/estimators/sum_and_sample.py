"""Sum and sample: the most probable values exactly, one of the others at random."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.parts.couplings import spread
from scg.estimators.parts.signal import learning_signal
from scg.estimators.parts.support import Support
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, greater, where
from scg.ops.gradient import stop


class SumAndSample(Estimator):
    """Sum over the K − 1 most probable values and draw one of the others.

    Parameters
    ----------
    samples : int
        K ≥ 1, the evaluations; at most the size of the support. With 1 it is the score function.
    baseline : Baseline, optional
        Subtracted from the cost.

    Notes
    -----
    Σ_{z∈T} (f(z) − b) ∇p(z) + (1 − p(T)) (f(v) − b) ∇ log p(v), with T the K − 1 most probable
    values and v drawn from the rest; Liu et al. (2019). It is a conditional mean of the
    score function, so that its variance is at most the score function's.
    """

    evaluations = "K"
    credit = "weight"
    formula = "Σ_{z∈T} (f(z) − b) ∇θ p(z; θ) + (1 − Σ_{z∈T} p(z)) (f(v) − b) ∇θ log p(v; θ)"
    cites = ("liu2019",)

    def __init__(self, samples: int = 2, baseline: Baseline | None = None):
        self.samples = samples
        self.baseline = baseline

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A support with enough values, each element's on its own, and what the baseline needs."""
        own = ("finite support", "enough values", "surviving plates")
        return (*own, *(self.baseline.requires if self.baseline else ()))

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide."""
        return {"b": self.baseline or 0}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Take the most probable values, then draw one; weights are p(z) and, for it, 1 − p(T)."""
        support, plate = Support(dist), noise.plate(self.samples)
        parts = [support.largest() for _ in range(self.samples - 1)]
        tail = support.rest
        x = stop(spread([*parts, support.search(noise.uniform((1,)))], noise, plate))
        drawn = support.taken[-1]
        ratio = tail / where(greater(drawn, 0.0), drawn, 1.0)
        scale = spread([1.0] * len(parts) + [ratio], noise, plate)
        return Draw(x, plate=plate, weight=exp(dist.log_prob(x)) * stop(scale))

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the baseline from the cost that the weights' gradients multiply."""
        b = learning_signal(self.baseline, None, False, dist, draw, downstream, memory)
        return None if b is None else along(-b, dist.log_prob(draw.value))
