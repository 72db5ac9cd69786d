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
from scg.ops.elementwise import equal, where
from scg.ops.gradient import stop
from scg.ops.powers import ratio
from scg.ops.reductions import plate_sum


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
        scale = where(equal(drawn, 0.0), 1.0, ratio(tail, drawn))
        weight = spread([*support.open[:-1], support.open[-1] * scale], noise, plate)
        return Draw(x, plate=plate, weight=weight)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the baseline from the cost that the weights' gradients multiply."""
        b = learning_signal(self.baseline, None, False, dist, draw, downstream, memory)
        assert draw.plate is not None and draw.weight is not None
        if b is None or b.shape == ():
            return None if b is None else plate_sum(along(-b, draw.weight), draw.plate)
        return along(-b, dist.log_prob(draw.value, elementwise=True))
