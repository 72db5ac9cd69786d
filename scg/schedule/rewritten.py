"""Rewrite ops that kernels do not know in terms of those that they do.

Choosing and sorting become `take` and its adjoint; linear algebra becomes one factorisation of a
matrix and triangular systems; derivatives of determinants become products with a diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ir.op import POSITION, Op, constant, intern, plate_size
from scg.ir.plate import Plates, ordered
from scg.ir.walk import rewrite, topological
from scg.ops import decompositions, gather, select, statistics, steps
from scg.ops.arrange import diagonal
from scg.ops.determinant import cofactors, cofactors_of, det, slope, slope_of_cofactors
from scg.ops.elementwise import (
    absolute,
    cast,
    equal,
    exp,
    greater,
    less,
    log,
    logical_and,
    not_equal,
    sqrt,
    where,
)
from scg.ops.proportions import dirichlet_core, log_over_means
from scg.ops.reductions import REDUCTIONS, keep, zeros
from scg.ops.rows import MATRIX, RowOp, matrices
from scg.ops.shape import part, reshape, take_slice, transpose
from scg.ops.weighted import log_mean_exp
from scg.schedule import halves

_sum, _max, _ = REDUCTIONS
Shape = tuple[int, ...]


def of_kernels(name: str, row: RowOp | None = None, shape: Any = None) -> Op:
    """Op that only kernels compute; without a shape rule its arguments must be lowered."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise TypeError(f"{name!r} runs in kernels only")

    return Op(name, unknown, shape or unknown, row=row)


_take = of_kernels(
    "take", RowOp("take", lambda e: ((), (-e.args[0].ndim,), ()), lambda e: (e.args[0].shape[0],))
)
_ROWS = RowOp("add_at", lambda e: ((-e.ndim,), (), ()), lambda e: (e.shape[0],), from_zero=True)
add_at = of_kernels("add_at", _ROWS)
#: Sets the rows to zero that `add_at` of the same arguments adds to, in its array.
clear_at = of_kernels("clear_at", replace(_ROWS, function="clear_at", from_zero=False))
#: Order of the first axis, in twice its length.
_digits = of_kernels(
    "argsort by digits",
    RowOp("argsort_digits", lambda e: ((-e.ndim,),) * 2, lambda e: (e.args[0].shape[0],)),
)
#: Longest rows that are sorted by insertion.
SHORT = 48
_lu = of_kernels("lu", matrices("lu"))
_sign_of_lu = of_kernels(
    "sign_of_lu", RowOp("sign_det", lambda e: ((), MATRIX), lambda e: (e.args[0].shape[-1],))
)
_lu_solve = of_kernels(
    "lu_solve", RowOp("lu_solve", lambda e: (MATRIX,) * 3, lambda e: e.shape[-2:])
)
_diagonalize = of_kernels(
    "diagonalize", matrices("diagonalize"), lambda a: (*a[:-2], 3 * a[-1], a[-1])
)


def _built(op: Op, args: tuple[Expr, ...], shape: Shape, plates: Plates | None = None) -> Expr:
    if plates is None:
        plates = ordered(plate for arg in args for plate in arg.plates)
    return intern(args[0].graph, op, args, {}, (shape, plates, args[0].kind))


# --- choosing: take(x, k)[i...] = x[k[i...], i...]; add_at(g, k) is its adjoint -------------------
def _chosen(x: Expr, k: Expr) -> Expr:
    return _built(_take, (x, k), np.broadcast_shapes(x.shape[1:], k.shape))


def clearing(e: Expr) -> Expr:
    """The op that clears a result of `add_at`."""
    return intern(e.graph, clear_at, e.args, {}, (e.shape, e.plates, e.kind))


def _gather(e: Expr, views: Any) -> Expr:
    x, k = e.args
    rows = reshape(x, shape=(x.shape[0], *(1,) * k.ndim, *x.shape[1:]))
    return _chosen(rows, reshape(k, shape=k.shape + (1,) * (x.ndim - 1)))


def _scatter(e: Expr, views: Any) -> Expr:
    g, k = e.args
    k_wide = reshape(k, shape=k.shape + (1,) * (g.ndim - k.ndim))
    shape = (e.shape[0], *(1,) * k.ndim, *e.shape[1:])
    return reshape(_built(add_at, (g, k_wide), shape, e.plates), shape=e.shape)


