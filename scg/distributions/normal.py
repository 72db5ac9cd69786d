"""The normal family."""

from __future__ import annotations

from typing import Any

from scg.distributions.location_scale import Symmetric
from scg.distributions.protocols import Noise
from scg.ops.elementwise import log, sqrt, square
from scg.ops.special import HALF_LOG_2PI, ndtri


class Normal(Symmetric):
    """Independent normal values.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Standard deviation σ > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    log p(x) = −(x − μ)² / (2σ²) − log σ − ½ log 2π. Pathwise: x = μ + σ ε, ε ~ N(0, 1).
    """

    standard_entropy = 0.5 + HALF_LOG_2PI

    def sample(self, noise: Noise) -> Any:
        """μ + σ ε."""
        return self.loc + self.scale * noise.normal(self.shape)

    def standard_quantile(self, u: Any) -> Any:
        """Φ⁻¹(u)."""
        return ndtri(u)

    def standard_log_density(self, z: Any) -> Any:
        """−z² / 2 − ½ log 2π."""
        return -0.5 * square(z) - HALF_LOG_2PI

    def outward(self, z: Any, log_v: Any) -> Any:
        """√(z² − 2 log v): from zero a Rayleigh deviate, from a normal one a Maxwell deviate."""
        return sqrt(square(z) - 2.0 * log_v)

    def kl_elementwise(self, other: Any) -> Any:
        """½ (σ² + (μ − m)²) / s² − ½ + log s/σ against N(m, s²)."""
        ratio = self.scale / other.scale
        distance = (self.loc - other.loc) / other.scale
        return 0.5 * (square(ratio) + square(distance) - 1.0) - log(ratio)
