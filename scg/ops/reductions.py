"""Reductions over event axes and over plates, and what undoes their shape: expand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Container, Iterable
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op, constant, plate_size
from scg.ir.plate import Plate, Plates, as_plates, ordered
from scg.ops import attributes
from scg.ops.base import broadcast, elementwise, normal_axes, plates_left
from scg.ops.elementwise import cast, counted, divide, equal, exp, log, subtract
from scg.ops.powers import inverse_or_zero
from scg.ops.shape import reshape

Axes = tuple[int, ...]
#: Most elements of windows that are joined array by array.
FEW = 64


def drop(shape: Axes, axes: Axes, over: Plates = ()) -> Axes:
    """Shape rule: an event without some axes."""
    return tuple(n for i, n in enumerate(shape, -len(shape)) if i not in axes)


def _drop_some(shape: Axes, axes: Axes, over: Plates = ()) -> Axes:
    if any(shape[i] == 0 for i in axes):
        raise ValueError("an axis of length 0 has no largest element")
    return drop(shape, axes)


def keep(shape: Axes, axes: Axes) -> Axes:
    """An event's shape with axes of length 1 in place of some."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape, -len(shape)))


def unreduced(out: Any, like: Any, axes: Axes) -> Any:
    """A reduced result with its event axes back, of length 1, so that it broadcasts."""
    return reshape(out, shape=keep(np.shape(like), axes))


def kept(out: Any, like: Any, axes: Axes, keepdims: Any) -> Any:
    """A reduced result, unreduced if `keepdims`."""
    if not isinstance(keepdims, (int, np.bool_)):
        raise DeclarationError(f"keepdims is True or False, got {keepdims!r}")
    return unreduced(out, like, axes) if keepdims else out


def _joined(join: np.ufunc, x: np.ndarray, axes: Axes, dtype: Any = None) -> Any:
    """A reduction; array by array over windows, because NumPy would take their rows in turn."""
    if axes != (-4, -3) or not 1 < x.shape[-4] * x.shape[-3] <= FEW:
        return join.reduce(x, axis=axes, dtype=dtype)
    out = x[..., 0, 0, :, :].astype(dtype or x.dtype)
    for i, j in itertools.islice(np.ndindex(x.shape[-4:-2]), 1, None):
        join(out, x[..., i, j, :, :], out=out)
    return out


def _total(x: np.ndarray, axes: Axes, over: Axes = ()) -> Any:
    """A sum, in double precision of floats in single: NumPy adds rows one after the other."""
    if x.dtype.kind != "f":
        return np.sum(x, axis=axes + over)
    return _joined(np.add, x, axes + over, float).astype(x.dtype, copy=False)


def _top(x: np.ndarray, axes: Axes, over: Axes = ()) -> Any:
    top = np.max(x, axis=axes + over)
    return np.where(np.isfinite(top), top, 0.0)


def _logsumexp(x: np.ndarray, axes: Axes, over: Axes = ()) -> Any:
    top = _top(x, axes, over)
    total = _total(np.exp(x - np.expand_dims(top, axes + over)), axes, over)
    return _log_of_sum(total) + top


