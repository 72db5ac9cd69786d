"""The beta distribution in log-odds: its quantile, and derivatives of its CDF in both shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scg.special.columns import by_blocks, doubles
from scg.special.incomplete_gamma import stirling

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Below this, x^a / (a B(a, b)) is the incomplete beta function I_x(a, b) to the last digit.
_LOG_SMALL = -60.0
_NODES = 400
_BLOCK = 256  # elements at once: their nodes stay in the cache


def logit_betaincinv(a: ArrayLike, b: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Log-odds log x − log(1 − x) for I_x(a, b) = u, also where x or 1 − x underflows.

    The shapes are positive, 0 ≤ u < 1. Because the quantile 0 has no logarithm, u = 0 is taken for
    the smallest normal number.
    """
    from scipy.special import betainccinv, betaincinv, betaln

    a, b, u = doubles(a, b, u)
    u = np.where(u == 0, np.finfo(np.float64).tiny, u)
    with np.errstate(all="ignore"):
        log_beta = betaln(a, b)
        low = (np.log(u) + np.log(a) + log_beta) / a
        high = (np.log1p(-u) + np.log(b) + log_beta) / b
        log_x = np.where(low < _LOG_SMALL, low, np.log(betaincinv(a, b, u)))
        log_rest = np.where(high < _LOG_SMALL, high, np.log(betainccinv(b, a, u)))
        return log_x - log_rest


def beta_implicit(
    a: ArrayLike, b: ArrayLike, logit: ArrayLike, order: tuple[int, int] = (1, 0)
) -> NDArray[np.float64]:
    r"""Derivative of I_x(a, b) in a and b over the density of the log-odds log x − log(1 − x).

    For the orders (1, 0) and (0, 1) this is minus the derivative of the log-odds in a or b at a
    fixed probability, the implicit gradient of a beta variate. With :math:`s` the log-odds and
    :math:`f(s) = x^a (1 - x)^b / B(a, b)` their density, it is the integral over a tail

    .. math:: \int_0^\infty \frac{f(s - v)}{f(s)} q(s - v) \, dv, \qquad q = \frac{
              \partial_a^i \partial_b^j f}{f}

    of a function that falls from the mode on. The tail without the mode is integrated by the
    trapezoidal rule in y with v = w exp(y − exp(−y)) (Takahasi and Mori 1974).

    The shapes are positive, the orders in a and in b have the sum 1 or 2.
    """
    if sum(order) not in (1, 2):
        raise ValueError(f"beta variates have derivatives of order 1 and 2, not {order!r}")
    a, b, s = doubles(a, b, logit)
    valid = (a > 0) & (b > 0) & np.isfinite(a + b + s)
    return by_blocks(lambda a, b, s: _tail(a, b, s, order), valid, a, b, s, block=_BLOCK)


def _tail(a: NDArray, b: NDArray, s: NDArray, order: tuple[int, int]) -> NDArray:
    """Integrate over the lower tail, or minus the upper one, of columns of numbers."""
    above = s > np.log(a) - np.log(b)  # the mirror image has its tail below
    lower, upper = np.where(above, b, a), np.where(above, a, b)
    s, n = np.where(above, -s, s), a + b
    p = _sigmoid(s)
    rate = lower - n * p  # of the fall at the start; the curvature is n p (1 − p)
    width = 1 / (rate + np.sqrt(n * p * _sigmoid(-s)) + 1e-3 * lower)
    reach = np.log((45 + n * np.logaddexp(0, s)) / lower / width)
    h = (reach + 4) / _NODES
    y = h * (np.arange(_NODES) + 0.5) - 4
    v = width * np.exp(y - np.exp(-y))
    gain = -np.log1p(p * np.expm1(-v))
    term = np.exp(n * gain - lower * v) * v * (1 + np.exp(-y))
    log_lower, log_upper = -np.logaddexp(0, v - s), -np.logaddexp(0, s - v)
    scores = log_lower - _mean_log(lower, n), log_upper - _mean_log(upper, n)
    first, second = (np.where(above, scores[1 - k], scores[k]) for k in (0, 1))
    total = h[:, 0] * (term * _polynomial(a, b, first, second, order)).sum(axis=1)
    return np.where(above[:, 0], -total, total)


def _polynomial(a: NDArray, b: NDArray, first: NDArray, second: NDArray, order: tuple) -> NDArray:
    """Derivative of the density over the density, from the scores in a and b."""
    from scipy.special import polygamma

    scores = (first,) * order[0] + (second,) * order[1]
    if len(scores) == 1:
        return scores[0]
    own = {(2, 0): polygamma(1, a), (1, 1): 0.0, (0, 2): polygamma(1, b)}[order]
    return scores[0] * scores[1] - (own - polygamma(1, a + b))


def _mean_log(a: NDArray, n: NDArray) -> NDArray:
    """ψ(a) − ψ(n), by Stirling's formula."""
    return np.log(a / n) - 0.5 / a + 0.5 / n + stirling(a, 1) - stirling(n, 1)


def _sigmoid(s: NDArray) -> NDArray:
    return np.exp(-np.logaddexp(0, -s))
