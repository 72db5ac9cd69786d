"""REBAR: the cost of the relaxed draw as a control variate that its own gradient corrects."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.parts.latent import latent_draw, relaxed_control
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, Route, Sampler
from scg.ir.expr import Expr


class REBAR(Estimator):
    """Score function minus the cost at a relaxation given the sample, corrected.

    (f(x) − η f(y(z̃))) ∇θ log p(x; θ) + η ∇θ (f(y(z(θ))) − f(y(z̃(θ)))), y(z) = softmax(z/τ), with
    the latent z = log p + Gumbel (for binary values log p − log(1 − p) + logistic), its copy z̃
    given x, the temperature τ and scale η: three evaluations, two of them relaxed. Use it for
    discrete nodes and smooth costs; where the cost is a black box use :class:`RELAX`. The nodes
    below are relaxed on their own noise. :class:`GumbelSoftmax` is the relaxation alone, and
    biased.

    Parameters
    ----------
    temperature : float or callable
        τ > 0: fixed, where learning starts, or a schedule: a function of the number of calls made,
        in NumPy notation.
    scale : float
        η at first.
    learn : bool
        Learn η (and τ, unless it is scheduled) on the variance of the estimate, which is unbiased
        whatever they are.
    coupled : bool
        z̃ has the value of z, as in the authors' code; else its noise is independent.

    References
    ----------
    Tucker et al. (2017).
    """

    orders = ANY_ORDER
    evaluations = "3"
    requires = ("relaxation", "smooth relaxations", "differentiable costs")
    formula = (
        "(f(x) − η f(y(z̃))) ∇θ log p(x; θ) + η ∇θ (f(y(z(θ))) − f(y(z̃(θ)))), y(z) = softmax(z/τ)"
    )
    symbols = {  # noqa: RUF012
        "η": "the scale, which is learned unless learn=False",
        "z": "the latent, of which x is the class or the sign",
        "z̃": "the latent sampled given x",
    }
    cites = ("tucker2017",)

    def __init__(
        self,
        temperature: Temperature = 0.5,
        scale: float = 1.0,
        *,
        learn: bool = True,
        coupled: bool = True,
    ):
        self.temperature = checked("REBAR", temperature)
        self.scale = scale
        self.learn = learn
        self.coupled = coupled

    def where(self) -> dict[str, Any]:
        return {} if self.learn else {"τ": self.temperature, "η": self.scale}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value and the two latents."""
        return latent_draw(dist, noise, self.coupled)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> dict[Route, Expr]:
        """Subtract the cost at the relaxation given the sample; correct by both relaxations."""
        tau = temperature_of(self.temperature, "variance" if self.learn else None, memory)
        eta: Expr | float = self.scale
        if self.learn:
            eta = memory.parameter(
                "eta", (), lambda rng, shape: np.full(shape, self.scale), learn="variance"
            )
        return relaxed_control(dist, draw, downstream, tau, eta)
