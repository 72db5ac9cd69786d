"""Matrix factorisations and linear systems on the last two event axes; leading axes are a batch.

VJPs: Giles (2008), "An extended collection of matrix derivative results"; Murray (2016),
"Differentiation of the Cholesky decomposition".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops.arrange import swapaxes, tril
from scg.ops.attributes import flag
from scg.ops.elementwise import JUMPS, possible, square
from scg.ops.linalg import matmul
from scg.ops.reductions import sum
from scg.ops.rows import MATRIX, RowOp, matrices
from scg.ops.shape import reshape

EventShape = tuple[int, ...]


# --- NumPy rules: NaN for a matrix without a result, where NumPy raises for the whole batch ---
def each(rule: Any, *xs: Any) -> Any:
    """Apply a rule to a batch of matrices; the result is NaN where it raises."""
    try:
        return rule(*xs)
    except np.linalg.LinAlgError:
        lead = np.broadcast_shapes(*(x.shape[:-2] for x in xs))
        full = [np.broadcast_to(x, lead + x.shape[-2:]) for x in xs]
        if not lead:
            return np.full(xs[-1].shape, np.nan, xs[-1].dtype)
        return np.stack([each(rule, *parts) for parts in zip(*full, strict=True)])


def _factor(a: Any) -> Any:
    factor = each(np.linalg.cholesky, 0.5 * (a + np.swapaxes(a, -1, -2)))
    # LAPACK continues with a pivot that is infinite or NaN.
    valid = np.all(np.isfinite(factor), axis=(-2, -1), keepdims=True)
    return np.where(valid, factor, factor.dtype.type(np.nan))


def _triangular(a: Any, b: Any, lower: bool, transposed: bool) -> Any:
    from scipy.linalg import solve_triangular as solve

    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if 0 in lead:  # SciPy does not take an empty batch
        return np.empty(lead + b.shape[-2:], b.dtype)
    return each(
        lambda a, b: solve(a, b, lower=lower, trans=int(transposed), check_finite=False), a, b
    )


def square_matrix(a: EventShape) -> EventShape:
    """Shape rule: of square matrices, the same."""
    if len(a) < 2 or a[-1] != a[-2]:
        raise ValueError(f"expected a square matrix on the last two axes, got shape {a}")
    return a


def _solved(a: EventShape, b: EventShape, **_: Any) -> EventShape:
    if len(b) < 2 or square_matrix(a)[-1] != b[-2]:
        raise ValueError(f"a matrix of shape {a} does not fit a right side of shape {b}")
    return (*np.broadcast_shapes(a[:-2], b[:-2]), *b[-2:])


def t(x: Any) -> Any:
    """Transpose the last two event axes."""
    return swapaxes(x, -1, -2)


def _deep(x: Any) -> Any:
    return reshape(x, shape=(*x.shape, 1, 1))


def _credited(x: Any, g: Expr) -> Expr:
    """`x`, but zero for a matrix without a result whose cotangent `g` is zero."""
    return possible(x, sum(square(g), (-1, -2), keepdims=True))


# --- ops --------------------------------------------------------------------------------------
def _cholesky_vjp(g: Expr, y: Expr, a: Expr) -> Expr:
    n, y = y.shape[-1], _credited(y, g)
    halved = matmul(t(y), tril(g)) * (np.tri(n) - 0.5 * np.eye(n))
    inner = _credited(_solve_triangular(y, halved, lower=True, transposed=True), g)
    outer = t(_credited(_solve_triangular(y, t(inner), lower=True, transposed=True), g))
    return 0.5 * (outer + t(outer))


def _triangular_vjp(g: Expr, y: Expr, a: Expr, b: Expr, lower: bool, transposed: bool) -> Expr:
    back = _solve_triangular(a, g, lower=lower, transposed=not transposed)
    back, y = _credited(back, g), _credited(y, g)
    product = matmul(y, t(back)) if transposed else matmul(back, t(y))
    return -tril(product) if lower else -t(tril(t(product)))


def _one_rank(a: Expr, b: Expr, **attrs: Any) -> str | None:
    return None if a.ndim == b.ndim else "matrices with equally many axes"


#: The lower factor L of a symmetric positive definite matrix, of which both triangles count.
_cholesky = Op("cholesky", _factor, square_matrix, (_cholesky_vjp,), row=matrices("cholesky"))
_solve_triangular = Op(
    "solve_triangular",
    _triangular,
    _solved,
    (
        _triangular_vjp,
        lambda g, y, a, b, lower, transposed: _credited(
            _solve_triangular(a, g, lower=lower, transposed=not transposed), g
        ),
    ),
    linear=(1,),
    attributes={"lower": flag, "transposed": flag},
    fits=_one_rank,
    row=RowOp(
        "solve_triangular",
        lambda e: (MATRIX,) * 3,
        lambda e: (*e.shape[-2:], int(e.attrs["lower"]), int(e.attrs["transposed"])),
    ),
)
_solve = Op(
    "solve",
    lambda a, b: each(np.linalg.solve, a, b),
    _solved,
    (
        lambda g, y, a, b: -matmul(_credited(_solve(t(a), g), g), t(_credited(y, g))),
        lambda g, y, a, b: _credited(_solve(t(a), g), g),
    ),
    linear=(1,),
    fits=_one_rank,
)
_inverse = Op(
    "inverse",
    lambda a: each(np.linalg.inv, a),
    square_matrix,
    (lambda g, y, a: -matmul(t(_credited(y, g)), matmul(g, t(_credited(y, g)))),),
)
_log_abs_det = Op(
    "log_abs_det",
    lambda a: np.linalg.slogdet(a)[1],
    lambda a: square_matrix(a)[:-2],
    (lambda g, y, a: _deep(g) * t(_credited(_inverse(a), _deep(g))),),
)
_sign_det = Op(
    "sign_det", lambda a: np.linalg.slogdet(a)[0], lambda a: square_matrix(a)[:-2], (None,), **JUMPS
)


# --- what users call --------------------------------------------------------------------------
@implements(np.linalg.cholesky)
def cholesky(a: Any) -> Any:
    """Lower triangular L with L Lᵀ = a; NaN where `a` is not positive definite.

    Only the symmetric part of `a` counts, and its derivative is symmetric.
    """
    return _cholesky(a)


def solve_triangular(a: Any, b: Any, *, lower: bool = True, transposed: bool = False) -> Any:
    """Solution x of a x = b (or aᵀ x = b) for a triangular `a`, whose other triangle is not read.

    Use it with the factor of a covariance; for a general matrix write ``np.linalg.solve``.

    Parameters
    ----------
    a : node or array_like
        Matrices, shape (..., n, n).
    b : node or array_like
        A vector (n,), or matrices (..., n, m).
    lower, transposed : bool
        Which triangle is read, and whether the transposed system is solved.
    """
    return _on_matrices(_solve_triangular, a, b, lower=bool(lower), transposed=bool(transposed))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Solution x of a x = b for a vector (n,) or matrices (..., n, m)."""
    return _on_matrices(_solve, a, b)


