"""Arguments of log_prob: shapes of values and masks, and values outside the support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg.common.arguments import array_of
from scg.distributions.constraints import UnitInterval
from scg.errors import DeclarationError
from scg.ir.expr import Expr, describe
from scg.ops.elementwise import where
from scg.ops.within import within


def check_value(law: Any, x: Any, elementwise: bool) -> None:
    """Raise unless a value is numbers whose shape fits the distribution."""
    if not hasattr(x, "shape"):
        x = array_of(f"{type(law).__name__}.log_prob", x, DeclarationError)
    if law.whole and np.shape(x) != law.shape:
        raise DeclarationError(
            f"{type(law).__name__}.log_prob: {_shown(x)} is not of the shape {law.shape} of the "
            "event. What repeats is a plate: scg.Plate(...)"
        )
    if not elementwise:
        check_shapes(f"{type(law).__name__}.log_prob", x, law.shape)


def check_shapes(what: str, x: Any, event: tuple[int, ...]) -> None:
    """Raise if broadcasting would repeat elements of the event, which the sum counts twice."""
    shape = x.shape if hasattr(x, "shape") else np.shape(x)
    try:
        if np.broadcast_shapes(shape, event) in (shape, event):
            return
    except ValueError:
        pass
    raise DeclarationError(
        f"{what}: {_shown(x)} does not fit the event of shape {event}. Reshape one of them: "
        f"np.reshape(x, {event}). For a table of all pairs write elementwise=True"
    )


def _shown(x: Any) -> str:
    if isinstance(x, Expr):
        return describe(x)
    return f"{type(x).__name__} of shape {x.shape if hasattr(x, 'shape') else np.shape(x)}"


def check_mask(law: Any, mask: Any) -> None:
    """Raise unless a mask broadcasts to the shape of the elementwise log-probabilities."""
    if not hasattr(mask, "shape"):
        mask = array_of(f"{type(law).__name__}.log_prob: mask", mask, DeclarationError)
    shape = () if law.whole else law.shape[: len(law.shape) - law.support.axes]
    try:
        if np.broadcast_shapes(np.shape(mask), shape) == shape:
            return
    except ValueError:
        pass
    wanted = f"a scalar, or the shape {shape} of the elementwise result" if shape else "a scalar"
    raise DeclarationError(
        f"{type(law).__name__}.log_prob: the mask has shape {np.shape(mask)}; expected {wanted}"
    )


def deepened(x: Any, axes: int) -> Any:
    """`x` with trailing axes of length one, for the numbers of a vector or matrix."""
    if not axes or not np.ndim(x):
        return x
    array: Any = x if isinstance(x, Expr) else np.asarray(x)
    return array[(Ellipsis, *(None,) * axes)]


def on_support(
    law: Any, x: Any, mask: Any, formula: str = "log_prob_elementwise", outside: float = -np.inf
) -> Any:
    """Elementwise log-probability, −∞ outside the support, and 0 where the mask is false.

    The formula is evaluated at numbers where its derivatives are finite: elsewhere the product of
    a zero cotangent and an infinite derivative would be NaN.
    """
    axes = law.support.axes
    if mask is not None:
        check_mask(law, mask)
        there = deepened(mask, axes)
        x = where(there, x, law.fill)
        law = _regular(law, lambda a, b: where(there, a, b))
    test = law.support.test(x)
    if test is None:
        values = getattr(law, formula)(x)
    else:
        y, low, high, closed = test
        x = within(deepened(y, axes), low, high, x, law.fill, closed=closed)
        law = _regular(law, lambda a, b: within(y, low, high, a, b, closed=closed))
        values = within(y, low, high, getattr(law, formula)(x), outside, closed=closed)
    return values if mask is None else where(mask, values, 0.0)


def _regular(law: Any, choose: Callable[[Any, Any], Any]) -> Any:
    """The distribution, with probability 1/2 where `choose` takes its second argument."""
    given = {
        name: choose(value, 0.5)
        if isinstance(value, Expr) and isinstance(law.constraint(name), UnitInterval)
        else value
        for name, value in law.parameters.items()
    }
    same = all(given[name] is value for name, value in law.parameters.items())
    return law if same else law.rebuild(tuple(given.values()), law.static)
