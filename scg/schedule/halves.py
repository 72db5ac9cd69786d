"""Cholesky factors and triangular systems of large matrices by halves.

Row functions run through small matrices. A large one is halved until its blocks are small, and what
lies beside the blocks on the diagonal becomes matrix products, which the BLAS computes.
"""

from __future__ import annotations

import numpy as np

from scg.ir.expr import Expr
from scg.ops.arrange import diagonal
from scg.ops.decompositions import _cholesky, _solve_triangular, t
from scg.ops.elementwise import equal, greater, where
from scg.ops.linalg import matmul
from scg.ops.reductions import sum, zeros
from scg.ops.shape import concatenate, part

#: Least rows of a matrix that is halved, and blocks on the diagonal at which halving ends.
LARGE, MOST = 48, 16


def factor(a: Expr) -> Expr:
    """The Cholesky factor; NaN for a matrix without one."""
    found = _factor(a, _least(a))
    if a.shape[-1] < LARGE:
        return found
    last = part(part(found, a.shape[-1] - 1, a.shape[-1], axis=-2), a.shape[-1] - 1, a.shape[-1])
    return where(equal(last, last), found, np.nan)


def _least(a: Expr) -> int:
    return max(LARGE, a.shape[-1] // MOST)


def _factor(a: Expr, least: int) -> Expr:
    if a.shape[-1] < least:
        return _cholesky(a)
    (top, right), (left, low) = ([_block(a, i, j) for j in (0, 1)] for i in (0, 1))
    above = _factor(top, least)
    beside = _solution(above, 0.5 * (right + t(left)), True, False, least)
    below = _factor(low - matmul(t(beside), beside), least)
    rows = [above, zeros(right)], [t(beside), below]
    return concatenate(*(concatenate(*row, axis=-1) for row in rows), axis=-2)


def solution(a: Expr, b: Expr, lower: bool, transposed: bool) -> Expr:
    """The solution of a triangular system; NaN for a singular matrix."""
    found = _solution(a, b, lower, transposed, _least(a))
    if a.shape[-1] < LARGE:
        return found
    pivots = equal(diagonal(a, 0, -2, -1), 0.0)
    singular = sum(where(pivots, 1.0, 0.0), axis=-1, keepdims=True)
    return where(greater(singular[..., None], 0.0), np.nan, found)


def _solution(a: Expr, b: Expr, lower: bool, transposed: bool, least: int) -> Expr:
    if a.shape[-1] < least:
        return _solve_triangular(a, b, lower=lower, transposed=transposed)
    beside = _block(a, 1, 0) if lower else _block(a, 0, 1)
    first, last = (0, 1) if lower != transposed else (1, 0)
    middle = a.shape[-1] // 2
    halves = [part(b, 0, middle, axis=-2), part(b, middle, a.shape[-1], axis=-2)]
    one = _solution(_block(a, first, first), halves[first], lower, transposed, least)
    rest = halves[last] - matmul(t(beside) if transposed else beside, one)
    other = _solution(_block(a, last, last), rest, lower, transposed, least)
    return concatenate(*((one, other) if first == 0 else (other, one)), axis=-2)


def _block(a: Expr, i: int, j: int) -> Expr:
    ends = 0, a.shape[-1] // 2, a.shape[-1]
    return part(part(a, ends[i], ends[i + 1], axis=-2), ends[j], ends[j + 1])
