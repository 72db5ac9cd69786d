"""The half-normal family."""

from __future__ import annotations

import math
from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_positive
from scg.ops.elementwise import log, sqrt, square
from scg.ops.special import erfinv


class HalfNormal(Distribution):
    """Independent absolute values of centred normal values.

    Parameters
    ----------
    scale : array_like or node
        Standard deviation σ > 0 of the normal value, of any shape: the event shape.

    Notes
    -----
    log p(x) = ½ log(2/π) − log σ − x² / (2σ²).
    """

    reparameterized = True
    extends_to_mean = True
    weak_parameters = ("scale",)
    constraints = sets.of(scale=sets.positive)
    support = sets.nonnegative

    def __init__(self, scale: Any = 1.0):
        self.declare(scale=scale)
        (self.scale,) = self.parameters.values()

    def quantile(self, u: Any) -> Any:
        """σ √2 erf⁻¹(u)."""
        return open_positive(self.scale * (math.sqrt(2.0) * erfinv(u)))

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In σ: a Maxwell deviate against the draw, as for a normal law."""
        further = square(self.scale) * (-2.0 * log(noise.uniform(self.shape, "out")))
        return [(self.scale, 1.0 / self.scale, sqrt(square(x) + further), x)]

    def log_prob_elementwise(self, x: Any) -> Any:
        """½ log(2/π) − log σ − x² / (2σ²)."""
        normal = -0.5 * square(x / self.scale) - log(self.scale)
        return normal + 0.5 * math.log(2.0 / math.pi)

    def mean(self) -> Any:
        """σ √(2/π)."""
        return self.scale * math.sqrt(2.0 / math.pi)

    def variance(self) -> Any:
        """σ² (1 − 2/π)."""
        return square(self.scale) * (1.0 - 2.0 / math.pi)

    def mode(self) -> Any:
        """0."""
        return self.full(0.0)

    def entropy_elementwise(self) -> Any:
        """½ log(π/2) + ½ + log σ."""
        return log(self.scale) + (0.5 * math.log(math.pi / 2.0) + 0.5)

    def kl_elementwise(self, other: Any) -> Any:
        """(r² − 1) / 2 − log r with r = σ / s, against HalfNormal(s)."""
        ratio = self.scale / other.scale
        return 0.5 * (square(ratio) - 1.0) - log(ratio)
