"""RELAX: REBAR with a free-form control variate, learned on the variance."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.latent import latent_draw, network_control, relaxed_control
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, Route, Sampler
from scg.ir.expr import Expr


class RELAX(Estimator):
    """Score function minus a learned function of the latent given the sample, corrected.

    (f(x) − c(z̃)) ∇θ log p(x; θ) + ∇θ (c(z(θ)) − c(z̃(θ))), with c(z) = f(softmax(z/τ)) + r(z), r a
    network, τ the temperature and z, z̃ the latents of :class:`REBAR`: three evaluations, two of
    them relaxed, or one if r is the whole of c. r and τ learn on Σ g², the variance of the estimate
    g up to a constant. Use it where REBAR's relaxation is too far from the cost, or for a black
    box.

    Parameters
    ----------
    temperature : float, callable or None
        τ > 0: where learning starts, or a schedule. With None c = r, and the cost may be a black
        box.
    hidden : tuple of int
        Widths of the tanh layers of r, whose inputs are the latent and all that the node directly
        depends on.
    learn : bool
        Learn τ with the network; a schedule is followed.
    coupled : bool
        z̃ has the value of z; by default its noise is independent, as in the paper.

    Notes
    -----
    Where a probability p is a parameter, g is of the size 1/p. Below p = 1e-19 its square is
    infinite in single precision, and `fit` refuses the network's gradient; give logits.

    References
    ----------
    Grathwohl et al. (2018).
    """

    orders = ANY_ORDER
    formula = "(f(x) − c(z̃)) ∇θ log p(x; θ) + ∇θ (c(z(θ)) − c(z̃(θ)))"
    symbols = {  # noqa: RUF012
        "c": "the learned control variate",
        "z": "the latent, of which x is the class or the sign",
        "z̃": "the latent sampled given x",
    }
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
        """The sample's evaluation, and two relaxed ones if there are any."""
        return "1" if self.temperature is None else "3"

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A latent, and a cost with a slope where it is relaxed."""
        relaxed = ("smooth relaxations", "differentiable costs")
        return ("relaxation", *(() if self.temperature is None else relaxed))

    def where(self) -> dict[str, Any]:
        if self.temperature is None:
            return {"c(z)": "r(z)"}
        return {"c(z)": "f(softmax(z/τ)) + r(z)"} | ({} if self.learn else {"τ": self.temperature})

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value and the two latents."""
        return latent_draw(dist, noise, self.coupled)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> dict[Route, Expr]:
        """Subtract the control variate given the sample; correct by both latents."""
        terms = {}
        if self.temperature is not None:
            tau = temperature_of(self.temperature, "variance" if self.learn else None, memory)
            terms = relaxed_control(dist, draw, downstream, tau, 1.0)
        return {**terms, downstream.own: network_control(draw, self.hidden, downstream, memory)}
