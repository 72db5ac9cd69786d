"""Determinants and their derivatives, also of singular matrices.

Two factors of determinant 1 make a matrix a diagonal: left a right = diag(d). Derivatives of the
determinant are then sums of products of elements of d, without a division.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops.arrange import diagonal
from scg.ops.decompositions import each, inverse, square_matrix, t
from scg.ops.elementwise import absolute, exp, less, log, where
from scg.ops.linalg import matmul
from scg.ops.reductions import sum, zeros
from scg.ops.shape import concatenate, cumsum, part, reshape
from scg.ops.statistics import prod


# --- of a diagonal: on arrays the NumPy rules, on nodes what kernels compute --------------------
def _row(x: Any) -> Any:
    return reshape(x, shape=(*np.shape(x)[:-1], 1, np.shape(x)[-1]))


def _of_others(d: Any) -> Any:
    """For each element of the last axis the product of the others."""
    n = np.shape(d)[-1]
    none = np.zeros((*np.shape(d)[:-1], 1))
    size = log(absolute(d))
    before = concatenate(none, part(cumsum(size, -1), 0, n - 1), axis=-1)
    backwards = part(size, n - 1, -1, -1)
    after = concatenate(none, part(cumsum(backwards, -1), 0, n - 1), axis=-1)
    signs = where(less(d, 0.0), -1.0, 1.0)
    return prod(signs, -1, keepdims=True) * signs * exp(before + part(after, n - 1, -1, -1))


def cofactors_of(left: Any, d: Any, right: Any) -> Any:
    """Cofactors, the derivative of the determinant."""
    return matmul(t(left) * _row(_of_others(d)), t(right))


def slope_of_cofactors(left: Any, d: Any, right: Any, g: Any) -> Any:
    """Derivative of ⟨g, cofactors⟩."""
    n = np.shape(d)[-1]
    own = np.eye(n)
    inner = matmul(matmul(left, g), right)
    pairs = (1.0 - own) * _of_others(where(own > 0, 1.0, _row(d)))
    along = own * _row(sum(pairs * _row(diagonal(inner, 0, -2, -1)), -1))
    return matmul(matmul(t(left), along - pairs * t(inner)), t(right))


def _diagonal(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, d, v = np.linalg.svd(np.asarray(a, np.float64))
    left, right = np.swapaxes(u, -1, -2).copy(), np.swapaxes(v, -1, -2).copy()
    signs = [np.sign(np.linalg.det(x))[..., None] for x in (left, right)]
    left[..., 0, :] *= signs[0]
    right[..., :, 0] *= signs[1]
    d[..., :1] *= signs[0] * signs[1]
    return left, d, right


def _of_diagonal(rule: Any, a: Any, *rest: Any) -> Any:
    if not a.size:
        return np.zeros(np.broadcast_shapes(a.shape, *(x.shape for x in rest)), a.dtype)
    # LAPACK may not return from a matrix with NaN or infinities.
    finite = np.all(np.isfinite(a), axis=(-1, -2), keepdims=True)
    with np.errstate(divide="ignore"):
        out = rule(*_diagonal(np.where(finite, a, 0.0)), *rest)
    return np.where(finite, out, np.nan).astype(a.dtype)


# --- ops --------------------------------------------------------------------------------------
def _third(g: Expr, y: Expr, a: Expr, b: Expr) -> Expr:
    """Derivative of ⟨g, slope of cofactors⟩ in `a`; it needs the inverse of `a`."""
    if a.shape[-1] < 3:
        return zeros(a)
    x = t(inverse(a))
    in_b, in_g = (matmul(x, matmul(t(part_), x)) for part_ in (b, g))

    def trace(p: Any, q: Any) -> Any:
        return sum(p * q, (-1, -2), keepdims=True)

    pairs = matmul(x, matmul(t(b), in_g)) + matmul(x, matmul(t(g), in_b))
    both = trace(x, b) * trace(x, g) - trace(in_b, g)
    once = trace(x, g) * in_b + trace(x, b) * in_g
    return reshape(det(a), shape=(*a.shape[:-2], 1, 1)) * (both * x - once + pairs)


det = Op(
    "det",
    lambda a: np.linalg.det(a),
    lambda a: square_matrix(a)[:-2],
    (lambda g, y, a: reshape(g, shape=(*g.shape, 1, 1)) * cofactors(a),),
)
implements(np.linalg.det)(det)
cofactors = Op(
    "cofactors",
    lambda a: each(partial(_of_diagonal, cofactors_of), a),
    square_matrix,
    (lambda g, y, a: slope(a, g),),
)
slope = Op(
    "slope_of_cofactors",
    lambda a, g: each(partial(_of_diagonal, slope_of_cofactors), a, g),
    lambda a, g: square_matrix(a),
    (_third, lambda g, y, a, b: slope(a, g)),
    linear=(1,),
)