def _on_matrices(rule: Op, a: Any, b: Any, **attrs: Any) -> Any:
    """Apply a rule to events of one rank: a vector becomes a column, missing axes have length 1."""
    if np.ndim(b) == 0 or np.ndim(a) < 2:
        raise DeclarationError(
            "solve: expected matrices, and on the right side a vector or matrices, got shapes "
            f"{np.shape(a)} and {np.shape(b)}"
        )
    vector = np.ndim(b) == 1
    b = reshape(b, shape=(*np.shape(b), 1)) if vector else b
    rank = max(np.ndim(a), np.ndim(b))
    a, b = (
        x if np.ndim(x) == rank else reshape(x, shape=(1,) * (rank - np.ndim(x)) + np.shape(x))
        for x in (a, b)
    )
    x = rule(a, b, **attrs)
    return reshape(x, shape=np.shape(x)[:-1]) if vector else x


@implements(np.linalg.inv)
def inverse(a: Any) -> Any:
    """Inverse of square matrices; NaN where there is none.

    ``np.linalg.solve(a, b)`` is cheaper and more accurate than ``inverse(a) @ b``.
    """
    return _inverse(a)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> tuple[Any, Any]:
    """Sign of the determinant, and the logarithm of its absolute value."""
    return _sign_det(a), _log_abs_det(a)
