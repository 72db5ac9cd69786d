"""A learned predictor of the unbiased estimate from a biased one."""

from __future__ import annotations

import numpy as np

from scg.common.arguments import Fraction
from scg.distributions.base import Distribution
from scg.estimators.baselines.optimal import PerUnit
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, along
from scg.ir.expr import Expr
from scg.ops.elementwise import square
from scg.ops.gradient import stop
from scg.ops.reductions import sum


class GradientPredictor(Estimator):
    """Learned prediction of the unbiased estimate, for binary units; biased until it has learned.

    Σ_i (w_i0 + w_i1 g_i μ_i (1 − μ_i) + w_i2 x_i) ∇θ α_i(θ), with the slope g = f′(x), the means μ,
    the logits α, and weights w that learn by least squares to predict (x_i − μ_i)(f(x) − b_i), b
    the baseline :class:`~scg.baselines.PerUnit`: one evaluation and its slope, with the nodes below
    at their means. w starts as (0, 1, 0), which is straight-through. Because of w_i0 a prediction
    that has converged has the mean of the unbiased estimate, and less variance. For stationary
    problems of binary units and smooth costs; the bias returns whenever parameters move.

    Parameters
    ----------
    decay : float
        Weight of the past in the baseline of the unbiased estimate.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Bengio (2013); Bengio, Léonard and Courville (2013).
    """

    unbiased = False
    orders = 0
    requires = ("binary values", "mean field", "differentiable costs")
    credit = "along"
    formula = "Σᵢ (wᵢ₀ + wᵢ₁ gᵢ μᵢ (1 − μᵢ) + wᵢ₂ xᵢ) ∇θ αᵢ(θ), g = f′(x)"
    symbols = {  # noqa: RUF012
        "w": "weights that are learned by least squares"
    }
    cites = ("bengio2013",)

    def __init__(self, decay: Fraction = 0.9, *, allow_biased: bool = False):
        self.decay = decay
        self.allow_biased = allow_biased

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the prediction, and learn it by least squares."""
        x, mu, unit = draw.value, stop(dist.mean()), downstream.unit
        cost = stop(downstream.cost)
        b = PerUnit(self.decay).value(cost, dist, draw, downstream, memory)
        target = (x - mu) * (cost - stop(b)) * unit
        slope = stop(downstream.at(x, below="mean").slope)
        features = np.stack([1.0 + 0.0 * x, slope * unit * mu * (1.0 - mu), x], axis=-1)
        weights = memory.parameter("w", (*x.shape, 3), _straight_through)
        prediction = sum(weights * features, axis=-1)
        memory.loss(downstream.average(sum(square(prediction - target))))
        return along(prediction / unit, dist.location())


def _straight_through(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to([0.0, 1.0, 0.0], shape).copy()
