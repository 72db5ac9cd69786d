"""Heavy tails: Student's t distribution, and the Cauchy distribution, its case of one degree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import unsupported
from scg.distributions.location_scale import Symmetric, no_mean, no_variance
from scg.distributions.protocols import Noise
from scg.ops.elementary import open_exp, open_positive, tan
from scg.ops.elementwise import (
    absolute,
    exp,
    expm1,
    greater,
    log,
    log1p,
    softplus,
    sqrt,
    square,
    where,
)
from scg.ops.quantiles import logit_betaincinv
from scg.ops.special import betaln, log_gammaincinv, stirling
from scg.ops.within import within

_FAR = 1e9  # a number whose square no type overflows


class StudentT(Symmetric):
    """Student's t distribution with independent elements.

    Use it in place of a normal distribution where outliers are expected. `scale` is not the
    standard deviation, which is s √(ν / (ν − 2)) for ν > 2.

    Parameters
    ----------
    df : array_like or node
        Degrees of freedom ν > 0.
    loc, scale : array_like or node
        Median μ and scale s > 0; all broadcast to the event shape.

    Notes
    -----
    p(x; ν, μ, s) = (1 + z²/ν)^(−(ν+1)/2) / (s √ν B(ν/2, 1/2)) with z = (x − μ) / s. Pathwise, a
    sample is μ + s ε √(ν / 2g) with ε ~ N(0, 1) and g ~ Gamma(ν/2).

    Examples
    --------
    >>> import scg
    >>> float(scg.StudentT(4.0, 1.0, 2.0).variance())
    8.0
    """

    constraints = sets.of(df=sets.positive, loc=sets.real, scale=sets.positive)
    kl_elementwise = unsupported(
        "Kullback-Leibler divergence in closed form", "E log(1 + z²) has none"
    )
    opened = unsupported("path through given values", "none is implemented in ν")

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0):
        self.declare(df=df, loc=loc, scale=scale)
        self.df, self.loc, self.scale = self.parameters.values()

    def sample(self, noise: Noise) -> Any:
        """μ + s ε √(ν / 2 / g)."""
        half = 0.5 * self.df
        log_g = log_gammaincinv(half, noise.uniform(self.shape))
        n, y = noise.normal(self.shape), 0.5 * (log(half) - log_g)
        # far away by its logarithm: a sample that overflows keeps the slope of the logarithm
        log_n = 0.5 * log(open_positive(square(n)))
        far = 0.5 * n * exp(-log_n) * open_exp(y + log_n + log(2.0 * self.scale))
        near = self.scale * n * open_exp(y)
        return self.loc + within(y, -np.inf, 40.0, near, far, closed=True)

    def standard_quantile(self, u: Any) -> Any:
        """±√(ν y / (1 − y)) with y = z² / (ν + z²), which is Beta(1/2, ν/2).

        In the tails 1 − y is the quantile of Beta(ν/2, 1/2), so that nothing rounds to one.
        """
        upper = greater(u, 0.5)
        rest = where(upper, 1.0 - u, u)  # P(Z > |z|)
        tail, half = greater(0.25, rest), 0.5 * self.df
        centre = logit_betaincinv(0.5, half, where(tail, 0.5, 1.0 - 2.0 * rest))
        far = logit_betaincinv(half, 0.5, where(tail, 2.0 * rest, 0.5))
        distance = open_exp(0.5 * (log(self.df) + where(tail, -far, centre)))
        return where(upper, 1.0, -1.0) * distance

    def standard_log_density(self, z: Any, scale: Any = 1.0) -> Any:
        """−(ν + 1)/2 · log(1 + z²/ν) − log B(ν/2, 1/2) − ½ log ν at z / scale."""
        power = -0.5 * (self.df + 1.0) * log1p_square(z, self.df, scale)
        return power - betaln(0.5 * self.df, 0.5) - 0.5 * log(self.df)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Standard log-density at z = (x − μ) / s, also where z overflows, minus log s."""
        return self.standard_log_density(x - self.loc, self.scale) - log(self.scale)

    def outward(self, z: Any, log_v: Any) -> Any:
        """√(ν ((1 + z²/ν) v^(−2/(ν + 1)) − 1))."""
        power = log1p_square(z, self.df) - 2.0 * log_v / (self.df + 1.0)
        return sqrt(self.df * expm1(power))

    def mean(self) -> Any:
        """μ for ν > 1, otherwise NaN: there is none."""
        return where(greater(self.df, 1.0), self.full(self.loc), np.nan)

    @property
    def standard_variance(self) -> Any:
        """ν / (ν − 2) for ν > 2, infinite for ν > 1, otherwise NaN."""
        finite = greater(self.df, 2.0)
        df = where(finite, self.df, 3.0)
        return where(finite, df / (df - 2.0), where(greater(self.df, 1.0), np.inf, np.nan))

    @property
    def standard_entropy(self) -> Any:
        """(ν + 1)/2 · (ψ((ν + 1)/2) − ψ(ν/2)) + log B(ν/2, 1/2) + ½ log ν."""
        half = 0.5 * self.df
        # ψ(h + ½) − ψ(h) by Stirling's formula, ψ(a) = log a − 1/(2a) + δ′(a)
        gap = log1p(0.5 / half) + 0.5 / half - 0.5 / (half + 0.5)
        gap = gap + stirling(half + 0.5, order=1) - stirling(half, order=1)
        return (half + 0.5) * gap + betaln(half, 0.5) + 0.5 * log(self.df)


def log1p_square(x: Any, over: Any, scale: Any = 1.0) -> Any:
    """log(1 + z² / over) with z = x / scale, also where z or z² overflows."""
    z = x / scale
    near = within(z, -_FAR, _FAR, x, 0.0, closed=True) / scale
    size = open_positive(absolute(within(z, -_FAR, _FAR, 1.0, x, closed=True)))
    far = softplus(2.0 * (log(size) - log(scale)) - log(over))
    return within(z, -_FAR, _FAR, log1p(square(near) / over), far, closed=True)


class Cauchy(Symmetric):
    """Cauchy (Lorentz) distribution with independent elements.

    Its mean and variance do not exist, so that averages of samples do not converge. It is
    :class:`StudentT` with one degree of freedom.

    Parameters
    ----------
    loc : array_like or node
        Median μ.
    scale : array_like or node
        Half width γ > 0 at half the height; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, γ) = 1 / (πγ (1 + ((x − μ) / γ)²)). Pathwise: x = μ + γ tan(π (u − ½)).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.Cauchy(0.0, 1.0).log_prob(1.0)), 4)
    -1.8379
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
