"""DisARM: an antithetic pair whose augmenting uniform is integrated out."""

from __future__ import annotations

from scg.distributions.protocols import Binary
from scg.estimators.parts.couplings import Given, antithetic
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import maximum
from scg.ops.gradient import stop


class DisARM(Estimator):
    """Two antithetic samples of binary values, credited where they differ (also U2G).

    1/2 (f(b) − f(b̃)) ((−1)^b̃ 1[b ≠ b̃] σ(|α|))ᵀ ∇θ α(θ), with the logits α and the samples
    b = 1[u < σ(α)], b̃ = 1[1 − u < σ(α)]: two evaluations. It is ARM's mean given the pair, so that
    its variance is at most ARM's. Use it for binary values and any cost; :class:`ARMS` has more
    samples, :class:`CategoricalDisARM` more classes. Nodes of one layer that are given one
    instance share a pair; layers nest.

    References
    ----------
    Dong, Mnih and Tucker (2020); Yin et al. (2020).
    """

    evaluations = "2"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    samples = 2
    formula = "1/2 (f(b) − f(b̃)) ((−1)^b̃ 1[b ≠ b̃] σ(|α|))ᵀ ∇θ α(θ)"
    symbols = {  # noqa: RUF012
        "b": "the sample",
        "b̃": "its antithetic twin",
    }
    cites = ("dong2020", "yin2020")

    def draw(self, dist: Binary, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for the pair u, 1 − u."""
        plate = noise.plate(2)
        return Draw(stop(dist.sample(Given(antithetic(noise, plate, dist.shape)))), plate=plate)

    def term(self, dist: Binary, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the difference to the twin, times σ(|α|), along log p of each sample.

        The derivatives of log p are b − p and b̃ − p: they cancel where the twins agree.
        """
        weight = maximum(dist.probs, 1.0 - dist.probs)
        signal = weight * (downstream.cost - downstream.others(draw.samples))
        return along(signal, dist.log_prob(draw.value, elementwise=True))
