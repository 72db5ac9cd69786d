"""Couplings: K numbers on a sample plate, each of them uniform, that avoid each other.

They are functions of K − 1 independent uniforms, the first of which is the noise leaf of a single
sample: estimators that are equal on paper are equal on one seed. For K = 2 both copulas are the
antithetic pair u, 1 − u.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scg.errors import EstimatorError
from scg.estimators.protocol import Sampler
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.elementwise import exp, greater, maximum, minimum, square, where
from scg.ops.gradient import stop
from scg.ops.powers import power
from scg.ops.reductions import sum
from scg.ops.shape import np_expand_dims
from scg.ops.special import ndtr, ndtri
from scg.special.columns import unit_rule


class Given:
    """Source of noise that returns given uniforms."""

    def __init__(self, u: Expr):
        self.u = u

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Expr:
        """The given uniforms."""
        return self.u

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Expr:
        """Their normal quantiles."""
        return ndtri(self.u)


def times(matrix: Any, vector: Expr) -> Expr:
    """Matrices times vectors on the last event axes."""
    return sum(matrix * np_expand_dims(vector, -2), axis=-1)


def spread(parts: list[Any], noise: Sampler, plate: Plate) -> Expr:
    """One expression or number for each sample, on a sample plate."""
    whole = any(isinstance(part, Expr) and part.kind == "int" for part in parts)
    marks = np.eye(len(parts), dtype=int if whole else float)
    total = noise.constant(marks[0], plate) * parts[0]
    for mark, part in zip(marks[1:], parts[1:], strict=True):
        total = total + noise.constant(mark, plate) * part
    return total


def length(plate: Plate) -> int:
    """Number of samples on a sample plate."""
    assert plate.length is not None
    return plate.length


def antithetic(noise: Sampler, plate: Plate, shape: tuple[int, ...], tag: str = "u") -> Expr:
    """The pair u, 1 − u on a plate of two."""
    start, slope = (noise.constant(np.array(v), plate) for v in ([0.0, 1.0], [1.0, -1.0]))
    return start + slope * noise.uniform(shape, tag)


class Coupling:
    """Joint distribution of K uniforms, any two of which have the same joint CDF.

    Attributes
    ----------
    lopsided : bool
        Whether small uniforms avoid each other more than large ones do.
    """

    lopsided = False

    def uniforms(
        self, noise: Sampler, plate: Plate, shape: tuple[int, ...], tag: str = "u"
    ) -> Expr:
        """Coupled uniforms on a sample plate; two of them are the antithetic pair."""
        count = length(plate)
        if count == 2:
            return antithetic(noise, plate, shape, tag)
        tags = [tag, *(f"{tag}{k}" for k in range(2, count))]
        return spread(self.couple([noise.uniform(shape, name) for name in tags]), noise, plate)

    def couple(self, leaves: list[Expr]) -> list[Expr]:
        """K coupled uniforms, made of K − 1 > 1 independent ones."""
        raise NotImplementedError

    def cdf(self, a: Any, b: Any, count: int) -> Any:
        """Probability that one uniform is below a and another one below b."""
        raise NotImplementedError

    def splits(self, count: int) -> bool:
        """Whether exact moments of more than two samples can use `box` and `leaves`."""
        return False

    def box(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mass of boxes of uniforms, and a point in each; samples are the last axis."""
        raise NotImplementedError

    def leaves(self, u: np.ndarray) -> list[np.ndarray]:
        """Independent uniforms that `couple` maps to `u`, whose last axis is that of samples."""
        raise NotImplementedError


class IndependentUniforms(Coupling):
    """Independent uniforms."""

    def uniforms(
        self, noise: Sampler, plate: Plate, shape: tuple[int, ...], tag: str = "u"
    ) -> Expr:
        """A noise leaf on the plate."""
        return noise.on(plate).uniform(shape, tag)

    def cdf(self, a: Any, b: Any, count: int) -> Any:
        """a b."""
        return a * b


