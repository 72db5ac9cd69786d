"""Derivatives of the incomplete gamma function in its shape, which SciPy lacks.

Implicit gradients of gamma variates need dP/da; estimators of order two need higher derivatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scg.special.columns import by_blocks, check_order, doubles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# The contour crosses the real axis at mu = a + _SHIFT, right of the integrand's saddle at a, which
# keeps it off the branch point 0 when a is small; the nodes are _STEP / sqrt(mu) apart. With these
# three numbers the errors of discretisation and truncation are below 1e-12 for every a.
_SHIFT, _STEP, _NODES = 4.0, 0.33, 19
_BLOCK = 1024  # elements at once: their nodes stay in the cache
_SERIES = [(-1) ** (n + 1) / n for n in range(11, 1, -1)]  # (log(1 + z) - z) / z^2, for polyval


def gammainc_da(a: ArrayLike, x: ArrayLike, order: int = 1) -> NDArray[np.float64]:
    r"""Derivative in a of the regularised lower incomplete gamma function P(a, x).

    The Laplace transform of P(a, x) in x is :math:`s^{-1} (1+s)^{-a}` (DLMF 8.14.1). Its inverse,
    differentiated k times and with :math:`w = (1 + s) x`, is an integral around the negative axis:

    .. math:: \partial_a^k P(a, x) = \frac{x^a e^{-x}}{2 \pi i}
              \int e^w w^{-a} \, \frac{(\log x - \log w)^k}{w - x} \, dw

    For k > 0 the integrand is regular at w = x, so that one contour serves all x; and because the
    factor in front is proportional to the density, both tails have full relative accuracy. The
    contour is
    the parabola :math:`w = \mu (1 + i y)^2`, on which the midpoint rule converges geometrically
    (Weideman & Trefethen 2007, "Parabolic and hyperbolic contours for computing the Bromwich
    integral", Math. Comp. 76). For k = 0 the rule's error at the pole w = x is known, and added.

    The shape `a` is positive, the argument `x` not negative, the order k from 0 to 3.

    Returns
    -------
    ndarray of float64, of the broadcast shape
        Relative error below 1e-11 (where the value changes its sign: relative to values nearby).
        Zero at x = 0; nan where a or x is nan, a is not positive or infinite, or x is negative.
    """
    check_order(order, range(4), "gammainc_da")
    a, x = doubles(a, x)
    x = np.minimum(x, np.finfo(np.float64).max)
    valid = (a > 0) & (a < np.inf) & (x >= 0)
    with np.errstate(over="ignore", under="ignore"):  # factors, far out in the tails
        found = by_blocks(lambda a, x: _integrate(a, x, order), valid & (x > 0), a, x, block=_BLOCK)
    return np.where(valid & (x == 0), 0.0, found)


def _nodes(mu: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Step, nodes y and log(w / mu) / 2 of the rule; the nodes at -y contribute the conjugate."""
    h = _STEP / np.sqrt(mu)
    y = h * (np.arange(_NODES) + 0.5)
    return h[:, 0], y, 0.5 * np.log1p(y * y) + 1j * np.arctan(y)


def _sum(nodes: tuple, d: NDArray, log_x: NDArray, exponent: NDArray, order: int) -> NDArray:
    """Sum the integrand over the nodes, for x = mu (1 + d) and `log_x` = log(x / mu)."""
    h, y, log_w = nodes
    term = np.exp(exponent) * (1 + 1j * y) / (2j * y - (d + y * y))
    for _ in range(order):
        term *= log_x - 2 * log_w
    return (2 / np.pi) * h * term.real.sum(axis=1)


def _integrate(a: NDArray, x: NDArray, order: int) -> NDArray:
    """Integrate for columns `a` and `x` of positive numbers, one node a column."""
    mu = a + _SHIFT
    _, y, log_w = nodes = _nodes(mu)
    d = (x - mu) / mu
    near = np.abs(d) < 0.5
    log_x = np.where(near, np.log1p(np.where(near, d, 0)), np.log(x) - np.log(mu))
    # The exponent of (x / w)^a e^(w - x), arranged such that nothing large cancels for large a
    exponent = a * (_minus(log_x, d) - 2 * _minus(log_w, 1j * y))
    exponent += (mu - a) * (2j * y - d) - mu * y * y
    total = _sum(nodes, d, log_x, exponent, order)
    return np.clip(total + _pole(a, x, mu)[:, 0], 0, 1) if order == 0 else total


def _minus(log: NDArray, z: NDArray) -> NDArray:
    """``log(1 + z) - z``, accurately, for `log` = ``log(1 + z)``."""
    difference, small = log - z, np.abs(z) < 0.02
    z = z[small]
    difference[small] = z * z * np.polyval(_SERIES, z)
    return difference


def _pole(a: NDArray, x: NDArray, mu: NDArray) -> NDArray:
    """Error of the midpoint rule at the pole w = x: a logistic step when x passes mu.

    The rule does not see a pole left of r^2, where e^w w^-a over the rule's decay is least.
    """
    rate = np.pi / _STEP
    r = a / (rate / 2 + np.sqrt(rate**2 / 4 + a))  # the root of r^2 + rate r - a
    step = 1 / (1 + np.exp(2 * rate * (mu - x) / (np.sqrt(x) + np.sqrt(mu))))
    return np.where(np.sqrt(x) > r, step, 0)


def gamma_implicit(a: ArrayLike, log_x: ArrayLike, order: int = 1) -> NDArray[np.float64]:
    r"""Derivative of P(a, x) in a, of some order, over the density of log x.

    For k = 1 this is minus the derivative of log x in a at a fixed P, the implicit gradient of a
    gamma variate in logarithms. The factor in front of the contour integral of `gammainc_da` is
    x p(x) Γ(a), so that x itself occurs only in :math:`w - x` and may underflow:

    .. math:: \frac{\partial_a^k P(a, x)}{x p(x)} = \frac{\Gamma(a)}{2 \pi i}
              \int e^w w^{-a} \, \frac{(\log x - \log w)^k}{w - x} \, dw

    The shape `a` is positive, the order k from 1 to 3; `a` and the logarithm of x broadcast.
    """
    check_order(order, range(1, 4), "gamma_implicit")
    a, y = doubles(a, log_x)
    valid = (a > 0) & (a < np.inf) & np.isfinite(y)
    return by_blocks(lambda a, y: _integrate_log(a, y, order), valid, a, y, block=_BLOCK)


def _integrate_log(a: NDArray, log_x: NDArray, order: int) -> NDArray:
    """Integrate for columns of shapes and of logarithms of arguments."""
    mu = a + _SHIFT
    _, y, log_w = nodes = _nodes(mu)
    d = (np.exp(log_x) - mu) / mu
    near = np.abs(d) < 0.5
    log_ratio = np.where(near, np.log1p(np.where(near, d, 0)), log_x - np.log(mu))
    # log of Γ(a) e^w w^-a by Stirling's formula, nothing large being subtracted
    front = _SHIFT - a * np.log1p(_SHIFT / a) + 0.5 * np.log(2 * np.pi / a) + stirling(a)
    exponent = front - 2 * a * _minus(log_w, 1j * y) + _SHIFT * 2j * y - mu * y * y
    return _sum(nodes, d, log_ratio, exponent, order)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)


