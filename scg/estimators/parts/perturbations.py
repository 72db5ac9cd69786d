"""Perturbations of parameters: antithetic pairs of normal directions, independent or orthogonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.parts.options import at_least
from scg.estimators.protocol import Draw, Sampler
from scg.ir.expr import Expr
from scg.ops.elementwise import sqrt
from scg.ops.gradient import stop
from scg.ops.linalg import dot, matmul
from scg.ops.reductions import sum
from scg.ops.shape import concatenate, np_reshape


class Directions:
    """Source of noise that returns a given normal vector."""

    def __init__(self, z: Expr):
        self.z = z

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Expr:
        """The given vector."""
        return self.z


def even(owner: str, samples: Any) -> int:
    """An even number of samples, at least 2, or an EstimatorError."""
    if at_least(owner, samples, 2) % 2:
        raise EstimatorError(f"{owner}: samples must be even, as pairs are, got {samples}")
    return samples


def pairs(rows: Expr, noise: Sampler, samples: int) -> tuple[Any, Expr]:
    """The rows of a matrix and their opposites, one for each sample of a plate."""
    plate, eye = noise.plate(samples), np.eye(samples // 2)
    return plate, matmul(noise.constant(np.concatenate([eye, -eye]), plate), rows)


def antithetic_draw(dist: Distribution, rows: Expr, noise: Sampler, samples: int) -> Draw:
    """Stopped samples at pairs of directions, with ℓ."""
    plate, z = pairs(rows, noise, samples)
    x = stop(dist.sample(Directions(np_reshape(z, dist.shape))))  # pyright: ignore
    return Draw(x, logp=dist.log_prob(x), plate=plate)


def orthogonal(rows: Expr) -> Expr:
    """The rows of a matrix made orthogonal one after the other, with the lengths that they had."""
    found: list[Any] = []
    for k in range(rows.shape[0]):
        row = rows[k]
        rest = row
        for _ in range(2 if found else 0):  # the second time removes what rounding left
            before = concatenate(*found, axis=-2) if k > 1 else found[0]
            rest = rest - matmul(matmul(before, rest), before)
        unit = rest / sqrt(dot(rest, rest))
        found.append(np_reshape(unit, (1, rows.shape[1])))
    lengths = np_reshape(sqrt(sum(rows * rows, -1)), (rows.shape[0], 1))
    return lengths * (concatenate(*found, axis=-2) if len(found) > 1 else found[0])


def directions(noise: Sampler, count: int, size: int) -> Expr:
    """Normal directions in a vector space of some size, orthogonal in blocks of that size."""
    if size < 2:
        return noise.normal((count, size))
    blocks = [
        orthogonal(noise.normal((min(size, count - at), size), f"n{at // size}" if at else "n"))
        for at in range(0, count, size)
    ]
    return concatenate(*blocks, axis=-2) if len(blocks) > 1 else blocks[0]


def flat_size(dist: Distribution) -> int:
    """Number of elements of an event."""
    return math.prod(dist.shape)
