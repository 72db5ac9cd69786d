"""The estimator of deep autoregressive networks."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import graft, stop
from scg.ops.shape import np_reshape


class DARN(Estimator):
    """Score function whose learning signal is linearised at the sample, unit by unit; biased.

    Σ_i g_i (x_i − x̄_i) ∇θ log p_i(x_i; θ) over the units i, with g = f′(x), x̄ = 1/2 for binary
    values and 1/C for one-hot vectors of C classes: one evaluation and its slope. It is the score
    function with the baseline f(x) + gᵀ(x̄ − x) ≈ f(x̄), which depends on the sample. For binary
    values it is exact where the cost is quadratic in each of them. For smooth costs; MuProp expands
    at the mean instead, and is unbiased.

    Parameters
    ----------
    allow_biased : bool
        Do not warn.

    References
    ----------
    Gregor et al. (2014).
    """

    unbiased = False
    orders = 0
    requires = ("coordinates", "differentiable costs")
    credit = "pathwise"
    formula = "Σᵢ gᵢ (xᵢ − x̄ᵢ) ∇θ log pᵢ(xᵢ; θ), g = f′(x)"
    symbols = {  # noqa: RUF012
        "x̄": "1/2 for binary values, 1/C for C classes"
    }
    cites = ("gregor2014",)

    def __init__(self, *, allow_biased: bool = False):
        self.allow_biased = allow_biased

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the discrete value with the derivative of (x − x̄) log p(x) of each unit."""
        x = stop(dist.sample(noise))
        centre = np.mean(dist.coordinate_values(), axis=0)
        logp = dist.log_prob(x, elementwise=True)
        logp = np_reshape(logp, (*logp.shape, *(1 for _ in x.shape[len(logp.shape) :])))
        return Draw(graft(x, (x - centre) * logp))
