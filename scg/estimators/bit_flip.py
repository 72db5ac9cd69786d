"""Bitflip-1: one bit, chosen uniformly, is flipped."""

from __future__ import annotations

from scg.distributions.protocols import Binary
from scg.estimators.parts.moves import flip
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.gradient import stop


class BitFlip(Estimator):
    """Difference of the cost between both values of one bit, chosen uniformly (bitflip-1).

    n (f(x⁺ᵢ) − f(x⁻ᵢ)) ∇θ p_i(θ), with x^±_i the sample with bit i at 1 or 0, n the number of bits
    and p_i the probability of 1: two evaluations. Its variance vanishes where probabilities are
    near 0 or 1, and is high elsewhere: :class:`UGC` has it for such bits alone. :class:`RAM`
    averages it over the bits.

    References
    ----------
    Kunes et al. (2023).
    """

    evaluations = "2"
    requires = ("binary values",)
    credit = "along"
    formula = "n (f(x⁺ᵢ) − f(x⁻ᵢ)) ∇θ pᵢ(θ)"
    symbols = {  # noqa: RUF012
        "n": "the number of bits",
        "x⁺": "the sample with bit i at 1",
        "x⁻": "the sample with bit i at 0",
        "p": "the probability of 1",
    }
    cites = ("kunes2023",)

    def draw(self, dist: Binary, noise: Sampler) -> Draw:
        """Draw a stopped value, and which bit is flipped."""
        return Draw(stop(dist.sample(noise)), aux={"u": noise.uniform((1,), "flip")})

    def term(self, dist: Binary, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the difference along the probability of the bit."""
        return along(flip(draw.value, dist.probs, draw.aux["u"], downstream), dist.probs)
