"""RELAX: REBAR with a free-form control variate, learned on the variance."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.latent import latent_draw, network_control, relaxed_control
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, Route, Sampler
from scg.ir.expr import Expr


class RELAX(Estimator):
    """Score function minus a learned function of the latent given the draw, corrected.

    Parameters
    ----------
    temperature : float, callable or None
        τ > 0 of the relaxation that the cost is evaluated at: where learning starts, or a
        schedule. With None the network is the whole control variate, and the cost may be a black
        box.
    hidden : tuple of int
        Widths of the tanh layers of the network, which sees the latent and what the node directly
        depends on.
    learn : bool
        Let τ learn with the network; a schedule is followed.
    coupled : bool
        Let z̃ have the value of z; by default its noise is independent, as in the paper.

    Notes
    -----
    (f(x) − c_φ(z̃)) ∇θ log p(x; θ) + ∇θ c_φ(z) − ∇θ c_φ(z̃), with c_φ(z) = f(softmax(z/τ)) +
    r_φ(z) and the latents of REBAR; Grathwohl et al. (2018, eq. 8). φ and τ learn on Σ g², the
    variance of the estimate up to a constant.
    """

    orders = ANY_ORDER
    formula = "(f(x) − c(z̃)) ∇θ log p(x; θ) + ∇θ (c(z(θ)) − c(z̃(θ)))"
    cites = ("grathwohl2018",)

    def __init__(
        self,
        temperature: Temperature | None = 0.5,
        hidden: tuple[int, ...] = (10,),
        *,
        learn: bool = True,
        coupled: bool = False,
    ):
        self.temperature = None if temperature is None else checked("RELAX", temperature)
        self.hidden = tuple(hidden)
        self.learn = learn
        self.coupled = coupled

    @property
    def evaluations(self) -> str:  # type: ignore[override]
        """Two relaxed evaluations beside the draw's, if there are any."""
        return "1" if self.temperature is None else "3"

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A latent; and a cost with a slope where it is relaxed."""
        relaxed = ("smooth relaxations", "differentiable costs")
        return ("relaxation", *(() if self.temperature is None else relaxed))

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide."""
        if self.temperature is None:
            return {"c(z)": "r(z)"}
        return {"c(z)": "f(softmax(z/τ)) + r(z)"} | ({} if self.learn else {"τ": self.temperature})

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value and the two latents."""
        return latent_draw(dist, noise, self.coupled)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> dict[Route, Expr]:
        """Subtract the control variate given the draw; correct by both latents."""
        terms = {}
        if self.temperature is not None:
            tau = temperature_of(self.temperature, "variance" if self.learn else None, memory)
            terms = relaxed_control(dist, draw, downstream, tau, 1.0)
        return {**terms, downstream.own: network_control(draw, self.hidden, downstream, memory)}
