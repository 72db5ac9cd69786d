"""GO: discrete derivatives of the cost, weighted with the derivative of the CDF."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.moves import each, inject
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class GO(Estimator):
    """General and one-sample: each coordinate moves to its next value, at the rate of its CDF.

    −Σ_i (f(x⁺ᵢ) − f(x))/p_i(x_i) ∇θ F_i(x_i; θ), with x⁺ᵢ the sample with coordinate i at its next
    value, and p_i and F_i the probability and the CDF of coordinate i: n + 1 evaluations for n
    coordinates. Use it for counts and ordered values; at a binary value of 1 it needs none. Where
    coordinates are sampled in turn, p_i and F_i are given those before, and later ones follow.
    :class:`RAM` sums over all values instead. On continuous variables GO is the implicit gradient:
    :class:`Reparameterization`.

    References
    ----------
    Cong et al. (2019).
    """

    evaluations = "n + 1"
    requires = ("next value",)
    credit = "along"
    formula = "−Σᵢ (f(x⁺ᵢ) − f(x))/pᵢ(xᵢ) ∇θ Fᵢ(xᵢ; θ)"
    symbols = {  # noqa: RUF012
        "x⁺": "the sample with coordinate i at its next value",
        "F": "the CDF of a coordinate",
    }
    cites = ("cong2019",)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value, and its moves."""
        x = stop(dist.sample(noise))
        return Draw(x, aux={"up": dist.upward(x, noise)})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the change by each move, at its rate."""
        up = draw.aux["up"]
        return inject(up, each(up, downstream))
