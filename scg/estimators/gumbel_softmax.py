"""Gumbel-softmax: a draw is replaced by a smooth point near it, or differentiated like one."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ir.expr import Expr
from scg.ops.gradient import graft, stop


class GumbelSoftmax(Estimator):
    """The Concrete relaxation of binary values and one-hot vectors; biased.

    Parameters
    ----------
    temperature : float or callable
        τ > 0, or a schedule: a function of the number of calls made, in NumPy notation.
    hard : bool
        Draw the discrete value and differentiate it as if it were the relaxed one
        (straight-through Gumbel-softmax). Else the relaxed value takes the draw's place, so that
        the cost is that of another model.
    learn : bool
        Let τ be an own parameter that learns on the objective, from `temperature` on.
    allow_biased : bool
        Do not warn.

    Notes
    -----
    f′(y) ∇θ y(θ, ε) at y = softmax((log p + Gumbel)/τ), for binary values σ((logits + logistic)/τ);
    Jang et al. (2017, eq. 2), Maddison et al. (2017, eqs. 10 and 24). Hard: f′(x) ∇θ y(θ, ε).
    """

    unbiased = False
    orders = 0
    requires = ("relaxation", "differentiable costs")
    credit = "pathwise"
    formula = "f′(h)ᵀ ∇θ y(θ, ε), y(θ, ε) = softmax((log p(θ) + ε)/τ)"
    cites = ("jang2017", "maddison2017")

    def __init__(
        self,
        temperature: Temperature = 0.5,
        hard: bool = False,
        *,
        learn: bool = False,
        allow_biased: bool = False,
    ):
        self.temperature = checked("GumbelSoftmax", temperature, learn)
        self.hard = hard
        self.learn = learn
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide."""
        tau = {} if self.learn else {"τ": self.temperature}
        return {"h": "x" if self.hard else "y", **tau}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the relaxed value, or the discrete one with the derivative of the relaxed."""
        tau = temperature_of(self.temperature, "objective" if self.learn else None, noise.memory)
        x = stop(dist.sample(noise))
        z = dist.location() + dist.perturbation(x, noise)
        soft = dist.relax(z, tau)
        return Draw(straight(x, soft) if self.hard else soft)


def straight(x: Expr, soft: Expr) -> Expr:
    """Return the value `x` with the derivative of `soft`."""
    return graft(x, soft)