def _log_of_sum(x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(x)


def _reduction(
    name: str, numpy: Callable[..., Any], shape: Callable[..., Axes], vjp: Any, **traits: Any
) -> Op:
    """Declare a reduction over event axes and, as `over`, plates.

    The interpreter gives the NumPy rule the positions of the plates' axes, counted from the end.
    """
    return Op(
        name,
        numpy,
        shape,
        (vjp,),
        plates=plates_left,
        attributes={"axes": attributes.axes, "over": attributes.over},
        **traits,
    )


_sum = _reduction(
    "sum",
    _total,
    drop,
    lambda g, y, x, axes, over: expand(unreduced(g, x, axes), x.plates, x.shape),
    kind="same",
    linear=(0,),
)
_max = _reduction(
    "max",
    lambda x, axes, over=(): _joined(np.maximum, x, axes + over),
    _drop_some,
    lambda g, y, x, axes, over: _shared_by_ties(g, y, x, axes, over),
    kind="same",
    smooth=False,
)
_lse = _reduction(
    "logsumexp",
    _logsumexp,
    _drop_some,
    lambda g, y, x, axes, over: unreduced(g, x, axes) * shares(x, axes, over),
)
#: The largest element if it is finite, else 0. It is subtracted before exp and cancels in the
#: result; its derivative is therefore taken to be zero.
shift = _reduction("shift", _top, _drop_some, lambda g, y, x, axes, over: zeros(x))
REDUCTIONS = (_sum, _max, _lse)
#: Reductions that have no value where there are no elements.
NEED_ELEMENTS = (_max, _lse, shift)

#: log of a sum of exponentials; where the sum is zero, its derivative is taken to be zero.
log_of_sum = elementwise(
    "log_of_sum", _log_of_sum, lambda g, y, x: g * inverse_or_zero(x), kernel="log_{code}({0})"
)


def _exponentials(x: Any, axes: Any, over: Plates = ()) -> tuple[Any, Any, Any]:
    """z = x − shift, exp(z) and Σ exp(z): a common shift of x is gone."""
    top = shift(x, axes=axes, over=over)
    z = subtract(x, unreduced(top, x, axes))
    return z, exp(z), unreduced(_sum(exp(z), axes=axes, over=over), x, axes)


def shares(x: Expr, axes: Any, over: Plates = ()) -> Expr:
    """exp(x) / Σ exp(x); all zero where every exp(x) is."""
    _, terms, total = _exponentials(x, axes, over)
    return terms * inverse_or_zero(total)


def _shared_by_ties(g: Expr, y: Expr, x: Expr, axes: Any, over: Plates) -> Expr:
    hit = cast(equal(x, unreduced(y, x, axes)))
    ties = unreduced(_sum(hit, axes=axes, over=over), x, axes)
    return unreduced(g, x, axes) * hit / ties


@implements("expand")
def expand(x: Expr, plates: Plates, shape: tuple[int, ...]) -> Expr:
    """`x` repeated over more plates, its event broadcast to `shape`; no data are copied."""
    if x.shape == shape and set(plates) <= set(x.plates):
        return x
    return broadcast(x, plates=ordered(plates), shape=shape)


def zeros(like: Expr) -> Expr:
    """The constant zero with the plates, the shape and the kind of `like`."""
    zero = {"float": 0.0, "int": 0, "bool": False}[like.kind]
    return expand(constant(like.graph, zero), like.plates, like.shape)


def fit(g: Expr, plates: Plates, shape: tuple[int, ...]) -> Expr:
    """`g` summed over what was broadcast, so that it has exactly these plates and this shape."""
    axes = tuple(
        i for i in range(-g.ndim, 0) if -i > len(shape) or (shape[i] == 1 and g.shape[i] != 1)
    )
    over = tuple(plate for plate in g.plates if plate not in plates)
    if axes or over:
        inner = range(-min(g.ndim, len(shape)), 0)
        kept = tuple(1 if i in axes else g.shape[i] for i in inner)
        g = reshape(_sum(g, axes=axes, over=over), shape=kept)
    return expand(g, plates, shape)


def sum_mixed(x: Expr, sep: Container[Plate]) -> Expr:
    """Sum `x` over the user's plates that do not survive, those outside `sep`."""
    return plate_sum(x, tuple(p for p in x.plates if p.owned_by_user and p not in sep))


# --- what users call --------------------------------------------------------------------------
def _over(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    axes = normal_axes(axis, x)
    if isinstance(x, Expr):
        return kept(op(x, axes=axes, over=()) if axes else x, x, axes, keepdims)
    return kept(op.numpy(np.asarray(x), axes=axes), x, axes, keepdims)


@implements(np.sum)
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over event axes (all by default)."""
    return _over(_sum, counted(x), axis, keepdims)


@implements(np.max)
def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Maximum over event axes; ties share the gradient equally."""
    return _over(_max, x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log Σ exp(x) over event axes, without overflow."""
    return _over(_lse, x, axis, keepdims)


@implements(np.mean)
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean over event axes."""
    n = count(x, axis)
    if n == 0:
        raise DeclarationError(f"mean: an event of shape {np.shape(x)} has no elements to average")
    return divide(sum(x, axis, keepdims), float(n))


def count(x: Any, axis: Any) -> int:
    """Number of elements that a reduction over event axes joins."""
    return math.prod(np.shape(x)[i] for i in normal_axes(axis, x))


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / Σ exp(x) along one event axis; NaN if each exp(x) is zero.

    Use it for probabilities as values. For a distribution with these logits write
    ``scg.Categorical(logits=x)``, for their logarithms :func:`log_softmax`.
    """
    _, terms, total = _exponentials(x, normal_axes(axis, x))
    return divide(terms, total)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """x − log Σ exp(x) along one event axis: accurate where the softmax underflows."""
    z, _, total = _exponentials(x, normal_axes(axis, x))
    return subtract(z, log_of_sum(total))


def _plates_of(x: Any, plate: Any, caller: str) -> Plates:
    plates = as_plates(plate)
    for p in plates:
        if not isinstance(x, Expr) or p not in x.plates:
            raise DeclarationError(
                f"scg.{caller}: {x!r} is not on plate {p.name!r}. "
                "It can only be reduced over a plate that it has"
            )
    return plates


def plate_sum(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """Sum over a plate (or several).

    Every element of the plate then influences the result, so that a score function estimator
    credits each element with the costs of all. ``np.sum`` sums over event axes instead.
    """
    plates = _plates_of(x, plate, "plate_sum")
    return _sum(counted(x), axes=(), over=plates) if plates else x


def plate_mean(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """Mean over a plate (or several), for example a batch statistic; see :func:`plate_sum`."""
    plates = _plates_of(x, plate, "plate_mean")
    out = plate_sum(x, plates)
    for p in plates:
        out = out / plate_size(out.graph, p)
    return out


def plate_logsumexp(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """log Σ exp(x) over a plate; subtract ``np.log`` of its length for log-mean-exp."""
    return _lse(x, axes=(), over=_plates_of(x, plate, "plate_logsumexp"))


def plate_max(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """Maximum over a plate; ties share the gradient equally."""
    return _max(x, axes=(), over=_plates_of(x, plate, "plate_max"))


def plate_log_mean_exp(x: Any, plate: Plate) -> Expr:
    """Logarithm of the mean of exp(x) over a plate (the IWAE bound of log-weights)."""
    out = plate_logsumexp(x, plate)
    for p in as_plates(plate):
        out = out - log(plate_size(out.graph, p))
    return out
