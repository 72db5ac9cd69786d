"""ARMS: several mutually antithetic draws of binary values."""

from __future__ import annotations

from typing import Any

from scg.estimators.parts.couplings import Given, copula_named, rarer_first, upside_down
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along, at_least
from scg.ir.expr import Expr
from scg.ops.elementwise import maximum, minimum
from scg.ops.gradient import stop
from scg.ops.powers import ratio


class ARMS(Estimator):
    """Leave-one-out on K draws that a copula keeps apart, with an importance weight.

    Parameters
    ----------
    samples : int
        K ≥ 2, the number of draws. Nodes of one layer that are given one instance share them.
    copula : {"dirichlet", "gaussian", "independent"}
        The joint law of the K uniforms; with independent ones it is leave-one-out.

    Notes
    -----
    pq/(m − C(m, m)) · 1/K Σ_i (f(b_i) − 1/(K−1) Σ_{j≠i} f(b_j)) (b_i − p), with q = 1 − p,
    m = min(p, q) and C the joint CDF of two of the uniforms; Dimitriev and Zhou (2021).
    As there, the Dirichlet copula is turned round for p > 1/2. Two draws give DisARM.
    """

    evaluations = "K"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    formula = (
        "1/K Σᵢ (f(bᵢ) − 1/(K−1) Σⱼ≠ᵢ f(bⱼ)) (w (bᵢ − μ))ᵀ ∇θ α(θ),"
        " w = (μ (1 − μ))/(m − C(m, m)), m = min(μ, 1 − μ)"
    )
    cites = ("dimitriev2021arms",)

    def __init__(self, samples: int = 4, copula: str = "dirichlet"):
        self.samples = at_least("ARMS", samples, 2)
        copula_named("ARMS", copula)
        self.copula = copula

    def draw(self, dist: Any, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for coupled uniforms."""
        coupling = copula_named("ARMS", self.copula)
        plate = noise.plate(self.samples)
        coupled = u = coupling.uniforms(noise, plate, dist.shape)
        flip = rarer_first(coupling, dist.probs, 0.5, self.samples)
        u = u if flip is None else upside_down(u, flip)
        x = stop(dist.sample(Given(u)))
        return Draw(x, plate=plate, coupling=(coupled, coupling))

    def term(self, dist: Any, draw: Draw, downstream: Downstream, memory: Memory) -> Expr | None:
        """Inject the weighted difference to the other draws along log p of each draw."""
        assert draw.plate is not None
        p, q = dist.prob_elementwise(1.0), dist.prob_elementwise(0.0)
        m = minimum(p, q)
        both = copula_named("ARMS", self.copula).cdf(m, m, self.samples)
        weight = maximum(p, q) / (1.0 - ratio(both, m))
        signal = weight * (downstream.cost - downstream.others(draw.plate))
        return along(signal, dist.log_prob(draw.value, elementwise=True))
