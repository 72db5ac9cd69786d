"""RAM: reparameterize with common random numbers, and sum over each coordinate's values."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.alternatives import alternatives
from scg.estimators.base import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.expr import Expr
from scg.ops.gradient import stop


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

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value."""
        return Draw(stop(dist.sample(noise)))

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Inject the costs of all alternatives along their probabilities."""
        every = alternatives(dist, draw.value, downstream)
        replay = downstream.at(every.value, below="same")
        return along(every.arranged(replay.cost), every.probs)