class DirichletCopula(Coupling):
    """u_i = (1 − d_i)^(K−1) with d uniform on the simplex (Dimitriev and Zhou 2021)."""

    lopsided = True

    def couple(self, leaves: list[Expr]) -> list[Expr]:
        """Break a stick: d_1 = 1 − v_1^(1/(K−1)), so that the first uniform is its own leaf."""
        count, parts = len(leaves) + 1, leaves[:1]
        rest = power(parts[0], 1.0 / (count - 1))
        for k, leaf in enumerate(leaves[1:], start=2):
            kept = power(leaf, 1.0 / (count - k))
            parts.append(power(1.0 - rest * (1.0 - kept), float(count - 1)))
            rest = rest * kept
        return [*parts, power(1.0 - rest, float(count - 1))]

    def cdf(self, a: Any, b: Any, count: int) -> Any:
        """max(0, a^(1/(K−1)) + b^(1/(K−1)) − 1)^(K−1)."""
        near, far = (power(maximum(x, 0.0), 1.0 / (count - 1)) for x in (a, b))
        return power(maximum(near + far - 1.0, 0.0), float(count - 1))

    def splits(self, count: int) -> bool:
        """Two draws are a pair, whose leaf is split as it is."""
        return count > 2

    def box(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P(d > e) = max(0, 1 − Σe)^(K−1), included and excluded over the corners of the box."""
        count = low.shape[-1]
        near, far = 1.0 - high ** (1.0 / (count - 1)), 1.0 - low ** (1.0 / (count - 1))
        mass: Any = 0.0
        for corner in itertools.product((False, True), repeat=count):
            edge = np.sum(np.where(corner, far, near), axis=-1)
            mass = mass + (-1) ** np.sum(corner) * np.maximum(0.0, 1.0 - edge) ** (count - 1)
        start, end = np.sum(near, axis=-1), np.sum(far, axis=-1)
        inside = (start < 1.0) & (end > 1.0)
        share = np.where(inside, 1.0 - start, 0.5) / np.where(inside, end - start, 1.0)
        point = near + share[..., None] * (far - near)
        return np.where(inside, np.maximum(mass, 0.0), 0.0), (1.0 - point) ** (count - 1)

    def leaves(self, u: np.ndarray) -> list[np.ndarray]:
        """Break the stick backwards."""
        count, rest, found = u.shape[-1], np.ones(u.shape[:-1]), []
        shares = 1.0 - u ** (1.0 / (count - 1))
        for k in range(1, count):
            kept = rest - shares[..., k - 1]
            found.append(np.clip(kept / rest, 0.0, 1.0) ** (count - k))
            rest = kept
        return found


class GaussianCopula(Coupling):
    """u_i = Φ(z_i) with normal z whose correlations are all −1/(K−1), the least possible."""

    def couple(self, leaves: list[Expr]) -> list[Expr]:
        """Multiply K − 1 independent normals with the factor of the singular covariance."""
        normals, parts = [ndtri(leaf) for leaf in leaves], leaves[:1]
        for row in _simplex(len(leaves) + 1)[1:]:
            z = row[0] * normals[0]
            for factor, normal in zip(row[1:], normals[1:], strict=True):
                z = z + factor * normal if factor else z
            parts.append(ndtr(z))
        return parts

    def cdf(self, a: Any, b: Any, count: int) -> Any:
        """Φ(h) Φ(k) + 1/2π ∫ exp(−(h² + k² − 2hk sin t) / 2cos²t) dt, from 0 to asin ρ."""
        if count == 2:
            return maximum(a + b - 1.0, 0.0)
        # Beyond 9 standard deviations the mass rounds to 0, and infinities have no product.
        inside = (ndtri(minimum(maximum(x, 0.0), 1.0)) for x in (a, b))
        h, k = (minimum(maximum(x, -9.0), 9.0) for x in inside)
        arc, (points, weights) = np.arcsin(-1.0 / (count - 1)), unit_rule(24)
        total = ndtr(h) * ndtr(k)
        both, squares = h * k, square(h) + square(k)
        for node, weight in zip(arc * points, arc * weights, strict=True):
            exponent = (both * np.sin(node) - 0.5 * squares) / np.cos(node) ** 2
            total = total + weight / (2.0 * np.pi) * exp(exponent)
        return total


def _simplex(count: int) -> np.ndarray:
    """Corners of the regular simplex: rows of length 1 with products −1/(K−1)."""
    rows = np.zeros((count, count - 1))
    for j in range(count - 1):
        rows[j, j] = np.sqrt(1.0 - np.sum(rows[j, :j] ** 2))
        for i in range(j + 1, count):
            rows[i, j] = (-1.0 / (count - 1) - rows[i, :j] @ rows[j, :j]) / rows[j, j]
    return rows


def upside_down(u: Expr, flip: Expr) -> Expr:
    """1 − u where `flip` is true, else u; affine in u."""
    sign = stop(where(flip, 1.0, 0.0))
    return sign + (1.0 - 2.0 * sign) * u


def rarer_first(coupling: Coupling, first: Any, last: Any, count: int) -> Any:
    """Where to reflect the uniforms, so that small ones meet the rarer of two events.

    None where reflection changes nothing, as for a pair.
    """
    return greater(first, last) if coupling.lopsided and count > 2 else None


COPULAS = {
    "dirichlet": DirichletCopula(),
    "gaussian": GaussianCopula(),
    "independent": IndependentUniforms(),
}


def copula_named(caller: str, name: str) -> Coupling:
    """Coupling of a name."""
    if name not in COPULAS:
        known = ", ".join(map(repr, COPULAS))
        raise EstimatorError(f"{caller}: copula must be one of {known}, got {name!r}")
    return COPULAS[name]
