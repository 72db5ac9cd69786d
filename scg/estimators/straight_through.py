"""Straight-through: the derivative of a hard draw is taken to be that of its mean."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.base import Draw, Estimator, Sampler
from scg.ops.gradient import stop


class StraightThrough(Estimator):
    """Back-propagate through the draw as if it were the mean; biased.

    Parameters
    ----------
    allow_biased : bool
        Do not warn.

    Notes
    -----
    f′(x) ∇θ μ(θ), with the derivative of the mean; Bengio, Léonard and Courville (2013, sec. 4).
    """

    unbiased = False
    orders = 0
    requires = ("mean", "differentiable costs")
    credit = "pathwise"
    formula = "f′(x)ᵀ ∇θ μ(θ)"
    cites = ("bengio2013",)

    def __init__(self, *, allow_biased: bool = False):
        self.allow_biased = allow_biased

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a value with the derivative of the mean."""
        mean = dist.mean()
        return Draw(stop(dist.sample(noise)) + mean - stop(mean))
