"""ARM: augment, REINFORCE, merge."""

from __future__ import annotations

from typing import Any

from scg.estimators.parts.couplings import Given, antithetic
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class ARM(Estimator):
    """Two antithetic draws of binary values, weighted with the uniform that they share.

    Notes
    -----
    With the logit α and u uniform: (f(1[u > σ(−α)]) − f(1[u < σ(α)])) (u − 1/2); Yin and Zhou
    (2019). In the protocol each draw of the pair contributes f(bᵢ) (1 − 2uᵢ) with weight
    1/2, where u₁ = u and u₂ = 1 − u. Nodes of one layer that are given one instance share a pair.
    """

    evaluations = "2"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    samples = 2
    formula = "(f(1[u > σ(−α)]) − f(1[u < σ(α)])) (u − 1/2)ᵀ ∇θ α(θ)"
    cites = ("yin2019",)

    def draw(self, dist: Any, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for the pair u, 1 − u."""
        plate = noise.plate(2)
        u = antithetic(noise, plate, dist.shape)
        return Draw(stop(dist.sample(Given(u))), plate=plate, aux={"u": u})

    def term(self, dist: Any, draw: Draw, downstream: Downstream, memory: Memory) -> Expr | None:
        """Inject f(bᵢ) (1 − 2uᵢ) along the logit, as a difference: exactly 0 where twins agree."""
        assert draw.plate is not None
        difference = 0.5 * (downstream.cost - downstream.others(draw.plate))
        return along(difference * (1.0 - 2.0 * draw.aux["u"]), dist.location())
