"""ARM: augment, REINFORCE, merge."""

from __future__ import annotations

from scg.distributions.protocols import Binary
from scg.estimators.parts.couplings import Given, antithetic
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class ARM(Estimator):
    """Two antithetic samples of binary values, weighted with the uniform that they share.

    (f(1[u > σ(−α)]) − f(1[u < σ(α)])) (u − 1/2)ᵀ ∇θ α(θ), with the logits α and u uniform on
    (0, 1): two evaluations. Prefer :class:`DisARM`, its mean given the two samples, whose variance
    is never larger; ARM is here for comparison. Nodes of one layer that are given one instance
    share the pair. Unlike :class:`LeaveOneOut` with two samples it needs binary values.

    References
    ----------
    Yin and Zhou (2019).
    """

    evaluations = "2"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    samples = 2
    formula = "(f(1[u > σ(−α)]) − f(1[u < σ(α)])) (u − 1/2)ᵀ ∇θ α(θ)"
    cites = ("yin2019",)

    def draw(self, dist: Binary, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for the pair u, 1 − u."""
        plate = noise.plate(2)
        u = antithetic(noise, plate, dist.shape)
        return Draw(stop(dist.sample(Given(u))), plate=plate, aux={"u": u})

    def term(self, dist: Binary, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject f(bᵢ) (1 − 2uᵢ) along the logits, as a difference: exactly 0 where f₁ = f₂."""
        difference = 0.5 * (downstream.cost - downstream.others(draw.samples))
        return along(difference * (1.0 - 2.0 * draw.aux["u"]), dist.location())
