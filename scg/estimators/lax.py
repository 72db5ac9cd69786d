"""LAX: a learned function of a reparameterized draw as a control variate."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.latent import network_control
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, Sampler
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class LAX(Estimator):
    """Score function of a continuous draw minus a network of it, whose pathwise gradient is added.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the tanh layers of the network, which sees the draw and what the node directly
        depends on.

    Notes
    -----
    (f(x) − c_φ(x)) ∇θ log p(x; θ) + ∇θ c_φ(x(θ, ε)); Grathwohl et al. (2018, eq. 5). The cost may
    be a black box. For a discrete node x is its latent z, log p(z; θ) the density of the latent,
    and the cost is f(H(z)); RELAX has the lower variance there. φ learns on Σ g².
    """

    orders = ANY_ORDER
    requires = ("latent density",)
    formula = "(f(x) − c(x)) ∇θ log p(x; θ) + ∇θ c(T(θ, ε)), x = T(θ, ε)"
    cites = ("grathwohl2018",)

    def __init__(self, hidden: tuple[int, ...] = (10,)):
        self.hidden = tuple(hidden)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value; the credit is that of the continuous variable behind it."""
        x = dist.sample(noise)
        if dist.supports("latent"):
            z, law = dist.location() + dist.perturbation(stop(x), noise), dist.latent()
        else:
            z, law = x, dist
        return Draw(stop(x), logp=law.log_prob(stop(z)), aux={"z": z, "given": stop(z)})

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the network's value at the draw and add its pathwise gradient."""
        return network_control(draw, self.hidden, downstream, memory)
