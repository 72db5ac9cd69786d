"""A user's own ops, and the promise that an expression is continuous."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import KINDS, Expr
from scg.ir.op import Op

_serial = itertools.count()

#: The identity, with the user's word that what it wraps is continuous.
continuous = Op("continuous", lambda x: x, lambda x: x, (lambda g, y, x: g,), kind="same")


def op(
    fn: Callable[..., Any],
    vjp: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    shape: tuple[int, ...] | Callable[..., tuple[int, ...]] = (),
    kind: str = "float",
    vectorized: bool = False,
) -> Callable[..., Any]:
    """Make an op of a Python function.

    Parameters
    ----------
    fn : callable
        From arrays of event shape to an array. With ``vectorized=True`` it gets leading plate axes
        too and keeps them; otherwise it is called once for each plate element.
    vjp : callable, optional
        ``vjp(g, out, *args)`` returns one node (or None) for each argument, built from nodes, so
        that every order is available. Without it the op is opaque: a black box whose inputs get
        credit by the score function alone.
    name : str, optional
        For messages and drawings; the function's name by default.
    shape : tuple of int or callable
        Event shape of the result, or a function of the arguments' event shapes.
    kind : {"float", "int", "bool"}
        What the result is.
    vectorized : bool
        Whether `fn` takes leading axes.

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
    if not callable(fn):
        raise DeclarationError(f"scg.op: expected a function, got {fn!r}")
    if kind not in KINDS:
        raise DeclarationError(f"scg.op: kind must be one of {KINDS}, got {kind!r}")
    dtype = {"float": np.float64, "int": np.int64, "bool": np.bool_}[kind]
    label = name or getattr(fn, "__name__", "op")

    def rule(*arrays: Any, ranks: tuple[int, ...] = ()) -> Any:
        if vectorized or not ranks:
            return np.asarray(fn(*arrays), dtype)
        lead = np.broadcast_shapes(
            *(x.shape[: x.ndim - rank] for x, rank in zip(arrays, ranks, strict=True))
        )
        whole = [
            np.broadcast_to(x, lead + x.shape[x.ndim - rank :])
            for x, rank in zip(arrays, ranks, strict=True)
        ]
        rows = [np.asarray(fn(*(x[i] for x in whole)), dtype) for i in np.ndindex(lead)]
        return np.reshape(np.array(rows, dtype), lead + np.shape(rows[0]) if rows else lead)

    def result(*shapes: tuple[int, ...], ranks: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(shape(*shapes)) if callable(shape) else tuple(shape)

    def pull(index: int, g: Expr, out: Expr, *args: Expr, ranks: tuple[int, ...]) -> Expr:
        assert vjp is not None
        parts = vjp(g, out, *args)
        return parts[index] if isinstance(parts, (tuple, list)) else parts

    custom = Op(
        f"op:{label}:{next(_serial)}",
        rule,
        result,
        () if vjp is None else pull,
        kind=kind,
        continuous=vjp is not None,
        smooth=vjp is not None,
    )

    def apply(*args: Any) -> Any:
        if not any(isinstance(arg, Expr) for arg in args):
            return fn(*args)
        return custom(*args, ranks=tuple(np.ndim(arg) for arg in args))

    apply.__name__ = label
    return apply
