"""LAX: a learned function of a reparameterized sample as a control variate."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.latent import network_control
from scg.estimators.protocol import (
    ANY_ORDER,
    Downstream,
    Draw,
    Estimator,
    Memory,
    Sampler,
    sampled_log_prob,
)
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class LAX(Estimator):
    """Score function minus a network of the sample, whose pathwise gradient is added; unbiased.

    (f(x) − c(x)) ∇θ log p(x; θ) + ∇θ c(T(θ, ε)), x = T(θ, ε), with c a network that learns on the
    variance Σ g² of the estimate g, and noise ε: one evaluation. The cost may be a black box. Use
    it for continuous nodes; for discrete ones :class:`RELAX` has the lower variance: here x is then
    the latent z, p(z; θ) its density, and the cost is f(H(z)), H a step or an argmax.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the tanh layers of the network, whose inputs are the sample and all that the
        node directly depends on.

    Notes
    -----
    Where a probability p is a parameter, g is of the size 1/p. Below p = 1e-19 its square is
    infinite in single precision, and `fit` refuses the network's gradient; give logits.

    References
    ----------
    Grathwohl et al. (2018).
    """

    orders = ANY_ORDER
    requires = ("latent density", "fixed support")
    formula = "(f(x) − c(x)) ∇θ log p(x; θ) + ∇θ c(T(θ, ε)), x = T(θ, ε)"
    symbols = {  # noqa: RUF012
        "c": "a learned network"
    }
    cites = ("grathwohl2018",)

    def __init__(self, hidden: tuple[int, ...] = (10,)):
        self.hidden = tuple(hidden)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value whose score is that of the continuous variable behind it."""
        x = dist.sample(noise)
        if dist.supports("latent"):
            z = dist.location() + dist.perturbation(stop(x), noise)
            logp = dist.latent().log_prob(stop(z))
        else:
            z, (logp, _) = x, sampled_log_prob(dist, stop(x), noise)
        return Draw(stop(x), logp=logp, aux={"z": z, "given": stop(z)})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Subtract the network's value at the draw and add its pathwise gradient."""
        return network_control(draw, self.hidden, downstream, memory)
