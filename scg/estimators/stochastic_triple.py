"""Stochastic triples: a jump of infinitesimal probability, one of which survives pruning."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.moves import change, choose, inject
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler
from scg.ir.expr import Expr
from scg.ops.elementwise import where
from scg.ops.gradient import stop


class StochasticTriple(Estimator):
    """One coordinate, chosen by the rates of all, jumps to its next value on the same noise.

    −(f(x⁺ᵢ) − f(x))/(r_i p_i(x_i)) ∇θ F_i(x_i; θ), with coordinate i chosen with probability r_i,
    in proportion to the size of its jump, x⁺ᵢ the sample with coordinate i at its next value, and
    p_i and F_i the probability and the CDF of coordinate i: two evaluations. Use it for many
    coordinates and dear costs; without the pruning to one jump it is :class:`GO`. Where
    coordinates are sampled in turn, p_i and F_i are given those before, and later ones follow.

    References
    ----------
    Arya et al. (2022).
    """

    evaluations = "2"
    requires = ("next value",)
    credit = "along"
    formula = "−(f(x⁺ᵢ) − f(x))/(rᵢ pᵢ(xᵢ)) ∇θ Fᵢ(xᵢ; θ)"
    symbols = {  # noqa: RUF012
        "x⁺": "the sample with coordinate i at its next value",
        "F": "the CDF of a coordinate",
        "r": "the probability that coordinate i is chosen",
    }
    cites = ("arya2022",)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value, its moves, and which coordinate jumps."""
        x = stop(dist.sample(noise))
        return Draw(x, aux={"up": dist.upward(x, noise), "u": noise.uniform((1,), "jump")})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the change by the jump, over the probability of its choice."""
        up = draw.aux["up"]
        chosen, rarity = choose(stop(up.weight), draw.aux["u"])
        return inject(up, where(chosen, rarity * change(up.moved(chosen), downstream), 0.0))
