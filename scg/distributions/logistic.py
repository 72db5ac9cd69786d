"""The logistic family, and expectations under it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions.base import closed_form
from scg.distributions.location_scale import Symmetric
from scg.ops.elementwise import absolute, expm1, greater, log, log1p, sigmoid, softplus, sqrt, where
from scg.ops.indexing import getitem
from scg.ops.reductions import sum


class Logistic(Symmetric):
    """Logistic distribution with independent elements.

    A logistic variable around a logit is positive with the probability of that logit: it is the
    latent variable of :class:`Bernoulli`. `scale` is not the standard deviation, which is s π / √3.

    Parameters
    ----------
    loc : array_like or node
        Mean μ.
    scale : array_like or node
        Scale s > 0; it broadcasts with `loc` to the event shape.

    Notes
    -----
    p(x; μ, s) = exp(−z) / (s (1 + exp(−z))²) with z = (x − μ) / s. Pathwise: x = μ + s log(u / (1 −
    u)).

    Examples
    --------
    >>> import scg
    >>> round(float(scg.Logistic(0.0, 1.0).log_prob(0.0)), 4)
    -1.3863
    """

    standard_variance = math.pi**2 / 3.0
    standard_entropy = 2.0

    cdf = closed_form("1 / (1 + exp(−z))", lambda d, x: sigmoid(d.standardize(x)))
    standard_quantile = closed_form("log u − log(1 − u)", lambda d, u: log(u) - log1p(-u))

    def standard_log_density(self, z: Any) -> Any:
        """−|z| − 2 log(1 + exp(−|z|))."""
        z = absolute(z)
        return -z - 2.0 * softplus(-z)

    def outward(self, z: Any, log_v: Any) -> Any:
        """2 artanh √(1 − 4p) for a height p, which is 4p = 1 − tanh²(y / 2)."""
        log_height = self.standard_log_density(z) + log_v + math.log(4.0)
        return 2.0 * log1p(sqrt(-expm1(log_height))) - log_height

    def kl_elementwise(self, other: Any) -> Any:
        """log(c / s) − 2 + E[2 log(1 + exp z) − z] with z = (x − m) / c, against Logistic(m, c)."""
        ratio = self.scale / other.scale
        distance = (self.loc - other.loc) / other.scale
        return 2.0 * mean_softplus(distance, ratio) - distance - log(ratio) - 2.0


# The trapezoidal rule for an integrand that is analytic within π of the real line has an error of
# exp(−2π²/h), 1e-17 for this step; the rest lies beyond 40, with a weight of exp(−40).
_STEP = 0.5
_NODES = _STEP * np.arange(-80, 81)
_WEIGHTS = _STEP / (4.0 * np.cosh(0.5 * _NODES) ** 2)


def _inward(d: Any, r: Any) -> tuple[Any, Any]:
    """s = max(r, 1), and d + r L for logistic nodes L on a last axis, divided by s.

    With L − L′/r for two logistic values, E f(d + r L) is an expectation at (d/r, 1/r) for every
    f whose second derivative is their density: poles stay at a distance of π.
    """
    wide = greater(r, 1.0)
    s = where(wide, r, 1.0)
    inner = where(wide, 1.0 / r, r)
    return s, getitem(d / s, (Ellipsis, None)) + getitem(inner, (Ellipsis, None)) * _NODES


def mean_softplus(d: Any, r: Any) -> Any:
    """E log(1 + exp(d + r L)) for a standard logistic L, r > 0, to rounding."""
    s, z = _inward(d, r)
    return s * sum(softplus(z) * _WEIGHTS, -1)


def mean_sigmoid(d: Any, r: Any) -> Any:
    """E σ(d + r L), the derivative of `mean_softplus` in d."""
    _, z = _inward(d, r)
    return sum(sigmoid(z) * _WEIGHTS, -1)


def mean_slope(d: Any, r: Any) -> Any:
    """E σ′(d + r L), the derivative of `mean_sigmoid` in d."""
    s, z = _inward(d, r)
    return sum(sigmoid(z) * sigmoid(-z) * _WEIGHTS, -1) / s
