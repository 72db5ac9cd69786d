"""Reductions over event axes and over plates, and what undoes their shape: expand."""

from __future__ import annotations

import builtins
import math
from collections.abc import Container, Iterable
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op, constant, plate_size
from scg.ir.plate import Plate, Plates, as_plates, ordered
from scg.ops import attributes
from scg.ops.base import broadcast, elementwise, normal_axes
from scg.ops.elementwise import cast, divide, equal, exp, log, subtract, where
from scg.ops.powers import inverse_or_zero
from scg.ops.shape import reshape


def _drop(shape: tuple[int, ...], axes: tuple[int, ...], over: Plates = ()) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape, -len(shape)) if i not in axes)


def _drop_some(shape: tuple[int, ...], axes: tuple[int, ...], over: Plates = ()) -> tuple[int, ...]:
    if any(shape[i] == 0 for i in axes):
        raise ValueError("an axis of length 0 has no largest element")
    return _drop(shape, axes)


def _keep(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(shape, -len(shape)))


def _without(args: tuple[Expr, ...], attrs: dict[str, Any]) -> Plates:
    return tuple(plate for plate in args[0].plates if plate not in attrs["over"])


def _unreduced(out: Any, like: Any, axes: tuple[int, ...]) -> Any:
    """Give a reduced result its event axes back, with length 1, so that it broadcasts."""
    return reshape(out, shape=_keep(np.shape(like), axes))


def _top(x: np.ndarray, axes: tuple[int, ...], over: tuple[int, ...] = ()) -> Any:
    top = np.max(x, axis=axes + over)
    return np.where(np.isfinite(top), top, 0.0)


def _logsumexp(x: np.ndarray, axes: tuple[int, ...], over: tuple[int, ...] = ()) -> Any:
    top = _top(x, axes, over)
    total = np.sum(np.exp(x - np.expand_dims(top, axes + over)), axis=axes + over)
    return _log_of_sum(total) + top


