"""Samples as functions of noise whose distribution still depends on the parameters.

Each returns the sample, open in the parameters at fixed noise ε, and the log-density ℓ of ε: that
of the sample plus the logarithm of its slope in ε. The noise is found from the sample: it is what
the accepted proposal of a rejection sampler, or standardization, would have been.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.protocols import Noise
from scg.ops.elementary import arctan, cos, sin
from scg.ops.elementwise import exp, log, log1p, softplus, sqrt, square
from scg.ops.gradient import stop
from scg.ops.proportions import beta_log_density
from scg.ops.quantiles import logit_betaincinv
from scg.ops.special import (
    digamma,
    gammaln,
    log_gammaincinv,
    polygamma,
    von_mises_log_density,
    von_mises_quantile,
)


def accepted_log_gamma(a: Any, noise: Noise, augment: int, tag: str = "u") -> tuple[Any, Any]:
    """log x of a standard gamma value and ℓ, by the proposal of Marsaglia and Tsang (2000).

    It is x = d (1 + c ε)³ at the shape a + B, times powers of B uniforms; B is `augment`.
    """
    shape, b = np.shape(a), a + float(augment)
    d, c = b - 1.0 / 3.0, 1.0 / sqrt(9.0 * b - 3.0)
    e = stop((exp((log_gammaincinv(b, noise.uniform(shape, tag)) - log(d)) / 3.0) - 1.0) / c)
    v = log1p(c * e)
    y = log(d) + 3.0 * v
    logp = _log_density(b, y) + log(3.0 * d * c) + 2.0 * v - y
    for i in range(augment):
        y = y + log(noise.uniform(shape, f"{tag}{i + 1}")) / (a + float(i))
    return y, logp


def standardized_log_gamma(a: Any, noise: Noise) -> tuple[Any, Any]:
    """log x of a standard gamma value and ℓ, with ε = (log x − ψ(a)) / √ψ′(a)."""
    mean, deviation = digamma(a), sqrt(polygamma(a, order=1))
    drawn = log_gammaincinv(a, noise.uniform(np.shape(a)))
    y = mean + deviation * stop((drawn - mean) / deviation)
    return y, _log_density(a, y) + log(deviation)


def _log_density(a: Any, y: Any) -> Any:
    """Log-density of the logarithm of a standard gamma value."""
    return a * y - exp(y) - gammaln(a)


def standardized_log_odds(a: Any, b: Any, noise: Noise) -> tuple[Any, Any]:
    """Log-odds of a beta value and ℓ, with their mean and deviation taken out of ε."""
    mean = digamma(a) - digamma(b)
    deviation = sqrt(polygamma(a, order=1) + polygamma(b, order=1))
    drawn = logit_betaincinv(a, b, noise.uniform(np.shape(a)))
    s = mean + deviation * stop((drawn - mean) / deviation)
    density = beta_log_density(s, a, b, logit=True) - softplus(-s) - softplus(s)
    return s, density + log(deviation)


def accepted_angle(k: Any, u: Any) -> tuple[Any, Any]:
    """A von Mises value around 0 and ℓ, by the wrapped Cauchy proposal of Best and Fisher (1979).

    It is 2 arctan(c t), with t the tangent of half a uniform angle.
    """
    root = 1.0 + sqrt(1.0 + 4.0 * square(k))
    rho = 2.0 * k / (root + sqrt(2.0 * root))
    c = (1.0 - rho) / (1.0 + rho)
    half = stop(0.5 * von_mises_quantile(k, u))
    t = stop(sin(half) / cos(half) / c)
    x = 2.0 * arctan(c * t)
    return x, von_mises_log_density(k, x) + log(c) - log1p(square(c * t))
