"""RAM: reparameterize with common random numbers, and sum over each coordinate's values."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.alternatives import marginalized
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory
from scg.ir.expr import Expr


class RAM(Estimator):
    """Sum over each coordinate's values, the others as sampled: reparameterize and marginalize.

    Σ_i Σ_v f(x_{i=v}) ∇θ p_i(v; θ), with x_{i=v} the sample with coordinate i at the value v,
    p_i(v) the probability of v, and f sampled below on the same noise: n |values| + 1 evaluations
    for n coordinates. Use it for low variance where that many are affordable. For one coordinate's
    own logit, given its parents, it is the mean of the score-function estimate over the coordinate,
    for every baseline that ignores it: none has a smaller variance. Where coordinates share a logit
    one may. :class:`LocalExpectation` keeps the nodes below instead; :class:`Enumeration` sums over
    all coordinates jointly.

    References
    ----------
    Tokui and Sato (2017).
    """

    evaluations = "n |values| + 1"
    requires = ("coordinates",)
    credit = "along"
    formula = "Σᵢ Σᵥ f(x₍ᵢ₌ᵥ₎) ∇θ pᵢ(v; θ)"
    symbols = {  # noqa: RUF012
        "v": "a value of the coordinate"
    }
    cites = ("tokui2017",)

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the costs of all alternatives along their probabilities."""
        return marginalized(dist, draw.value, downstream)
