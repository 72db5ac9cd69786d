"""ARMS: several mutually antithetic samples of binary values."""

from __future__ import annotations

from scg.distributions.protocols import Binary
from scg.estimators.parts.couplings import Given, copula_named, rarer_first, upside_down
from scg.estimators.parts.options import at_least
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import maximum, minimum
from scg.ops.gradient import stop
from scg.ops.powers import ratio


class ARMS(Estimator):
    """Leave-one-out on K binary samples that a copula keeps apart, with an importance weight.

    1/K Σ_i (f(b_i) − 1/(K−1) Σ_{j≠i} f(b_j)) (w (b_i − p))ᵀ ∇θ α(θ), with the logits α, p = σ(α),
    w = p (1 − p)/(m − C(m, m)), m = min(p, 1 − p), and C the joint CDF of two of the uniforms: K
    evaluations. Use it where :class:`DisARM`, the case K = 2, can be given more samples; unlike
    :class:`LeaveOneOut`, whose samples are independent, it needs binary values.

    Parameters
    ----------
    samples : int
        K ≥ 2. Nodes of one layer that are given one instance share the samples.
    copula : {"dirichlet", "gaussian", "independent"}
        Joint distribution of the K uniforms. The Dirichlet copula is reflected for p > 1/2.

    References
    ----------
    Dimitriev and Zhou (2021), *ARMS*.
    """

    evaluations = "K"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    formula = (
        "1/K Σᵢ (f(bᵢ) − 1/(K−1) Σⱼ≠ᵢ f(bⱼ)) (w (bᵢ − μ))ᵀ ∇θ α(θ),"
        " w = (μ (1 − μ))/(m − C(m, m)), m = min(μ, 1 − μ)"
    )
    symbols = {  # noqa: RUF012
        "b": "the sample",
        "C": "the joint CDF of two of the coupled uniforms",
    }
    cites = ("dimitriev2021arms",)

    def __init__(self, samples: int = 4, copula: str = "dirichlet"):
        self.samples = at_least("ARMS", samples, 2)
        copula_named("ARMS", copula)
        self.copula = copula

    def draw(self, dist: Binary, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for coupled uniforms."""
        coupling = copula_named("ARMS", self.copula)
        plate = noise.plate(self.samples)
        coupled = u = coupling.uniforms(noise, plate, dist.shape)
        flip = rarer_first(coupling, dist.probs, 0.5, self.samples)
        u = u if flip is None else upside_down(u, flip)
        x = stop(dist.sample(Given(u)))
        return Draw(x, plate=plate, coupling=(coupled, coupling))

    def term(self, dist: Binary, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the weighted difference to the other samples along log p of each sample."""
        p, q = dist.prob_elementwise(1.0), dist.prob_elementwise(0.0)
        m = minimum(p, q)
        both = copula_named("ARMS", self.copula).cdf(m, m, self.samples)
        weight = maximum(p, q) / (1.0 - ratio(both, m))
        signal = weight * (downstream.cost - downstream.others(draw.samples))
        return along(signal, dist.log_prob(draw.value, elementwise=True))
