"""The Cauchy family."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions.location_scale import Symmetric, no_mean, no_variance
from scg.distributions.student_t import log1p_square
from scg.ops.elementary import tan
from scg.ops.elementwise import exp, expm1, greater, log, log1p, sqrt, square, where


class Cauchy(Symmetric):
    """Independent Cauchy values; mean and variance do not exist.

    Parameters
    ----------
    loc : array_like or node
        Median μ.
    scale : array_like or node
        Half width γ > 0 at half the height; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −log(1 + ((x − μ) / γ)²) − log πγ.
    """

    extends_to_mean = False
    standard_entropy = math.log(4.0 * math.pi)
    mean = no_mean
    variance = no_variance

    def standard_quantile(self, u: Any) -> Any:
        """tan(π (u − 1/2)); in the tails ∓1 / tan(π v), with the probability v beyond."""
        upper = greater(u, 0.5)
        rest = where(upper, 1.0 - u, u)
        tail = greater(0.25, rest)
        far = 1.0 / tan(math.pi * where(tail, rest, 0.25))
        centre = tan(math.pi * where(tail, 0.0, 0.5 - rest))
        return where(upper, 1.0, -1.0) * where(tail, far, centre)

    def standard_log_density(self, z: Any, scale: Any = 1.0) -> Any:
        """−log(1 + z²) − log π at z / scale."""
        return -log1p_square(z, 1.0, scale) - math.log(math.pi)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Standard log-density at z = (x − μ) / γ, also where z overflows, minus log γ."""
        return self.standard_log_density(x - self.loc, self.scale) - log(self.scale)

    def outward(self, z: Any, log_v: Any) -> Any:
        """√((1 + z²) / v − 1)."""
        return sqrt((square(z) - expm1(log_v)) * exp(-log_v))

    def kl_elementwise(self, other: Any) -> Any:
        """log of ((γ + c)² + (μ − m)²) / 4γc against Cauchy(m, c); Chyzak and Nielsen (2019)."""
        # ((γ + c)² + (μ − m)²) / 4γc = 1 + ((γ − c)² + (μ − m)²) / 4γc: small where they are near
        excess = square(self.scale - other.scale) + square(self.loc - other.loc)
        return log1p(excess / (4.0 * self.scale * other.scale))
