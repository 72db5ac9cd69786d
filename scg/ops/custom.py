"""Ops of the user's own, and the user's promise that an expression is continuous."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.common.arguments import check_name, checked, masked, said, takes
from scg.errors import CallError, DeclarationError
from scg.ir.expr import KINDS, Expr, describe
from scg.ir.op import Op, constant
from scg.ops.base import integers
from scg.ops.reductions import zeros

_serial = itertools.count()

#: The identity; the user promises that what it wraps is continuous.
continuous = Op(
    "continuous",
    lambda x: x,
    lambda x: x,
    (lambda g, y, x: g,),
    kind="same",
    doc="`x`; declares that the path through it is continuous, and makes no check.",
)


@checked("scg.op(function, vjp=None)", DeclarationError)
def op(
    fn: Callable[..., Any],
    vjp: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    shape: tuple[int, ...] | Callable[..., tuple[int, ...]] = (),
    kind: str = "float",
    vectorized: bool = False,
) -> Callable[..., Any]:
    """Op that calls a Python function, such as a simulator or a reward.

    Use it where no composition of NumPy functions on nodes says the same: NumPy functions are
    compiled and have all derivatives, whereas an op of a function runs in Python.

    Parameters
    ----------
    fn : callable
        From arrays of event shape to an array. With ``vectorized=True`` its arrays have leading
        plate axes, which it keeps; otherwise it is called once for each plate element. The arrays
        are read-only, and later calls may overwrite them: copy what you keep.
    vjp : callable, optional
        ``vjp(g, out, *args)`` returns a tuple of one node for each argument, of its shape and built
        from nodes, so that derivatives of any order exist; None stands for zero. Without it the op
        is opaque: only score function estimators give credit to its inputs.
    name : str, optional
        Name in messages and drawings; the function's name by default.
    shape : tuple of int or callable
        Event shape of the result, or a function of the arguments' event shapes.
    kind : {"float", "int", "bool"}
        Kind of the result.
    vectorized : bool
        Whether `fn` takes leading axes.

    Returns
    -------
    callable
        From nodes to a node; from arrays to the value of `fn`.

    Examples
    --------
    >>> import numpy as np, scg
    >>> reward = scg.op(lambda action: float(action == 1), name="reward")
    >>> g = scg.Graph("bandit")
    >>> a = g.sample("a", scg.Categorical(logits=g.parameter("theta", [0.0, 0.0, 0.0])))
    >>> g.cost("loss", -reward(a))
    >>> round(scg.exact(g, g.init(seed=0)).cost, 12)
    -0.333333333333
    """
    if kind not in KINDS:
        raise DeclarationError(f"scg.op: kind must be one of {KINDS}, got {kind!r}")
    event_shape = shape if callable(shape) else integers(shape, "scg.op: shape")
    dtype = {"float": np.float64, "int": np.int64, "bool": np.bool_}[kind]
    label = name or getattr(fn, "__name__", "op")
    check_name("an op", label)

    def computed(arrays: Any, lead: tuple[int, ...], event: tuple[int, ...]) -> np.ndarray:
        found = fn(*arrays)
        array = _as_type(found, dtype)
        n, expected = array.ndim - len(event), lead + event
        fits = n == len(lead) and all(m in (1, k) for m, k in zip(array.shape, lead, strict=False))
        if array.dtype != dtype or not fits or array.shape[n:] != event:
            what = f"{type(found).__name__} {found!r:.80}" if array.dtype != dtype else array.shape
            given = ", ".join(str(np.shape(x)) for x in arrays)
            raise CallError(
                f"scg.op: {label!r} must return {kind}s of shape {expected} for arguments of shape "
                f"{given}, got {what}; declare what it returns, as in "
                f"scg.op(function, shape=..., kind=...)"
            )
        return np.broadcast_to(array, expected)

    def rule(*arrays: Any, ranks: tuple[int, ...]) -> Any:
        events = [x.shape[x.ndim - rank :] for x, rank in zip(arrays, ranks, strict=True)]
        lead = np.broadcast_shapes(
            *(x.shape[: x.ndim - rank] for x, rank in zip(arrays, ranks, strict=True))
        )
        event = result(*events, ranks=ranks)
        if vectorized:  # what a function writes into its arguments would be seen by other ops
            return computed([np.broadcast_to(x, x.shape) for x in arrays], lead, event)
        whole = [np.broadcast_to(x, lead + own) for x, own in zip(arrays, events, strict=True)]
        rows = [computed([x[i] for x in whole], (), event) for i in np.ndindex(lead)]
        return np.reshape(np.array(rows, dtype), lead + event)

    def result(*shapes: tuple[int, ...], ranks: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(event_shape(*shapes)) if callable(event_shape) else event_shape

    def pull(index: int, g: Expr, out: Expr, *args: Expr, ranks: tuple[int, ...]) -> Expr:
        assert vjp is not None
        found, arg = vjp(g, out, *args), args[index]
        parts = found if isinstance(found, (tuple, list)) else (found,)
        if len(parts) != len(args):
            raise DeclarationError(
                f"scg.op: the vjp of {label!r} must return a tuple of one node, or None, for each "
                f"of its {len(args)} arguments, got {said(found)}"
            )
        part = zeros(arg) if parts[index] is None else parts[index]
        part = part if isinstance(part, Expr) else constant(g.graph, part)
        try:
            np.broadcast_shapes(part.shape, arg.shape)
        except ValueError:
            raise DeclarationError(
                f"scg.op: the vjp of {label!r} must return a node of shape {arg.shape} for "
                f"{describe(arg)}, got {describe(part)}"
            ) from None
        return part

    custom = Op(
        f"op:{label}:{next(_serial)}",
        rule,
        result,
        () if vjp is None else pull,
        kind=kind,
        label=label,
        continuous=vjp is not None,
        smooth=vjp is not None,
    )

    def apply(*args: Any) -> Any:
        if not any(isinstance(arg, Expr) for arg in args):
            return fn(*args)
        for what, function, count in (("function", fn, 0), ("vjp", vjp, 2)):
            if function is not None and not takes(function, count + len(args)):
                raise DeclarationError(
                    f"scg.op: {label!r} has {len(args)} arguments here, and the {what} is called "
                    f"with {count + len(args)}, got {said(function)}"
                )
        return custom(*args, ranks=tuple(np.ndim(arg) for arg in args))

    apply.__name__ = label
    return apply


def _as_type(found: Any, dtype: type) -> np.ndarray:
    """What a function returned, as an array; not of `dtype` where this would change a number."""
    try:
        array = np.asarray(None if masked(found) else found)
    except (TypeError, ValueError):  # rows of different lengths, a node
        return np.asarray(None)
    if array.dtype == dtype or array.dtype.kind not in "fiub":
        return array
    with np.errstate(invalid="ignore"):  # NaN is no integer
        typed = array.astype(dtype)
    return typed if dtype is np.float64 or np.array_equal(typed, array) else array
