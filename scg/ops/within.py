"""Values on a set of numbers and off it, and what is known of numbers before they are computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import Op
from scg.ops.attributes import flag
from scg.ops.base import elementwise
from scg.ops.reductions import zeros


def _within(x: Any, low: Any, high: Any, a: Any, b: Any, closed: bool) -> Any:
    off = (x < low) | (x > high) if closed else (x <= low) | (x >= high)
    return np.where(off | np.isinf(x), b, a)


#: a where x is a finite number from `low` to `high`, or NaN, and b elsewhere. A log-density is
#: smooth where it is not −∞: the op is taken to be so in x.
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
#: The identity; says that what is computed of the result jumps where densities do.
jumps = Op(
    "mixed_supports", lambda x: x, lambda x: x, (lambda g, y, x: g,), kind="same",
    continuous=False, smooth=False,
)  # fmt: skip

_SAME = ("stop", "expand", "reshape", "continuous", "float")
_RANGES = {
    **dict.fromkeys(("sigmoid", "open_unit", "open_sigmoid", "one_hot"), (0.0, 1.0)),
    **dict.fromkeys(("exp", "softplus", "abs", "square"), (0.0, np.inf)),
    **dict.fromkeys(("open_positive", "open_exp"), (0.0, np.inf)),
    **dict.fromkeys(("poisson_quantile", "negative_binomial_quantile"), (0.0, np.inf)),
}


def bounds(x: Any) -> tuple[float, float]:
    """Bounds of a node's values, as far as they are known when it is declared."""
    if not isinstance(x, Expr):
        return -np.inf, np.inf
    while x.op.name in _SAME:
        x = x.args[0]
    if x.value is not None and x.value.size:
        return float(np.min(x.value)), float(np.max(x.value))
    if isinstance(x, StochasticNode):
        support = x.declared.support
        if support.fixed:
            return float(np.min(support.low)), float(np.max(support.high))
        return -np.inf, np.inf
    if x.op.name == "where" and all(arg.value is not None for arg in x.args[1:]):
        both = [bounds(arg) for arg in x.args[1:]]
        return min(low for low, _ in both), max(high for _, high in both)
    return _RANGES.get(x.op.name, (-np.inf, np.inf))
