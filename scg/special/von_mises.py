"""The von Mises distribution on (−π, π), of density exp(κ cos x) / (2π I₀(κ)): CDF and quantile.

The upper tail and its derivatives in κ are integrals of (cos t − 1)^j exp(κ (cos t − 1)), here by
Gauss-Legendre quadrature up to where the integrand is below e^-50 of its first value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scg.special.columns import check_order, doubles, unit_rule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_COUNT = 64  # points of the rule
_DECAY = 50.0


def _integrals(kappa: NDArray, start: NDArray, stop: NDArray, orders: int) -> list[NDArray]:
    """Integrate (cos t − 1)^j exp(κ (cos t − 1)) over (start, stop) for j = 0, ..., orders."""
    length, (points, weights) = stop - start, unit_rule(_COUNT)
    t = start[..., None] + length[..., None] * points
    versine = -2 * np.sin(0.5 * t) ** 2
    term = np.exp(kappa[..., None] * versine) * weights
    return [length * (term * versine**j).sum(axis=-1) for j in range(orders + 1)]


def _reach(kappa: NDArray, z: NDArray) -> NDArray:
    """Angle where the density has fallen to e^-50 of its value at z, at most π."""
    with np.errstate(divide="ignore"):
        half = np.sin(0.5 * z) ** 2 + 0.5 * _DECAY / kappa
    return 2 * np.arcsin(np.sqrt(np.minimum(half, 1.0)))


def _tail(kappa: NDArray, z: NDArray, orders: int) -> tuple[list[NDArray], list[NDArray]]:
    """Integrals over (z, π) and over (0, π), both divided by the latter for j = 0."""
    zero = np.zeros_like(z)
    whole = _integrals(kappa, zero, _reach(kappa, zero), orders)
    part = _integrals(kappa, z, _reach(kappa, z), orders)
    return [x / whole[0] for x in part], [x / whole[0] for x in whole]


def von_mises_cdf(kappa: ArrayLike, x: ArrayLike, order: int = 0) -> NDArray[np.float64]:
    """Derivative of the CDF in κ.

    The concentration κ is not negative, the angle lies between −π and π, the order from 0 to 3.
    """
    check_order(order, range(4), "the CDF")
    kappa, x = doubles(kappa, x)
    i, m = _tail(kappa, np.minimum(np.abs(x), np.pi), order)
    if order == 0:
        return np.where(x > 0, 1 - 0.5 * i[0], 0.5 * i[0])
    if order == 1:
        ratio = i[1] - i[0] * m[1]
    elif order == 2:
        ratio = i[2] - 2 * i[1] * m[1] - i[0] * (m[2] - 2 * m[1] ** 2)
    else:
        ratio = i[3] - 3 * i[2] * m[1] - 3 * i[1] * (m[2] - 2 * m[1] ** 2)
        ratio -= i[0] * (m[3] - 6 * m[1] * m[2] + 6 * m[1] ** 3)
    return -0.5 * np.sign(x) * ratio


def von_mises_quantile(kappa: ArrayLike, u: ArrayLike) -> NDArray[np.float64]:
    """Angle x for CDF(x) = u, by Newton's method on the logarithm of the tail."""
    kappa, u = doubles(kappa, u)
    valid = (kappa >= 0) & np.isfinite(kappa) & (u > 0) & (u < 1)
    out = np.full(u.shape, np.nan)
    inside = np.flatnonzero(valid)
    kappa, u = kappa.ravel()[inside], u.ravel()[inside]
    z = _newton(kappa, 2 * np.minimum(u, 1 - u))
    out.flat[inside] = np.where(u < 0.5, -z, z)
    return out


def _newton(kappa: NDArray, tail: NDArray) -> NDArray:
    """Angle z with P(|X| > z) = tail; elements that have converged take no more steps."""
    from scipy.special import i0e

    mass = np.pi * i0e(kappa)
    low, high = np.zeros(tail.shape), np.full(tail.shape, np.pi)
    z = 0.5 * _reach(kappa / 10, low)
    moving = np.arange(len(z))
    for _ in range(100):
        k, at = kappa[moving], z[moving]
        (part,) = _integrals(k, at, _reach(k, at), 0)
        excess = np.log(part / mass[moving] / tail[moving])
        low[moving] = np.where(excess > 0, at, low[moving])
        high[moving] = np.where(excess > 0, high[moving], at)
        new = at + excess * part * np.exp(2 * k * np.sin(0.5 * at) ** 2)
        inside = (new > low[moving]) & (new < high[moving])
        z[moving] = np.where(inside, new, 0.5 * (low[moving] + high[moving]))
        # the error of a Newton step is about the square of its length
        short = np.maximum(1e-9 * np.minimum(at, np.pi - at), 4e-16 * at)
        moving = moving[~(inside & (np.abs(new - at) <= short)) & (low < high)[moving]]
        if not moving.size:
            break
    return z


def log_i0e(kappa: ArrayLike, order: int = 0) -> NDArray[np.float64]:
    """Derivative of log(exp(−κ) I₀(κ)) in κ: for order > 0 a cumulant of cos x − 1."""
    from scipy.special import i0e

    check_order(order, range(4), "log I₀")
    (kappa,) = doubles(kappa)
    if order == 0:
        return np.log(i0e(kappa))
    zero = np.zeros_like(kappa)
    mass, *rest = _integrals(kappa, zero, _reach(kappa, zero), order)
    m = [x / mass for x in rest]
    if order == 1:
        return m[0]
    if order == 2:
        return m[1] - m[0] ** 2
    return m[2] - 3 * m[0] * m[1] + 2 * m[0] ** 3


def von_mises_variance(kappa: ArrayLike, order: int = 0) -> NDArray[np.float64]:
    """Derivative of E x² in κ: the joint cumulant of x² and `order` times cos x − 1."""
    check_order(order, range(4), "the variance")
    kappa = np.asarray(kappa, np.float64)[..., None]
    points, weights = unit_rule(_COUNT)
    t = _reach(kappa, np.zeros_like(kappa)) * points
    versine = -2 * np.sin(0.5 * t) ** 2
    weight = np.exp(kappa * versine) * weights
    weight = weight / weight.sum(axis=-1, keepdims=True)
    mean = (weight * t**2).sum(axis=-1, keepdims=True)
    if order == 0:
        return mean[..., 0]
    square = t**2 - mean
    versine = versine - (weight * versine).sum(axis=-1, keepdims=True)
    joint = (weight * square * versine**order).sum(axis=-1)
    if order < 3:
        return joint
    pairs = (weight * square * versine).sum(axis=-1), (weight * versine**2).sum(axis=-1)
    return joint - 3 * pairs[0] * pairs[1]
