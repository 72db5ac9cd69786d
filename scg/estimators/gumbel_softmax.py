"""Gumbel-softmax: a sample is replaced by a smooth point near it, or differentiated like one."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ops.gradient import graft, stop


class GumbelSoftmax(Estimator):
    """Concrete relaxation of binary values and one-hot vectors; biased.

    f′(h)ᵀ ∇θ y(θ, ε), y(θ, ε) = softmax((log p(θ) + ε)/τ), with the temperature τ, Gumbel variables
    ε and h = y; for binary values y = σ((logits + logistic)/τ). One evaluation and its slope. Use
    it for smooth costs where a biased gradient of low variance will do. By default the cost is that
    of another model, in which y replaces the sample x; with ``hard=True`` h = x (straight-through
    Gumbel-softmax). :class:`REBAR` removes the bias of the same relaxation.

    Parameters
    ----------
    temperature : float or callable
        τ > 0, or a schedule: a function of the number of calls made, in NumPy notation.
    hard : bool
        Sample the discrete value and differentiate it as if it were the relaxed one.
    learn : bool
        Learn τ on the objective, starting from `temperature`.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Jang et al. (2017); Maddison et al. (2017).
    """

    unbiased = False
    orders = 0
    requires = ("relaxation", "differentiable costs")
    credit = "pathwise"
    formula = "f′(h)ᵀ ∇θ y(θ, ε), y(θ, ε) = softmax((log p(θ) + ε)/τ)"
    symbols = {  # noqa: RUF012
        "ε": "Gumbel noise",
        "h": "what the costs are computed from",
    }
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
        tau = {} if self.learn else {"τ": self.temperature}
        return {"h": "x" if self.hard else "y", **tau}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the relaxed value, or the discrete one with the derivative of the relaxed."""
        tau = temperature_of(self.temperature, "objective" if self.learn else None, noise.memory)
        x = stop(dist.sample(noise))
        z = dist.location() + dist.perturbation(x, noise)
        soft = dist.relax(z, tau)
        return Draw(graft(x, soft) if self.hard else soft)