def _log_of_sum(x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(x)


_REDUCED = {"axes": attributes.axes, "over": attributes.over}


# The interpreter passes the positions of the plates' axes, counted from the end, as `over`.
_sum = Op(
    "sum",
    lambda x, axes, over=(): np.sum(x, axis=axes + over),
    _drop,
    (lambda g, y, x, axes, over: expand(_unreduced(g, x, axes), x.plates, x.shape),),
    kind="same",
    plates=_without,
    linear=(0,),
    attributes=_REDUCED,
)
_max = Op(
    "max",
    lambda x, axes, over=(): np.max(x, axis=axes + over),
    _drop_some,
    (lambda g, y, x, axes, over: _shared_by_ties(g, y, x, axes, over),),
    kind="same",
    smooth=False,
    plates=_without,
    attributes=_REDUCED,
)
_lse = Op(
    "logsumexp",
    _logsumexp,
    _drop_some,
    (lambda g, y, x, axes, over: _unreduced(g, x, axes) * shares(x, axes, over),),
    plates=_without,
    attributes=_REDUCED,
)
#: The largest element if it is finite, else 0: subtracted before exp, it cancels in the result.
#: Its derivative is therefore taken to be zero.
shift = Op(
    "shift",
    _top,
    _drop_some,
    (lambda g, y, x, axes, over: zeros(x),),
    plates=_without,
    attributes=_REDUCED,
)
REDUCTIONS = (_sum, _max, _lse)
#: Reductions that have no value where there are no elements.
NEED_ELEMENTS = (_max, _lse, shift)

#: log of a sum of exponentials. Where it is zero nothing depends on its terms.
log_of_sum = elementwise(
    "log_of_sum",
    _log_of_sum,
    lambda g, y, x: g * inverse_or_zero(x),
    kernel="log_{code}({0})",
)


def _exponentials(x: Any, axes: Any, over: Plates = ()) -> tuple[Any, Any, Any]:
    """Return z = x − shift, exp(z) and Σ exp(z), in which no common shift of x is left."""
    top = shift(x, axes=axes, over=over)
    z = subtract(x, _unreduced(top, x, axes))
    return z, exp(z), _unreduced(_sum(exp(z), axes=axes, over=over), x, axes)


def shares(x: Expr, axes: Any, over: Plates = ()) -> Expr:
    """Return exp(x) / Σ exp(x), zero where every exp(x) is."""
    _, terms, total = _exponentials(x, axes, over)
    return terms * inverse_or_zero(total)


def _shared_by_ties(g: Expr, y: Expr, x: Expr, axes: Any, over: Plates) -> Expr:
    hit = cast(equal(x, _unreduced(y, x, axes)))
    ties = _unreduced(_sum(hit, axes=axes, over=over), x, axes)
    return _unreduced(g, x, axes) * hit / ties


def expand(x: Expr, plates: Plates, shape: tuple[int, ...]) -> Expr:
    """Repeat `x` over more plates and broadcast its event to `shape`; no data are copied."""
    if x.shape == shape and set(plates) <= set(x.plates):
        return x
    return broadcast(x, plates=ordered(plates), shape=shape)


def zeros(like: Expr) -> Expr:
    """Return the constant zero with the plates, the shape and the kind of `like`."""
    zero = {"float": 0.0, "int": 0, "bool": False}[like.kind]
    return expand(constant(like.graph, zero), like.plates, like.shape)


def fit(g: Expr, plates: Plates, shape: tuple[int, ...]) -> Expr:
    """Sum `g` over what was broadcast, so that it has exactly these plates and this shape."""
    axes = tuple(
        i for i in range(-g.ndim, 0) if -i > len(shape) or (shape[i] == 1 and g.shape[i] != 1)
    )
    over = tuple(plate for plate in g.plates if plate not in plates)
    if axes or over:
        inner = range(-builtins.min(g.ndim, len(shape)), 0)
        kept = tuple(1 if i in axes else g.shape[i] for i in inner)
        g = reshape(_sum(g, axes=axes, over=over), shape=kept)
    return expand(g, plates, shape)


def sum_mixed(x: Expr, sep: Container[Plate]) -> Expr:
    """Sum `x` over the user's plates that do not survive, those outside `sep`."""
    return plate_sum(x, tuple(p for p in x.plates if p.owned_by_user and p not in sep))


# --- what users call --------------------------------------------------------------------------
def _over(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    axes = normal_axes(axis, np.ndim(x))
    if not isinstance(x, Expr):
        out = op.numpy(np.asarray(x), axes=axes)
        return np.expand_dims(out, axes) if keepdims and axes else out
    out = op(x, axes=axes, over=()) if axes else x
    return _unreduced(out, x, axes) if keepdims else out


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over event axes (all by default)."""
    return _over(_sum, _counted(x), axis, keepdims)


def _counted(x: Any) -> Any:
    """Return booleans as integers: a sum counts them."""
    return where(x, 1, 0) if isinstance(x, Expr) and x.kind == "bool" else x


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Maximum over event axes; ties share the gradient equally."""
    return _over(_max, x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return log Σ exp(x) over event axes, without overflow."""
    return _over(_lse, x, axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean over event axes."""
    shape = np.shape(x)
    count = math.prod(shape[i] for i in normal_axes(axis, len(shape)))
    if count == 0:
        raise DeclarationError(f"mean: an event of shape {shape} has no elements to average")
    return divide(sum(x, axis, keepdims), float(count))


def softmax(x: Any, axis: int = -1) -> Any:
    """Return exp(x) / Σ exp(x) along one event axis; NaN where every exp(x) is zero."""
    _, terms, total = _exponentials(x, normal_axes(axis, np.ndim(x)))
    return divide(terms, total)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Return x − log Σ exp(x) along one event axis."""
    z, _, total = _exponentials(x, normal_axes(axis, np.ndim(x)))
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
    """Sum over a plate (or several); every element then influences the result."""
    plates = _plates_of(x, plate, "plate_sum")
    return _sum(_counted(x), axes=(), over=plates) if plates else x


def plate_mean(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """Mean over a plate of the user's, for example a batch statistic."""
    plates = _plates_of(x, plate, "plate_mean")
    out = plate_sum(x, plates)
    for p in plates:
        out = out / plate_size(out.graph, p)
    return out


def plate_logsumexp(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """Return log Σ exp(x) over a plate; subtract ``np.log`` of its length for log-mean-exp."""
    return _lse(x, axes=(), over=_plates_of(x, plate, "plate_logsumexp"))


def plate_max(x: Any, plate: Plate | Iterable[Plate]) -> Expr:
    """Maximum over a plate."""
    return _max(x, axes=(), over=_plates_of(x, plate, "plate_max"))


def plate_log_mean_exp(x: Any, plate: Plate) -> Expr:
    """Return log of the mean of exp(x) over a plate (the IWAE bound of log-weights)."""
    out = plate_logsumexp(x, plate)
    for p in as_plates(plate):
        out = out - log(plate_size(out.graph, p))
    return out
