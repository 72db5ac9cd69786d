"""Values on a set of numbers and off it; bounds of numbers that are not computed yet."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import Op
from scg.ops.attributes import flag
from scg.ops.base import broadcast, elementwise
from scg.ops.custom import continuous
from scg.ops.elementwise import JUMPS, cast, where
from scg.ops.gradient import stop
from scg.ops.reductions import REDUCTIONS, zeros
from scg.ops.shape import reshape


def _within(x: Any, low: Any, high: Any, a: Any, b: Any, closed: bool) -> Any:
    off = (x < low) | (x > high) if closed else (x <= low) | (x >= high)
    return np.where(off | np.isinf(x), b, a)


#: a where x is NaN or a finite number from `low` to `high`, b elsewhere. The op counts as smooth in
#: x, because a log-density is smooth where it is finite.
within = elementwise(
    "within",
    _within,
    lambda g, y, x, low, high, a, b, closed: zeros(x),
    lambda g, y, x, low, high, a, b, closed: zeros(low),
    lambda g, y, x, low, high, a, b, closed: zeros(high),
    lambda g, y, x, low, high, a, b, closed: within(x, low, high, g, 0.0, closed=closed),
    lambda g, y, x, low, high, a, b, closed: within(x, low, high, 0.0, g, closed=closed),
    kind="same",
    attributes={"closed": flag},
    kernel=(
        "({4} if ({0} < {1}) | ({0} > {2}) | (not {closed}) & (({0} == {1}) | ({0} == {2}))"
        " | (abs({0}) == {code}(inf)) else {3})"
    ),
    kernels={"int": "({4} if ({0} < {1}) | ({0} > {2}) else {3})"},
)
#: The identity; it marks a value whose densities jump, because the supports are mixed.
jumps = Op("mixed_supports", lambda x: x, lambda x: x, (lambda g, y, x: g,), kind="same", **JUMPS)

_SAME = (stop, broadcast, reshape, continuous, cast)


def source(x: Any) -> Any:
    """What an expression is a copy of, in another shape or type."""
    while isinstance(x, Expr) and x.op in _SAME:
        x = x.args[0]
    return x


def bounds(x: Any) -> tuple[float, float]:
    """Bounds of a node's values, from what is known when it is declared."""
    if not isinstance(x, Expr):
        return -np.inf, np.inf
    x = source(x)
    if x.value is not None and x.value.size:
        return float(np.min(x.value)), float(np.max(x.value))
    if isinstance(x, StochasticNode):
        support = x.declared.support
        if support.fixed:
            return float(np.min(support.low)), float(np.max(support.high))
    if x.op is where and all(arg.value is not None for arg in x.args[1:]):
        both = [bounds(arg) for arg in x.args[1:]]
        return min(low for low, _ in both), max(high for _, high in both)
    if x.op is REDUCTIONS[0] and not x.attrs["over"] and x.args[0].size:
        low, high = bounds(x.args[0])
        count = x.args[0].size // x.size
        return count * low, count * high
    return x.op.range
