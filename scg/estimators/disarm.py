"""DisARM: an antithetic pair whose augmenting uniform is integrated out."""

from __future__ import annotations

from typing import Any

from scg.estimators.parts.couplings import Given, antithetic
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import maximum
from scg.ops.gradient import stop


class DisARM(Estimator):
    """Two antithetic draws of binary values, credited where they differ (also U2G).

    Notes
    -----
    With the logit α: 1/2 (f(b) − f(b̃)) (−1)^b̃ 1[b ≠ b̃] σ(|α|); Dong, Mnih and Tucker (2020),
    Yin et al. (2020). It is ARM's mean given the pair, so that its variance is at most
    ARM's. Nodes of one layer that are given one instance share a pair; layers nest.
    """

    evaluations = "2"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    samples = 2
    formula = "1/2 (f(b) − f(b̃)) ((−1)^b̃ 1[b ≠ b̃] σ(|α|))ᵀ ∇θ α(θ)"
    cites = ("dong2020", "yin2020")

    def draw(self, dist: Any, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for the pair u, 1 − u."""
        plate = noise.plate(2)
        u = antithetic(noise, plate, dist.shape)
        return Draw(stop(dist.sample(Given(u))), plate=plate)

    def term(self, dist: Any, draw: Draw, downstream: Downstream, memory: Memory) -> Expr | None:
        """Inject the difference to the twin, times σ(|α|), along log p of each draw.

        The derivatives of log p are b − p and b̃ − p: they cancel where the twins agree.
        """
        assert draw.plate is not None
        weight = maximum(dist.probs, 1.0 - dist.probs)
        signal = weight * (downstream.cost - downstream.others(draw.plate))
        return along(signal, dist.log_prob(draw.value, elementwise=True))
