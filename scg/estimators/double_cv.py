"""Double control variates: a Taylor expansion on top of the leave-one-out baseline."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.parts.options import at_least
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, control_variate
from scg.ir.expr import Expr
from scg.ops.gradient import stop
from scg.ops.linalg import dot


class DoubleCV(Estimator):
    """Leave-one-out with Taylor expansions of both the own cost and the others' costs.

    1/K Σ_k (f(x_k) + α b_k − 1/(K−1) Σ_{j≠k} (f(x_j) + α b_j)) ∇θ log p(x_k; θ) − α ḡ_kᵀ ∇θ μ(θ),
    with b_k = ḡ_kᵀ (x_k − μ) and ḡ_k the mean slope of the cost at the other samples: K evaluations
    and their slopes, plus K of replays with the nodes below at their means, if there are any. Use
    it where the cost has a slope and several samples are affordable; with one sample use
    :class:`MuProp`.

    Parameters
    ----------
    samples : int
        K ≥ 2. Nodes that are given one instance are sampled jointly, K whole paths.
    scale : float, optional
        The factor α; an expansion subtracted in full is α = −1. Without it α is learned on the
        variance of the estimate, from 0.

    References
    ----------
    Titsias and Shi (2022).
    """

    orders = ANY_ORDER
    evaluations = "K"
    requires = ("mean field", "differentiable costs", "fixed support")
    joint = True
    formula = (
        "1/K Σₖ ((f(xₖ) + α bₖ − 1/(K−1) Σⱼ≠ₖ (f(xⱼ) + α bⱼ)) ∇θ log p(xₖ; θ)"
        " − α ḡₖᵀ ∇θ μ(θ)), bₖ = ḡₖᵀ(xₖ − μ), ḡₖ = 1/(K−1) Σⱼ≠ₖ f′(xⱼ)"
    )
    symbols = {  # noqa: RUF012
        "α": "the scale, which is learned unless it is given"
    }
    cites = ("titsias2022",)

    def __init__(self, samples: int = 2, scale: float | None = None):
        self.samples = at_least("DoubleCV", samples, 2)
        self.scale = scale

    def where(self) -> dict[str, Any]:
        return {"K": self.samples} | ({} if self.scale is None else {"α": self.scale})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Subtract the others' corrected costs and the own expansion, whose gradient is known."""
        alpha: Any = self.scale
        if alpha is None:
            alpha = memory.parameter("alpha", (), lambda rng, shape: np.zeros(shape), "variance")
        slope = downstream.at(draw.value, below="mean").slope
        away = stop(alpha * downstream.others(draw.samples, slope))
        expansion = dot(away, draw.value - stop(dist.mean()))
        a = downstream.others(draw.samples, downstream.cost + expansion) - expansion
        return control_variate(draw, a, correction=-dot(away, dist.mean()))