def stirling(a: ArrayLike, order: int = 0) -> NDArray[np.float64]:
    r"""Derivative of some order of the remainder of Stirling's formula, for positive numbers.

    .. math:: \delta(a) = \log \Gamma(a) - (a - 1/2) \log a + a - \log(2 \pi) / 2
              \sim \sum_n \frac{B_{2n}}{2n (2n - 1) a^{2n - 1}} \qquad \text{(DLMF 5.11.1)}
    """
    from scipy.special import gammaln, polygamma

    a = np.asarray(a, np.float64)
    large = a > 9.0
    small = np.where(large, 1.0, a)
    log, inverse = np.log(small), 1 / small
    if order == 0:
        direct = gammaln(small) - (small - 0.5) * log + small - 0.5 * np.log(2 * np.pi)
    elif order == 1:
        direct = polygamma(0, small) - log + 0.5 * inverse
    else:
        sign, factorial = (-1) ** order, float(np.prod(np.arange(1.0, order - 1)))
        direct = polygamma(order - 1, small) - sign * factorial * inverse ** (order - 1)
        direct -= sign * 0.5 * factorial * (order - 1) * inverse**order
    a = np.where(large, a, 9.0)
    series = np.zeros_like(a)
    for n in range(len(_BERNOULLI), 0, -1):  # small terms first
        power = np.prod(np.arange(1.0 - 2 * n, 1.0 - 2 * n - order, -1.0))
        series += _BERNOULLI[n - 1] / (2 * n * (2 * n - 1)) * power * a ** (1.0 - 2 * n - order)
    return np.where(large, series, direct)