def _to_front(x: Expr, axis: int) -> Expr:
    """Move an event axis to the front, and leave an axis of length 1 in its place."""
    order = (axis, *(a for a in range(-x.ndim, 0) if a != axis))
    moved = transpose(x, axes=order) if x.ndim > 1 else x
    return reshape(moved, shape=(x.shape[axis], *keep(x.shape, (axis,))))


def _from_front(x: Expr, axis: int) -> Expr:
    """Undo :func:`_to_front`."""
    rest = [n for i, n in enumerate(x.shape[1:], 1 - x.ndim) if i != axis]
    moved = reshape(x, shape=(x.shape[0], *rest))
    places = [i - moved.ndim for i in range(1, moved.ndim)]
    places.insert(axis + moved.ndim, -moved.ndim)
    return transpose(moved, axes=tuple(places)) if moved.ndim > 1 else moved


def _take_along(e: Expr, views: Any) -> Expr:
    x, k = e.args
    return _chosen(_to_front(x, e.attrs["axis"]), k)


def _scatter_along(e: Expr, views: Any) -> Expr:
    axis = e.attrs["axis"]
    shape = (e.shape[axis], *keep(e.shape, (axis,)))
    return _from_front(_built(add_at, e.args, shape), axis)


def _sort(e: Expr, views: Any) -> Expr:
    (x,) = e.args
    order = _argsort(select._argsort(x, **e.attrs), views)
    return _chosen(_to_front(x, e.attrs["axis"]), order)


def _argsort(e: Expr, views: Any) -> Expr:
    (x,), axis = e.args, e.attrs["axis"]
    n = x.shape[axis]
    if n <= SHORT:
        return e
    shape = (2 * n, *keep(x.shape, (axis,)))
    order = intern(e.graph, _digits, (_to_front(x, axis),), {}, (shape, e.plates, "int"))
    return _from_front(part(order, 0, n, axis=-order.ndim), axis)


def _one_hot(e: Expr, views: Any) -> Expr:
    (k,) = e.args
    places = constant(e.graph, np.arange(e.attrs["depth"]))
    return cast(equal(reshape(k, shape=(*k.shape, 1)), places))


# --- steps ----------------------------------------------------------------------------------------
def _here(e: Expr) -> Expr:
    """Whether an element of a plate is the one that an op of steps names."""
    plate, index = e.attrs["plate"], e.attrs["index"]
    place = intern(e.graph, POSITION, (), {"plate": plate}, ((), (plate,), "int"))
    return equal(place, index if index >= 0 else plate_size(e.graph, plate) + float(index))


def _at_step(e: Expr, views: Any) -> Expr:
    (x,) = e.args
    if x.kind == "bool":
        return not_equal(_at_step(e.op.build(e.graph, (where(x, 1, 0),), e.attrs), views), 0)
    return _sum(where(_here(e), x, zeros(x)), axes=(), over=(e.attrs["plate"],))


def _only_step(e: Expr, views: Any) -> Expr:
    return where(_here(e), e.args[0], zeros(e))


# --- reductions -----------------------------------------------------------------------------------
def _norm(e: Expr, views: Any) -> Expr:
    x, axes = _float(e.args[0]), e.attrs["axes"]
    top = _max(absolute(x), axes=axes, over=())
    top = where(logical_and(greater(top, 0.0), less(top, np.inf)), top, 1.0)
    ratio = x / reshape(top, shape=keep(x.shape, axes))
    return sqrt(_sum(ratio * ratio, axes=axes, over=())) * top


def _log_mean_exp(e: Expr, views: Any) -> Expr:
    w, x = (_float(arg) for arg in e.args)
    some = greater(w, 0.0)
    top = _last(_max, where(some, x, -np.inf))
    top = where(less(absolute(top), np.inf), top, 0.0)
    deep = reshape(top, shape=(*top.shape, 1))
    parts = where(some, w * exp(x - deep), 0.0)
    return log(_last(_sum, parts) / _last(_sum, w)) + top


def _last(op: Op, x: Expr) -> Expr:
    return op(x, axes=(-1,), over=())


