"""RAM: reparameterize with common random numbers, and sum over each coordinate's values."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.alternatives import marginalized
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory
from scg.ir.expr import Expr


class RAM(Estimator):
    """Reparameterization and marginalization: each coordinate at all its values, the rest as drawn.

    Notes
    -----
    Σᵢ Σᵥ f(x₍ᵢ₌ᵥ₎) ∇θ p(xᵢ = v; θ), where f runs the graph below again on the same noise; Tokui
    and Sato (2017, section 4). For one coordinate's own logit, its parents given, this is the mean
    of the score-function estimate over the coordinate, for every baseline that ignores it: no such
    estimate has a smaller variance. Where coordinates share a logit it may.
    """

    evaluations = "n |values| + 1"
    requires = ("coordinates", "surviving plates")
    credit = "along"
    formula = "Σᵢ Σᵥ f(x₍ᵢ₌ᵥ₎) ∇θ pᵢ(v; θ)"
    cites = ("tokui2017",)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Inject the costs of all alternatives along their probabilities."""
        return marginalized(dist, draw.value, downstream)
