"""Stratified sampling: one sample from each of K slices of the CDF."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.parts.options import true_baseline
from scg.estimators.parts.signal import learning_signal
from scg.estimators.parts.support import Support
from scg.estimators.protocol import (
    ANY_ORDER,
    Downstream,
    Draw,
    Estimator,
    Memory,
    Sampler,
    control_variate,
)
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class Stratified(Estimator):
    """Score function on K samples, the i-th one from the i-th of K slices of the CDF.

    1/K Σ_i (f(x_i) − b) ∇θ log p(x_i; θ), x_i = F⁻¹((i − 1 + u_i)/K), with F the CDF over the whole
    support, u_i uniform on (0, 1) and b the baseline: K evaluations. Its variance is at most that
    of K independent samples. Use it for small ordered supports. The mean cost of the other samples
    is not a baseline for it: a stratum does not have the node's distribution.

    Parameters
    ----------
    samples : int
        K ≥ 1, the number of strata.
    baseline : Baseline, optional
        Subtracted from the cost.

    References
    ----------
    Owen (2013), chapter 8.
    """

    orders = ANY_ORDER
    evaluations = "K"
    formula = "1/K Σᵢ (f(xᵢ) − b) ∇θ log p(xᵢ; θ), xᵢ = F⁻¹((i + uᵢ)/K)"
    symbols = {  # noqa: RUF012
        "F": "the CDF",
        "i": "the number of the slice, from 0",
    }
    cites = ("owen2013",)

    def __init__(self, samples: int = 2, baseline: Baseline | None = None):
        self.samples = samples
        self.baseline = true_baseline("Stratified", baseline)

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A finite support for each element, and what the baseline requires."""
        own = ("finite support", "surviving plates")
        return (*own, *(self.baseline.requires if self.baseline else ()))

    def where(self) -> dict[str, Any]:
        return {"K": self.samples, "b": self.baseline or 0}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw one value in each stratum."""
        plate = noise.plate(self.samples)
        start = noise.constant(np.arange(self.samples) / self.samples, plate)
        u = start + noise.on(plate).uniform((1,)) / float(self.samples)
        x = stop(Support(dist, whole=True).search(u))
        elements = dist.log_prob(x, elementwise=True)
        return Draw(x, logp=dist.log_prob(x), plate=plate, aux={"elements": elements})

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the baseline."""
        b = learning_signal(self.baseline, None, False, dist, draw, downstream, memory)
        return None if b is None else control_variate(draw, b)
