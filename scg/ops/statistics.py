"""Reductions over event axes besides sum, maximum and log-sum-exp; products along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops import attributes
from scg.ops.base import elementwise, normal_axes, one_axis
from scg.ops.elementwise import JUMPS, absolute, cast, greater, multiply, negative, square
from scg.ops.powers import times_power
from scg.ops.reductions import _drop, _keep, max, mean, sum
from scg.ops.rows import last, vectors
from scg.ops.shape import concatenate, reshape, take_slice, transpose

EventAxes = tuple[int, ...]


def flattened(x: Any, axis: Any) -> tuple[Any, EventAxes]:
    """Return `x` with the reduced event axes joined to one last axis, and those axes."""
    shape = np.shape(x)
    axes = normal_axes(axis, len(shape))
    rest = tuple(i for i in range(-len(shape), 0) if i not in axes)
    moved = transpose(x, axes=rest + axes) if rest + axes != tuple(range(-len(shape), 0)) else x
    length = int(np.prod([shape[i] for i in axes], dtype=int))
    return reshape(moved, shape=(*(shape[i] for i in rest), length)), axes


def _kept(out: Any, x: Any, axes: EventAxes, keepdims: bool) -> Any:
    return reshape(out, shape=_keep(np.shape(x), axes)) if keepdims else out


def part(x: Any, start: int, stop: int, step: int = 1) -> Any:
    """Slice the last event axis."""
    shape = np.shape(x)
    return take_slice(x, index=(*((0, n, 1) for n in shape[:-1]), (start, stop, step)))


# --- minimum, product -----------------------------------------------------------------------
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Minimum over event axes; ties share the gradient equally."""
    return negative(max(negative(x), axis, keepdims))


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Product over event axes, by halves: derivatives are exact where factors are zero."""
    flat, axes = flattened(x, axis)
    length = np.shape(flat)[-1]
    while length > 1:
        half = length // 2
        paired = multiply(part(flat, 0, half), part(flat, half, 2 * half))
        if length % 2:
            paired = concatenate(paired, part(flat, 2 * half, length), axis=-1)
        flat, length = paired, half + length % 2
    one = reshape(flat, shape=np.shape(flat)[:-1]) if length else sum(flat, axis=-1) + 1.0
    return _kept(one, x, axes, keepdims)


def cumprod(x: Any, axis: int | None = -1) -> Any:
    """Cumulative product along one event axis, by doubling: exact where factors are zero.

    With ``axis=None`` the event is flattened first, as in NumPy.
    """
    if axis is None:
        x, axis = reshape(x, shape=(int(np.prod(np.shape(x), dtype=int)),)), -1
    shape = np.shape(x)
    axis = one_axis(axis, len(shape))
    order = (*(i for i in range(-len(shape), 0) if i != axis), axis)
    back = tuple(int(i) - len(shape) for i in np.argsort([i + len(shape) for i in order]))
    out, step, n = transpose(x, axes=order), 1, shape[axis]
    while step < n:
        shifted = multiply(part(out, step, n), part(out, 0, n - step))
        out, step = concatenate(part(out, 0, step), shifted, axis=-1), 2 * step
    return transpose(out, axes=back)


# --- position of the extreme ------------------------------------------------------------------
def _some(x: EventAxes) -> EventAxes:
    if x[-1] == 0:
        raise ValueError("an axis of length 0 has no largest element")
    return x


def _position(name: str, rule: Any) -> Op:
    return Op(
        name,
        lambda x: rule(x, axis=-1),
        lambda x: _some(x)[:-1],
        (None,),
        kind="int",
        row=last(name),
        **JUMPS,
    )


_argmax, _argmin = _position("argmax", np.argmax), _position("argmin", np.argmin)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the maximum along an event axis (of the flattened event by default)."""
    return _arg(_argmax, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the minimum along an event axis (of the flattened event by default)."""
    return _arg(_argmin, x, axis, keepdims)


def _arg(op: Op, x: Any, axis: int | None, keepdims: bool) -> Any:
    flat, axes = flattened(x, axis)
    return _kept(op(flat), x, axes, keepdims)


# --- moments and norms ------------------------------------------------------------------------
def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """Variance over event axes; the divisor is the count minus `ddof`."""
    count = _degrees(x, axis, ddof)
    return sum(square(x - mean(x, axis, keepdims=True)), axis, keepdims) / float(count)


def _degrees(x: Any, axis: Any, ddof: int) -> int:
    shape = np.shape(x)
    count = math.prod(shape[i] for i in normal_axes(axis, len(shape)))
    if count <= ddof:
        raise DeclarationError(
            f"var, std: {count} elements, which with ddof={ddof} leave no divisor"
        )
    return count - ddof


def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """Standard deviation over event axes: the root of :func:`var`.

    Its derivative is zero where all elements are equal.
    """
    count = _degrees(x, axis, ddof)
    return norm((x - mean(x, axis, keepdims=True)) / math.sqrt(count), None, axis, keepdims)


def _euclidean(x: np.ndarray, axes: EventAxes) -> Any:
    top = np.max(np.abs(x), axis=axes, keepdims=True, initial=0.0)
    top = np.where((top > 0) & np.isfinite(top), top, 1.0)  # no square overflows
    root = np.sqrt(np.sum(np.square(x / top), axis=axes, keepdims=True))
    return np.squeeze(root * top, axis=axes)


def _norm_vjp(g: Expr, y: Expr, x: Expr, axes: EventAxes) -> Expr:
    g, length = (reshape(part, shape=_keep(x.shape, axes)) for part in (g, y))
    return g * _direction(x, length)


#: x over its length, zero at the origin, where it jumps: from there the second derivative of the
#: length is infinite.
_direction = elementwise(
    "direction",
    lambda x, length: np.where(x == 0, 0.0, x) / np.where(x == 0, 1.0, length),
    lambda g, y, x, length: times_power(g, length, -1.0),
    lambda g, y, x, length: -(g * times_power(y, length, -1.0)),
    linear=(0,),
    kernel="({zero} if {0} == {zero} else {0} / {1})",
    **JUMPS,
)
#: Euclidean length; its derivative at the origin is taken to be zero. Its square is smooth.
_norm = Op(
    "norm",
    _euclidean,
    _drop,
    (_norm_vjp,),
    smooth=False,
    square=lambda x, axes: sum(square(x), axes),
    attributes={"axes": attributes.axes},
    turns=("sign", 0),
)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Vector norm over event axes: Euclidean (also of a matrix: Frobenius), 1 or infinity.

    The gradient at the origin is zero. The Hessian there is right where a function is written in
    the square, such as ``np.exp(-norm(x) ** 2 / 2)``; an even function of the norm itself, such as
    ``np.cos(norm(x))``, loses its curvature at the origin.
    """
    axes = normal_axes(axis, np.ndim(x))
    if ord in (1, np.inf) and len(axes) != 1:
        raise DeclarationError(
            f"norm: ord={ord} is a vector norm here; give one axis, e.g. axis=-1"
        )
    if ord == 1:
        return sum(absolute(x), axis, keepdims)
    if ord == np.inf:
        return max(absolute(x), axis, keepdims)
    if ord not in (None, 2, "fro") or (ord == 2 and len(axes) != 1):
        raise DeclarationError(f"norm: ord must be None, 1, 2 or inf, got {ord!r}")
    return _kept(_norm(x, axes=axes), x, axes, keepdims)


# --- sparsemax ----------------------------------------------------------------------------------
def _project(x: np.ndarray) -> Any:
    x = x - np.max(x, axis=-1, keepdims=True)  # a shift changes nothing, and the sum is small
    z = -np.sort(-x, axis=-1)
    excess = np.cumsum(z, axis=-1) - 1.0
    count = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    size = np.sum(z * count > excess, axis=-1, keepdims=True)
    threshold = np.take_along_axis(excess, size - 1, axis=-1) / size
    return np.maximum(x - threshold, 0.0).astype(x.dtype)


def _on_support(g: Expr, y: Expr, x: Expr) -> Expr:
    inside = cast(greater(y, 0.0))
    mean_inside = sum(g * inside, -1, keepdims=True) / sum(inside, -1, keepdims=True)
    return inside * (g - mean_inside)


_sparsemax = Op(
    "sparsemax", _project, _some, (_on_support,), smooth=False, row=vectors("sparsemax")
)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """Euclidean projection of `x` on the simplex along one event axis.

    Notes
    -----
    Martins and Astudillo (2016, algorithm 1 and equation 11).
    """
    n = np.ndim(x)
    axis = one_axis(axis, n)
    if axis == -1:
        return _sparsemax(x)
    swap = list(range(-n, 0))
    swap[axis], swap[-1] = -1, axis
    return transpose(_sparsemax(transpose(x, axes=tuple(swap))), axes=tuple(swap))
