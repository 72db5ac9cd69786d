"""Double control variates: a Taylor expansion on top of the leave-one-out baseline."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.protocol import (
    ANY_ORDER,
    Downstream,
    Draw,
    Estimator,
    Memory,
    at_least,
    control_variate,
)
from scg.ir.expr import Expr
from scg.ops.gradient import stop
from scg.ops.linalg import dot


class DoubleCV(Estimator):
    """Leave-one-out with Taylor expansions of both the own cost and the others' costs.

    Parameters
    ----------
    samples : int
        K ≥ 2. One instance given to several nodes draws K whole paths.
    scale : float, optional
        The factor α of the expansions; without it α is learned on the variance, from 0. An
        expansion subtracted in full is α = −1.

    Notes
    -----
    1/K Σ_k (f(x_k) + α b_k − 1/(K−1) Σ_{j≠k} (f(x_j) + α b_j)) ∇θ log p(x_k; θ) − α ḡ_kᵀ ∇θ μ(θ),
    with b_k = ḡ_kᵀ (x_k − μ) and ḡ_k the mean slope of the cost at the other draws; Titsias and Shi
    (2022, section 3). Slopes are those of a replay with the nodes below at their means, and cost no
    further evaluation where there are none.
    """

    orders = ANY_ORDER
    evaluations = "K"
    requires = ("mean field", "differentiable costs")
    joint = True
    formula = (
        "1/K Σₖ ((f(xₖ) + α bₖ − 1/(K−1) Σⱼ≠ₖ (f(xⱼ) + α bⱼ)) ∇θ log p(xₖ; θ)"
        " − α ḡₖᵀ ∇θ μ(θ)), bₖ = ḡₖᵀ(xₖ − μ), ḡₖ = 1/(K−1) Σⱼ≠ₖ f′(xⱼ)"
    )
    cites = ("titsias2022",)

    def __init__(self, samples: int = 2, scale: float | None = None):
        self.samples = at_least("DoubleCV", samples, 2)
        self.scale = scale

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide."""
        return {"K": self.samples} | ({} if self.scale is None else {"α": self.scale})

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the others' corrected costs and the own expansion, whose gradient is known."""
        assert draw.plate is not None
        alpha: Any = self.scale
        if alpha is None:
            alpha = memory.parameter("alpha", (), lambda rng, shape: np.zeros(shape), "variance")
        slope = downstream.at(draw.value, below="mean").slope
        away = stop(alpha * downstream.others(draw.plate, slope))
        expansion = dot(away, draw.value - stop(dist.mean()))
        a = downstream.others(draw.plate, downstream.cost + expansion) - expansion
        return control_variate(draw, a, correction=-dot(away, dist.mean()))
