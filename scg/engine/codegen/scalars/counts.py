"""Quantiles of counts."""

from __future__ import annotations

from math import exp, inf, nan
from typing import Any

from scg.engine.codegen.calls import CALLS
from scg.engine.codegen.intrinsics import ceil, floor, sqrt
from scg.engine.codegen.scalars.base import part, scalar

betainc, expit, gammaincc = (CALLS[name] for name in ("betainc", "expit", "gammaincc"))


def _smallest(cdf: Any) -> Any:
    """Return the search for the smallest integer k ≥ 0 with cdf(k, a, b) ≥ u, by bisection."""

    @part
    def search(a, b, u, mean, deviation):
        if not (abs(mean) < inf and abs(deviation) < inf and abs(u) < inf):
            return nan
        low = floor(max(mean - 4.0 * deviation - 2.0, -1.0))
        high = ceil(mean + 4.0 * deviation + 2.0)
        step = high - low
        # Without a step, neighbouring floats are further apart than the distribution is wide.
        while step > 0.0 and low >= 0.0 and cdf(low, a, b) >= u:
            low, high = max(low - step, -1.0), low
            step *= 2.0
        step = high - low
        while step > 0.0 and cdf(high, a, b) < u and high < 2.0**1000:
            low, high = high, high + step
            step *= 2.0
        while True:
            middle = floor(0.5 * (low + high))
            if not (middle > low and middle < high):
                return high
            if cdf(middle, a, b) >= u:
                high = middle
            else:
                low = middle

    return search


_poisson = _smallest(part(lambda k, rate, _: gammaincc(k + 1.0, rate)))
_binomial = _smallest(part(lambda k, n, p: betainc(n - k, k + 1.0, 1.0 - p) if k < n else 1.0))
_negative_binomial = _smallest(part(lambda k, r, z: betainc(r, k + 1.0, expit(-z))))


@scalar
def poisson_quantile(rate, u):
    """Twin of :func:`scg.special.quantiles.poisson`."""
    return _poisson(rate, 0.0, u, rate, sqrt(rate))


@scalar
def binomial_quantile(n, p, u):
    """Twin of :func:`scg.special.quantiles.binomial`."""
    return _binomial(n, p, u, n * p, sqrt(n * p * (1.0 - p)))


@scalar
def negative_binomial_quantile(r, z, u):
    """Twin of :func:`scg.special.quantiles.negative_binomial`."""
    mean = r * exp(min(z, 700.0))
    return _negative_binomial(r, z, u, mean, sqrt(mean * (1.0 + mean / r)))
