"""Student's t family."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import Distribution, Noise
from scg.ops.elementwise import exp, greater, log, log1p, square, where
from scg.ops.special import betaln, digamma, log_gammaincinv


class StudentT(Distribution):
    """Independent values of Student's t law.

    Parameters
    ----------
    df : array_like or node
        Degrees of freedom ν > 0.
    loc, scale : array_like or node
        Median μ and scale s > 0; all broadcast to the event shape.

    Notes
    -----
    log p(x) = −(ν + 1)/2 · log(1 + z²/ν) − log B(ν/2, 1/2) − ½ log ν − log s, z = (x − μ) / s.
    The draw is a normal value over the root of a gamma value, μ + s ε √(ν / 2 / g), g ~ Gamma(ν/2).
    """

    reparameterized = True
    extends_to_mean = True
    support = sets.real
    constraints = sets.of(df=sets.positive, loc=sets.real, scale=sets.positive)

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(df=df, loc=loc, scale=scale)
        self.df, self.loc, self.scale = self.parameters.values()

    def sample(self, noise: Noise) -> Any:
        """μ + s ε √(ν / 2 / g)."""
        half = 0.5 * self.df
        log_g = log_gammaincinv(half, noise.uniform(self.shape))
        return self.loc + self.scale * noise.normal(self.shape) * exp(0.5 * (log(half) - log_g))

    def log_prob_elementwise(self, x: Any) -> Any:
        """−(ν + 1)/2 · log(1 + z²/ν) − log B(ν/2, 1/2) − ½ log ν − log s."""
        df, z = self.df, (x - self.loc) / self.scale
        power = -0.5 * (df + 1.0) * log1p(square(z) / df)
        return power - betaln(0.5 * df, 0.5) - 0.5 * log(df) - log(self.scale)

    def mean(self) -> Any:
        """μ for ν > 1, otherwise NaN: there is none."""
        return where(greater(self.df, 1.0), self.full(self.loc), np.nan)

    def variance(self) -> Any:
        """s² ν / (ν − 2) for ν > 2, infinite for ν > 1, otherwise NaN."""
        finite = greater(self.df, 2.0)
        df = where(finite, self.df, 3.0)
        value = self.full(square(self.scale) * (df / (df - 2.0)))
        return where(finite, value, where(greater(self.df, 1.0), np.inf, np.nan))

    def mode(self) -> Any:
        """μ, of the event shape."""
        return self.full(self.loc)

    def entropy_elementwise(self) -> Any:
        """(ν + 1)/2 · (ψ((ν + 1)/2) − ψ(ν/2)) + log B(ν/2, 1/2) + ½ log ν + log s."""
        half = 0.5 * self.df
        gap = digamma(half + 0.5) - digamma(half)
        value = (half + 0.5) * gap + betaln(half, 0.5) + 0.5 * log(self.df) + log(self.scale)
        return self.full(value)
