"""The von Mises distribution."""

from __future__ import annotations

import math
from math import exp, inf, log, nan

from scg.engine.codegen.calls import CALLS
from scg.engine.codegen.intrinsics import sin, sqrt
from scg.engine.codegen.scalars.base import numbers, part, scalar
from scg.special.columns import unit_rule
from scg.special.von_mises import _COUNT, _DECAY

i0e = CALLS["i0e"]

_point, _weight = map(numbers, unit_rule(_COUNT))


@part
def mass(kappa, start, stop, power):
    """Integrate (cos t − 1)^power exp(κ (cos t − 1)) over (start, stop)."""
    total = 0.0
    for k in range(_COUNT):
        half = sin(0.5 * (start + (stop - start) * _point(k)))
        versine = -2.0 * half * half
        term = exp(kappa * versine) * _weight(k)
        for _ in range(power):
            term *= versine
        total += term
    return (stop - start) * total


@part
def reach(kappa, z):
    """Where the density has fallen far below its value at z, or π."""
    half = sin(0.5 * z) ** 2 + 0.5 * _DECAY / kappa
    return 2.0 * math.asin(sqrt(min(half, 1.0)))


@scalar
def von_mises_cdf(kappa, x, order):
    """Twin of :func:`scg.special.von_mises.von_mises_cdf`."""
    z = min(abs(x), math.pi)
    end, whole_end = reach(kappa, z), reach(kappa, 0.0)
    whole = mass(kappa, 0.0, whole_end, 0)
    i0 = mass(kappa, z, end, 0) / whole
    if order == 0:
        return 1.0 - 0.5 * i0 if x > 0.0 else 0.5 * i0
    i1, m1 = mass(kappa, z, end, 1) / whole, mass(kappa, 0.0, whole_end, 1) / whole
    ratio = i1 - i0 * m1
    if order > 1:
        i2, m2 = mass(kappa, z, end, 2) / whole, mass(kappa, 0.0, whole_end, 2) / whole
        ratio = i2 - 2.0 * i1 * m1 - i0 * (m2 - 2.0 * m1 * m1)
        if order > 2:
            i3, m3 = mass(kappa, z, end, 3) / whole, mass(kappa, 0.0, whole_end, 3) / whole
            ratio = i3 - 3.0 * i2 * m1 - 3.0 * i1 * (m2 - 2.0 * m1 * m1)
            ratio -= i0 * (m3 - 6.0 * m1 * m2 + 6.0 * m1 * m1 * m1)
    return ratio * (-0.5 if x > 0.0 else (0.5 if x < 0.0 else -0.5 * x))


@scalar
def von_mises_quantile(kappa, u):
    """Twin of :func:`scg.special.von_mises.von_mises_quantile`."""
    if not (kappa >= 0.0 and kappa < inf and u > 0.0 and u < 1.0):
        return nan
    tail = 2.0 * min(u, 1.0 - u) * math.pi * i0e(kappa)
    low, high = 0.0, math.pi
    z = 0.5 * reach(kappa / 10.0, 0.0)
    for _ in range(100):
        at = z
        part = mass(kappa, at, reach(kappa, at), 0)
        excess = log(part / tail)
        if excess > 0.0:
            low = at
        else:
            high = at
        new = at + excess * part * exp(2.0 * kappa * sin(0.5 * at) ** 2)
        inside = new > low and new < high
        z = new if inside else 0.5 * (low + high)
        short = max(1e-9 * min(at, math.pi - at), 4e-16 * at)
        if (inside and abs(new - at) <= short) or not low < high:
            break
    return -z if u < 0.5 else z


@scalar
def von_mises_variance(kappa, order):
    """Twin of :func:`scg.special.von_mises.von_mises_variance`."""
    end = reach(kappa, 0.0)
    total, mean, angle = 0.0, 0.0, 0.0
    for k in range(_COUNT):
        t = end * _point(k)
        versine = -2.0 * sin(0.5 * t) ** 2
        weight = exp(kappa * versine) * _weight(k)
        total, mean, angle = total + weight, mean + weight * t * t, angle + weight * versine
    mean, angle = mean / total, angle / total
    if order == 0:
        return mean
    joint, single, square = 0.0, 0.0, 0.0
    for k in range(_COUNT):
        t = end * _point(k)
        versine = -2.0 * sin(0.5 * t) ** 2
        weight = exp(kappa * versine) * _weight(k) / total
        versine -= angle
        term = weight * (t * t - mean) * versine
        single, square = single + term, square + weight * versine * versine
        for _ in range(order - 1):
            term *= versine
        joint += term
    return joint if order < 3 else joint - 3.0 * single * square


@scalar
def log_i0e(kappa, order):
    """Twin of :func:`scg.special.von_mises.log_i0e`."""
    if order == 0:
        return log(i0e(kappa))
    end = reach(kappa, 0.0)
    whole = mass(kappa, 0.0, end, 0)
    m1 = mass(kappa, 0.0, end, 1) / whole
    if order == 1:
        return m1
    m2 = mass(kappa, 0.0, end, 2) / whole
    if order == 2:
        return m2 - m1 * m1
    return mass(kappa, 0.0, end, 3) / whole - 3.0 * m1 * m2 + 2.0 * m1 * m1 * m1
