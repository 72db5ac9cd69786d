"""Reductions over event axes besides sum, maximum and log-sum-exp; products along an axis."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops import attributes
from scg.ops.arrange import swapaxes
from scg.ops.base import elementwise, is_boolean, normal_axes, one_axis
from scg.ops.elementwise import (
    JUMPS,
    SIGN,
    absolute,
    cast,
    counted,
    greater,
    logical_not,
    multiply,
    negative,
    square,
)
from scg.ops.powers import times_power
from scg.ops.reductions import count, drop, kept, max, mean, sum, unreduced
from scg.ops.rows import last, vectors
from scg.ops.shape import concatenate, part, ravel, reshape, transpose

EventAxes = tuple[int, ...]


def _flattened(x: Any, axis: Any) -> tuple[Any, EventAxes]:
    """`x` with the reduced event axes joined to one last axis, and those axes."""
    shape, every = np.shape(x), tuple(range(-np.ndim(x), 0))
    axes = normal_axes(axis, x)
    rest = tuple(i for i in every if i not in axes)
    moved = transpose(x, axes=rest + axes) if rest + axes != every else x
    length = math.prod(shape[i] for i in axes)
    return reshape(moved, shape=(*(shape[i] for i in rest), length)), axes


# --- minimum, product -----------------------------------------------------------------------
@implements(np.min)
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Minimum over event axes; ties share the gradient equally."""
    if is_boolean(x):
        return logical_not(max(logical_not(x), axis, keepdims))
    return negative(max(negative(x), axis, keepdims))


@implements(np.prod)
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Product over event axes, by halves: derivatives are exact where factors are zero."""
    flat, axes = _flattened(counted(x), axis)
    length = np.shape(flat)[-1]
    while length > 1:
        half = length // 2
        paired = multiply(part(flat, 0, half), part(flat, half, 2 * half))
        if length % 2:
            paired = concatenate(paired, part(flat, 2 * half, length), axis=-1)
        flat, length = paired, half + length % 2
    one = reshape(flat, shape=np.shape(flat)[:-1]) if length else sum(flat, axis=-1) + 1.0
    return kept(one, x, axes, keepdims)


def cumprod(x: Any, axis: int | None = -1) -> Any:
    """Cumulative product along one event axis, by doubling: exact where factors are zero.

    With ``axis=None`` the event is flattened first, as in NumPy.
    """
    x, axis = (ravel(x), -1) if axis is None else (x, one_axis(axis, x))
    x = counted(x)
    out, step, n = swapaxes(x, axis, -1), 1, np.shape(x)[axis]
    while step < n:
        shifted = multiply(part(out, step, n), part(out, 0, n - step))
        out, step = concatenate(part(out, 0, step), shifted, axis=-1), 2 * step
    return swapaxes(out, axis, -1)


@implements(np.cumprod)
def _np_cumprod(x: Any, axis: int | None = None) -> Any:
    return cumprod(x, axis)


# --- position of the extreme ------------------------------------------------------------------
def _some(x: EventAxes) -> EventAxes:
    if x[-1] == 0:
        raise ValueError("an axis of length 0 has no largest element")
    return x


_argmax, _argmin = (
    Op(
        rule.__name__,
        lambda x, rule=rule: rule(x, axis=-1),
        lambda x: _some(x)[:-1],
        (None,),
        kind="int",
        row=last(rule.__name__),
        **JUMPS,
    )
    for rule in (np.argmax, np.argmin)
)


@implements(np.argmax)
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the maximum along an event axis (of the flattened event by default)."""
    return _position(_argmax, x, axis, keepdims)


@implements(np.argmin)
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the minimum along an event axis (of the flattened event by default)."""
    return _position(_argmin, x, axis, keepdims)


def _position(op: Op, x: Any, axis: int | None, keepdims: bool) -> Any:
    flat, axes = _flattened(x, None if axis is None else one_axis(axis, x))
    return kept(op(flat), x, axes, keepdims)


# --- moments and norms ------------------------------------------------------------------------
@implements(np.var)
def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """Variance over event axes; the divisor is the count minus `ddof`."""
    degrees = _degrees(x, axis, ddof)
    return sum(square(x - mean(x, axis, keepdims=True)), axis, keepdims) / degrees


def _degrees(x: Any, axis: Any, ddof: Any) -> float:
    n = count(x, axis)
    if not isinstance(ddof, Real):
        raise DeclarationError(f"var, std: ddof is a number, got {ddof!r}")
    degrees = n - float(ddof)
    if degrees <= 0:
        raise DeclarationError(f"var, std: {n} elements, which with ddof={ddof} leave no divisor")
    return degrees


@implements(np.std)
def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """Standard deviation over event axes: the root of :func:`var`.

    Its derivative is zero where all elements are equal.
    """
    degrees = _degrees(x, axis, ddof)
    return norm((x - mean(x, axis, keepdims=True)) / math.sqrt(degrees), None, axis, keepdims)


def _euclidean(x: np.ndarray, axes: EventAxes) -> Any:
    top = np.max(np.abs(x), axis=axes, keepdims=True, initial=0.0)
    top = np.where((top > 0) & np.isfinite(top), top, 1.0)  # no square overflows
    root = np.sqrt(np.sum(np.square(x / top), axis=axes, keepdims=True, dtype=float))
    return np.squeeze(root * top, axis=axes)


def _norm_vjp(g: Expr, y: Expr, x: Expr, axes: EventAxes) -> Expr:
    return unreduced(g, x, axes) * _direction(x, unreduced(y, x, axes))


#: x over its length, zero at the origin. There it jumps, so that the second derivative of the
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
    drop,
    (_norm_vjp,),
    smooth=False,
    square=lambda x, axes: sum(square(x), axes),
    attributes={"axes": attributes.axes},
    turns=SIGN,
)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Vector norm over event axes: Euclidean (also of a matrix: Frobenius), 1 or infinity.

    The gradient at the origin is zero. The Hessian there is right where a function is written in
    the square, such as ``np.exp(-norm(x) ** 2 / 2)``; an even function of the norm itself, such as
    ``np.cos(norm(x))``, loses its curvature at the origin.
    """
    axes = normal_axes(axis, x)
    if ord not in (None, 1, 2, np.inf, "fro"):
        raise DeclarationError(f"norm: ord must be None, 1, 2, inf or 'fro', got {ord!r}")
    if ord in (1, 2, np.inf) and len(axes) != 1:
        raise DeclarationError(
            f"norm: ord={ord} is a vector norm here; give one axis, e.g. axis=-1"
        )
    if ord == 1:
        return sum(absolute(x), axis, keepdims)
    if ord == np.inf:
        return max(absolute(x), axis, keepdims)
    if ord == "fro" and len(axes) != 2:
        raise DeclarationError(f"norm: 'fro' is a norm over two axes, got {len(axes)}")
    return kept(_norm(x, axes=axes), x, axes, keepdims)


# --- sparsemax ----------------------------------------------------------------------------------
def _project(x: np.ndarray) -> Any:
    x = x - np.max(x, axis=-1, keepdims=True)  # a shift changes nothing, and the sum is small
    z = -np.sort(-x, axis=-1)
    excess = np.cumsum(z, axis=-1) - 1.0
    places = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    size = np.sum(z * places > excess, axis=-1, keepdims=True)
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

    Unlike ``scg.softmax`` it gives small elements the probability zero.

    Notes
    -----
    Martins and Astudillo (2016).
    """
    axis = one_axis(axis, x)
    if axis == -1:
        return _sparsemax(x)
    return swapaxes(_sparsemax(swapaxes(x, axis, -1)), axis, -1)
