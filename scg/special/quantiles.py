"""Inverse distribution functions that SciPy lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from scg.special.columns import doubles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Below this, x^a / Γ(a + 1) is the incomplete gamma function P(a, x) to the last digit.
_LOG_SMALL = -60.0


def log_gammaincinv(a: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Logarithm of x for P(a, x) = u, also where x underflows.

    The shape `a` is positive, 0 < u < 1.
    """
    from scipy.special import gammaincinv, gammaln

    a, u = doubles(a, u)
    with np.errstate(all="ignore"):
        small = (np.log(u) + gammaln(a + 1)) / a
        return np.where(small < _LOG_SMALL, small, np.log(gammaincinv(a, u)))


def log_gammainccinv(a: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Logarithm of x for Q(a, x) = 1 − P(a, x) = u; see :func:`log_gammaincinv`."""
    from scipy.special import gammainccinv, gammaln

    a, u = doubles(a, u)
    with np.errstate(all="ignore"):
        small = (np.log1p(-u) + gammaln(a + 1)) / a
        return np.where(small < _LOG_SMALL, small, np.log(gammainccinv(a, u)))


def smallest(
    cdf: Callable[[NDArray], NDArray], u: NDArray, mean: NDArray, deviation: NDArray
) -> NDArray[np.float64]:
    """Smallest integer k ≥ 0 with cdf(k) ≥ u, by bisection around the mean, for 0 < u < 1."""
    valid = np.isfinite(mean) & np.isfinite(deviation) & np.isfinite(u)
    mean, deviation = np.where(valid, mean, 0), np.where(valid, deviation, 0)
    low = np.floor(np.maximum(mean - 4 * deviation - 2, -1))
    high = np.ceil(mean + 4 * deviation + 2)
    step = high - low
    with np.errstate(all="ignore"):
        for _ in range(1100):  # invariant in the end: cdf(low) < u <= cdf(high)
            outside = valid & (low >= 0) & (cdf(np.maximum(low, 0)) >= u)
            if not outside.any():
                break
            high = np.where(outside, low, high)
            low = np.where(outside, np.maximum(low - step, -1), low)
            step = 2 * step
        step = high - low
        for _ in range(1100):
            outside = valid & (cdf(high) < u) & (high < 2.0**1000)
            if not outside.any():
                break
            low, high = np.where(outside, high, low), np.where(outside, high + step, high)
            step = 2 * step
        while True:
            middle = np.floor(0.5 * (low + high))
            open_ = valid & (middle > low) & (middle < high)
            if not open_.any():
                return np.where(valid, high, np.nan)
            reached = cdf(middle) >= u
            high = np.where(open_ & reached, middle, high)
            low = np.where(open_ & ~reached, middle, low)


def poisson(rate: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Quantile of the Poisson distribution."""
    from scipy.special import gammaincc

    rate, u = doubles(rate, u)
    return smallest(lambda k: gammaincc(k + 1, rate), u, rate, np.sqrt(rate))


def binomial(count: ArrayLike, probs: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Quantile of the number of successes among `count` trials."""
    from scipy.special import betainc

    n, p, u = doubles(count, probs, u)

    def cdf(k: NDArray) -> NDArray:
        inside = k < n
        return np.where(inside, betainc(np.where(inside, n - k, 1.0), k + 1, 1 - p), 1.0)

    return smallest(cdf, u, n * p, np.sqrt(n * p * (1 - p)))


def negative_binomial(count: ArrayLike, logits: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Quantile of the number of successes, of log-odds `logits`, before `count` failures."""
    from scipy.special import betainc, expit

    r, z, u = doubles(count, logits, u)
    mean = r * np.exp(np.minimum(z, 700.0))
    return smallest(lambda k: betainc(r, k + 1, expit(-z)), u, mean, np.sqrt(mean * (1 + mean / r)))