# --- linear algebra -------------------------------------------------------------------------------
def _float(x: Expr) -> Expr:
    return x if x.kind == "float" else cast(x)


def _floats(e: Expr, views: Any) -> Expr:
    return e.op.build(e.graph, tuple(map(_float, e.args)), e.attrs)


def _factors(a: Expr) -> Expr:
    """LU factors of a matrix, and one more row that holds the exchanges of rows."""
    a = _float(a)
    return _built(_lu, (a,), (*a.shape[:-2], a.shape[-1] + 1, a.shape[-1]))


def _solved(a: Expr, b: Expr) -> Expr:
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:])
    return _built(_lu_solve, (_factors(a), b), shape)


def _solve(e: Expr, views: Any) -> Expr:
    return _solved(e.args[0], _float(e.args[1]))


def _inverse(e: Expr, views: Any) -> Expr:
    return _solved(e.args[0], constant(e.graph, np.eye(e.shape[-1])))


def _log_abs_det(e: Expr, views: Any) -> Expr:
    factors = _factors(e.args[0])
    *lead, rows, n = factors.shape
    flat = reshape(factors, shape=(*lead, rows * n))
    diagonal = take_slice(flat, index=(*((0, m, 1) for m in lead), (0, n * n, n + 1)))
    return _sum(log(absolute(diagonal)), axes=(-1,), over=())


def _sign_det(e: Expr, views: Any) -> Expr:
    return _built(_sign_of_lu, (_factors(e.args[0]),), e.shape)


def _det(e: Expr, views: Any) -> Expr:
    return _sign_det(e, views) * exp(_log_abs_det(e, views))


def _diagonal(a: Expr) -> tuple[Expr, Expr, Expr]:
    """Left factor of determinant 1, the diagonal that it makes of `a`, and right factor."""
    n, whole = a.shape[-1], [(0, m, 1) for m in a.shape[:-2]]
    made = _built(_diagonalize, (_float(a),), (*a.shape[:-2], 3 * n, n))
    middle, left, right = (
        take_slice(made, index=(*whole, (i * n, i * n + n, 1), (0, n, 1))) for i in range(3)
    )
    return left, diagonal(middle, 0, -2, -1), right


def _of_determinants(e: Expr) -> Expr:
    a, *rest = e.args
    rule = cofactors_of if e.op is cofactors else slope_of_cofactors
    return rule(*_diagonal(a), *map(_float, rest)) if e.size else zeros(e)


def expanded(outputs: Mapping[Any, Expr]) -> dict[Any, Expr]:
    """Outputs in which derivatives of determinants, and large factors, are made of other ops."""
    order = topological(outputs.values())
    if not any(expr.op in _EXPANDED for expr in order):
        return dict(outputs)
    env: dict[Expr, Expr] = {}
    for expr in order:
        rewrite((expr,), env)
        if expr.op in _EXPANDED:
            env[expr] = _EXPANDED[expr.op](env[expr])
    return {key: env[expr] for key, expr in outputs.items()}


_EXPANDED: dict[Any, Any] = {
    cofactors: _of_determinants,
    slope: _of_determinants,
    decompositions._cholesky: lambda e: halves.factor(_float(e.args[0])),
    decompositions._solve_triangular: lambda e: halves.solution(
        _float(e.args[0]), _float(e.args[1]), **e.attrs
    ),
}
#: From (expression, views) to an equal expression.
RULES = {
    steps.at_step: _at_step,
    steps.only_step: _only_step,
    gather.gather: _gather,
    gather.scatter: _scatter,
    gather.take_along: _take_along,
    gather.scatter_along: _scatter_along,
    gather._one_hot: _one_hot,
    select._sort: _sort,
    select._argsort: _argsort,
    statistics._norm: _norm,
    log_mean_exp: _log_mean_exp,
    **dict.fromkeys((statistics._sparsemax, log_over_means, dirichlet_core), _floats),
    **dict.fromkeys((decompositions._cholesky, decompositions._solve_triangular), _floats),
    decompositions._solve: _solve,
    decompositions._inverse: _inverse,
    decompositions._log_abs_det: _log_abs_det,
    decompositions._sign_det: _sign_det,
    det: _det,
}
