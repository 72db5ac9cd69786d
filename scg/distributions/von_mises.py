"""The von Mises distribution of angles."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, closed_form
from scg.distributions.protocols import Noise
from scg.distributions.standardized import accepted_angle
from scg.ops.elementary import sin
from scg.ops.elementwise import square
from scg.ops.special import (
    HALF_LOG_2PI,
    log_i0e,
    von_mises_log_density,
    von_mises_quantile,
    von_mises_variance,
)


class VonMises(Distribution):
    """Von Mises distribution of independent angles: the normal distribution of the circle.

    Angles are in radians, and all angles that differ by full turns have one density.
    `concentration` behaves as an inverse variance. Where `loc` is learned, score-function
    estimators are refused unless all uses of a sample have the period 2π, such as ``np.cos``: the
    interval of samples moves with `loc`.

    Parameters
    ----------
    loc : array_like or node
        Mean direction μ.
    concentration : array_like or node
        Concentration κ > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, κ) = exp(κ cos(x − μ)) / 2π I₀(κ) with the Bessel function I₀. Samples lie within π of μ
    and are continuous in it; their derivative in κ is implicit (Figurnov et al. 2018).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.VonMises(0.0, 2.0).log_prob(0.0)), 4)
    -0.6619
    """

    reparameterized = True
    extends_to_mean = True
    constraints = sets.of(loc=sets.real, concentration=sets.positive)

    def __init__(self, loc: Any, concentration: Any):
        self.declare(loc=loc, concentration=concentration)
        self.loc, self.concentration = self.parameters.values()

    @property
    def support(self) -> sets.Constraint:
        """Angles within π of the mean direction."""
        return sets.Angles(self.loc - np.pi, self.loc + np.pi, name="within π of loc")

    def quantile(self, u: Any) -> Any:
        """μ + F⁻¹(u; κ)."""
        return self.loc + von_mises_quantile(self.concentration, u)

    def accepted(self, noise: Noise, augment: int) -> tuple[Any, Any]:
        """Through the wrapped Cauchy proposal, which nothing augments."""
        x, logp = accepted_angle(self.full(self.concentration), noise.uniform(self.shape))
        return self.loc + x, logp

    def log_prob_elementwise(self, x: Any) -> Any:
        """κ (cos(x − μ) − 1) − log 2π exp(−κ) I₀(κ)."""
        return von_mises_log_density(self.concentration, x - self.loc)

    mean = closed_form("μ, of the event shape", lambda d: d.full(d.loc))

    def variance(self) -> Any:
        """E (x − μ)² within π of μ, the linear variance; the circular one is 1 − A(κ)."""
        return self.full(von_mises_variance(self.concentration, order=0))

    mode = closed_form("μ, of the event shape", lambda d: d.mean())

    def entropy_elementwise(self) -> Any:
        """log 2π exp(−κ) I₀(κ) − κ (A(κ) − 1) with A = I₁ / I₀."""
        k = self.concentration
        return self.full(log_i0e(k, order=0) - k * log_i0e(k, order=1) + 2.0 * HALF_LOG_2PI)

    def kl_elementwise(self, other: Any) -> Any:
        """E[κ cos(x − μ) − c cos(x − m)] and the logarithms of I₀, against VonMises(m, c)."""
        k, c = self.concentration, other.concentration
        spread = log_i0e(k, order=1)  # A(κ) − 1
        turned = -2.0 * square(sin(0.5 * (self.loc - other.loc)))  # cos(μ − m) − 1
        normalizers = log_i0e(c, order=0) - log_i0e(k, order=0)
        return (k - c) * spread - c * turned * (1.0 + spread) + normalizers
