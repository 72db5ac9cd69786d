"""Unbiased gradient variance clipping: DisARM, and bit flips near the boundary."""

from __future__ import annotations

from typing import Any

from scg.distributions.protocols import Binary
from scg.errors import EstimatorError
from scg.estimators.parts.couplings import Given, antithetic
from scg.estimators.parts.moves import flip
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import less, maximum, minimum, where
from scg.ops.gradient import stop


class UGC(Estimator):
    """DisARM, but bitflip-1 for bits whose probabilities are near 0 or 1.

    Σ_i (1[m_i > τ] d_i + 1[m_i < τ] s_i) ∇θ α_i(θ), with the logits α, m the probability of the
    rarer value, d_i the part of :class:`DisARM` and s_i that of :class:`BitFlip`, averaged over the
    pair: four evaluations. Use it where probabilities approach 0 or 1: there DisARM's variance is
    large, because the samples of the pair rarely differ.

    Parameters
    ----------
    threshold : float, optional
        τ ≥ 0; by default 1/(2 n) for n bits, where both variances are equal for costs without
        structure.

    References
    ----------
    Kunes et al. (2023); one bit flip of each sample of the pair, in place of the first.
    """

    evaluations = "4"
    requires = ("binary values",)
    credit = "along"
    joint = "layer"
    samples = 2
    formula = (
        "Σᵢ (1[mᵢ > τ] dᵢ + 1[mᵢ < τ] sᵢ) ∇θ αᵢ(θ), "
        "dᵢ = 1/2 (f(b) − f(b̃)) (−1)^b̃ᵢ 1[bᵢ ≠ b̃ᵢ] σ(|αᵢ|), "
        "sᵢ = n 1[i = j] pᵢ (1 − pᵢ) 1/2 Σₖ (f(x⁺ₖᵢ) − f(x⁻ₖᵢ))"
    )
    symbols = {  # noqa: RUF012
        "b": "the sample",
        "b̃": "its antithetic twin",
        "m": "the probability of the rarer value",
        "n": "the number of bits",
        "j": "the bit that is flipped",
        "i": "a bit",
        "x⁺": "a sample of the pair with bit i at 1",
        "x⁻": "the same with bit i at 0",
        "p": "the probability of 1",
    }
    cites = ("kunes2023", "dong2020")

    def __init__(self, threshold: float | None = None):
        if threshold is not None and not threshold >= 0:
            raise EstimatorError(f"UGC: threshold must be a number ≥ 0, got {threshold!r}")
        self.threshold = threshold

    def where(self) -> dict[str, Any]:
        return {"τ": "1/(2 n)" if self.threshold is None else self.threshold}

    def draw(self, dist: Binary, noise: Sampler) -> Draw:
        """Draw 1[uᵢ < p] for the pair u, 1 − u, and which bit is flipped."""
        plate = noise.plate(2)
        pair = stop(dist.sample(Given(antithetic(noise, plate, dist.shape))))
        return Draw(pair, plate=plate, aux={"u": noise.uniform((1,), "flip")})

    def term(self, dist: Binary, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject DisARM's difference, or the flip's, for each bit."""
        probs, x = dist.probs, draw.value
        tau = 1.0 / (2.0 * x.size) if self.threshold is None else self.threshold
        near = less(minimum(probs, 1.0 - probs), tau)
        signal = maximum(probs, 1.0 - probs) * (downstream.cost - downstream.others(draw.samples))
        pair = along(where(near, 0.0, signal), dist.log_prob(x, elementwise=True))
        flips = flip(x, probs, draw.aux["u"], downstream)
        return pair + along(where(near, flips, 0.0), probs)
