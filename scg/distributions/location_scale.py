"""Distributions of μ + σ z, where z has a standard distribution."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, unsupported
from scg.distributions.protocols import Noise
from scg.ops.elementwise import exp, greater, log, square, where
from scg.ops.gradient import graft, held


class LocationScale(Distribution):
    """Independent values μ + σ z, where the density of z has its maximum at 0.

    A family defines the quantile, log-density, mean, variance and entropy of z.

    Parameters
    ----------
    loc : array_like or node
        Location μ, the mode.
    scale : array_like or node
        Scale σ > 0; it broadcasts with `loc` to the event shape.
    """

    reparameterized = True
    extends_to_mean = True
    constraints = sets.of(loc=sets.real, scale=sets.positive)
    support = sets.real
    #: Mean, variance and entropy of z.
    standard_mean: Any = 0.0
    standard_variance: Any = 1.0
    standard_entropy: Any = 0.0
    loc: Any
    scale: Any

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(loc=loc, scale=scale)
        self.loc, self.scale = self.parameters.values()

    def standard_quantile(self, u: Any) -> Any:
        """Quantile of z."""
        raise NotImplementedError

    def standard_log_density(self, z: Any) -> Any:
        """Log-density of z."""
        raise NotImplementedError

    def standardize(self, x: Any) -> Any:
        """z = (x − μ) / σ."""
        return (x - self.loc) / self.scale

    def quantile(self, u: Any) -> Any:
        """μ + σ times the standard quantile."""
        return self.loc + self.scale * self.standard_quantile(u)

    def opened(self, x: Any) -> Any:
        """μ + σ z at fixed z, open in the parameters."""
        return graft(x, self.loc + self.scale * held(self.standardize(x)))

    def log_prob_elementwise(self, x: Any) -> Any:
        """Standard log-density at z, minus log σ."""
        return self.standard_log_density(self.standardize(x)) - log(self.scale)

    def mean(self) -> Any:
        """μ + σ times the standard mean."""
        return self.full(self.loc + self.scale * self.standard_mean)

    def variance(self) -> Any:
        """σ² times the standard variance."""
        return self.full(square(self.scale) * self.standard_variance)

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.full(self.loc)

    def entropy_elementwise(self) -> Any:
        """Standard entropy, plus log σ."""
        return self.full(log(self.scale) + self.standard_entropy)


class Symmetric(LocationScale):
    """Distribution of location and scale whose density is symmetric and falls on either side."""

    weak_parameters = ("loc", "scale")

    def outward(self, z: Any, log_v: Any) -> Any:
        """The distance |y| ≥ |z| at which the standard log-density is `log_v` below that at z."""
        raise NotImplementedError

    def weak_derivatives(self, x: Any, noise: Noise) -> list[tuple[Any, Any, Any, Any]]:
        """In μ, values on either side of it; in σ, a value further out against the sample.

        With the standard density p the parts are −p'(w) / p(0) for w > 0 and its mirror image,
        times p(0) / σ; and −z p'(z) against p(z), times 1 / σ. A value is uniform between zero and
        one of density −z p'(z) (Khintchine 1938): below the height of p at one, uniformly, lies the
        height at the other. For normal distributions these are Mohamed et al. (2020).
        """
        loc, scale, z = self.full(self.loc), self.full(self.scale), self.standardize(x)
        log_u, log_v = (log(noise.uniform(self.shape, tag)) for tag in ("side", "out"))
        side = self.scale * self.outward(0.0 * z, log_u)
        out = self.scale * where(greater(z, 0.0), 1.0, -1.0) * self.outward(z, log_v)
        top = exp(self.standard_log_density(0.0 * z)) / self.scale
        return [
            (loc, top, self.loc + side, self.loc - side),
            (scale, 1.0 / self.scale, self.loc + out, x),
        ]


no_mean = unsupported("mean", "its integral diverges")
no_variance = unsupported("variance", "its integral diverges")
