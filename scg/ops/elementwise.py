"""Elementwise ops: arithmetic, elementary functions, comparisons and selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg.ir.expr import Expr, Operation
from scg.ir.op import Op, Vjp, constant
from scg.ir.walk import rewrite, topological
from scg.ops.base import broadcast_shapes


def elementwise(
    name: str,
    numpy: Callable[..., Any],
    *vjps: Vjp | None,
    kind: str = "float",
    continuous: bool = True,
    smooth: bool = True,
    linear: tuple[int, ...] = (),
) -> Op:
    """Declare an elementwise op: its NumPy rule, one VJP an argument, and its traits."""
    return Op(
        name,
        numpy,
        broadcast_shapes,
        vjps,
        kind=kind,
        elementwise=True,
        continuous=continuous,
        smooth=smooth,
        linear=linear,
    )


# --- arithmetic -----------------------------------------------------------------------------
add = elementwise("add", np.add, lambda g, y, a, b: g, lambda g, y, a, b: g, kind="same")
subtract = elementwise(
    "subtract", np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: -g, kind="number"
)
multiply = elementwise(
    "multiply",
    np.multiply,
    lambda g, y, a, b: g * b,
    lambda g, y, a, b: g * a,
    kind="same",
    linear=(0, 1),
)
divide = elementwise(
    "divide",
    np.true_divide,
    lambda g, y, a, b: g / b,
    lambda g, y, a, b: -(g * y) / b,
    linear=(0,),
)
negative = elementwise("negative", np.negative, lambda g, y, a: -g, kind="number", linear=(0,))
square = elementwise("square", np.square, lambda g, y, a: g * (2.0 * a), kind="number")


# --- elementary functions -------------------------------------------------------------------
def _sigmoid(a: Any) -> Any:
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, small) / (1.0 + small)


def _sech_squared_numpy(a: Any) -> Any:
    small = np.exp(-2.0 * np.abs(a))
    return 4.0 * small / np.square(1.0 + small)


def _softplus(a: Any) -> Any:
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


exp = elementwise("exp", np.exp, lambda g, y, a: g * y)
log = elementwise("log", np.log, lambda g, y, a: g / a)
log1p = elementwise("log1p", np.log1p, lambda g, y, a: g / (1.0 + a))
expm1 = elementwise("expm1", np.expm1, lambda g, y, a: g * exp(a))
sqrt = elementwise("sqrt", np.sqrt, lambda g, y, a: g * (0.5 / y))
tanh = elementwise("tanh", np.tanh, lambda g, y, a: g * _sech_squared(a))
#: 1 − tanh², of which nothing is lost where tanh is near one.
_sech_squared = elementwise(
    "sech_squared", _sech_squared_numpy, lambda g, y, a: g * (-2.0 * (y * tanh(a)))
)
sigmoid = elementwise("sigmoid", _sigmoid, lambda g, y, a: g * (y * sigmoid(-a)))
softplus = elementwise("softplus", _softplus, lambda g, y, a: g * sigmoid(a))
sign = elementwise("sign", np.sign, None, kind="number", continuous=False, smooth=False)
absolute = elementwise(
    "abs", np.absolute, lambda g, y, a: by_side(a, 0.0, g, -g), kind="same", smooth=False
)
relu = elementwise(
    "relu",
    lambda a: np.maximum(a, 0),
    lambda g, y, a: by_side(a, 0.0, g, 0.0),
    kind="number",
    smooth=False,
)

# --- comparisons and selection --------------------------------------------------------------
greater, greater_equal, less, less_equal, equal, not_equal = (
    elementwise(f.__name__, f, None, None, kind="bool", continuous=False, smooth=False)
    for f in (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)
)
logical_and, logical_or = (
    elementwise(f.__name__, f, None, None, kind="bool", continuous=False, smooth=False)
    for f in (np.logical_and, np.logical_or)
)
logical_not = elementwise(
    "logical_not", np.logical_not, None, kind="bool", continuous=False, smooth=False
)
#: where(condition, a, b) is continuous in a and b; a sampled condition is not (see the op's
#: first argument, which carries no derivative and therefore breaks continuity).
where = elementwise(
    "where",
    np.where,
    None,
    lambda g, y, c, a, b: where(c, g, 0.0),
    lambda g, y, c, a, b: where(c, 0.0, g),
    kind="same",
)
minimum = elementwise(
    "minimum",
    np.minimum,
    lambda g, y, a, b: by_side(a, b, 0.0, g),
    lambda g, y, a, b: by_side(a, b, g, 0.0),
    kind="same",
    smooth=False,
)
maximum = elementwise(
    "maximum",
    np.maximum,
    lambda g, y, a, b: by_side(a, b, g, 0.0),
    lambda g, y, a, b: by_side(a, b, 0.0, g),
    kind="same",
    smooth=False,
)
#: The first argument, but 0 where the weight is 0 and the value not finite.
_possible = elementwise(
    "possible",
    lambda x, value, weight: np.where((weight == 0) & ~np.isfinite(value), 0.0, x),
    lambda g, y, x, value, weight: _possible(g, value, weight),
    lambda g, y, x, value, weight: 0.0 * g,
    lambda g, y, x, value, weight: 0.0 * g,
    linear=(0,),
)


def possible(value: Any, weight: Any) -> Any:
    """Return a value without what is infinite at a weight of 0, and without its derivatives there.

    The cost of an impossible outcome counts for nothing, and 0 · ∞ is no number.
    """
    return _possible(value, value, weight)


cast = elementwise("float", lambda a: np.asarray(a) * 1.0, lambda g, y, a: g, linear=(0,))


# --- derivatives at a tie -------------------------------------------------------------------
#: How many expressions of a cotangent are searched.
_NEAREST = 256


def by_side(a: Any, b: Any, above: Any, below: Any) -> Any:
    """Return `above` where a > b, `below` where a < b, and their mean where a = b.

    This is the derivative of a function of two pieces. Both are taken as they are on their own
    side, where they depend on the same comparison, as in the second derivative of max(x, 0)²: at a
    tie the derivative of any order is the mean of the one-sided ones.
    """
    above, below = (_on_side(x, a, b, side) for x, side in ((above, True), (below, False)))
    return where(greater(a, b), above, where(equal(a, b), 0.5 * (above + below), below))


def _on_side(x: Any, a: Any, b: Any, above: bool) -> Any:
    """Return `x` with all comparisons of a and b that it depends on elementwise decided."""
    if not isinstance(x, Expr):
        return x
    pair = greater(a, b).args
    env: dict[Expr, Expr] = {}
    decided, seen, stack = False, {x}, [x]
    while stack and len(seen) < _NEAREST:
        expr = stack.pop()
        truth = _decided(expr, pair, above)
        if truth is not None:
            env[expr], decided = constant(expr.graph, truth), True
        elif expr.op.elementwise or expr.op.name == "expand":
            stack += [arg for arg in expr.args if arg not in seen]
            seen.update(expr.args)
        else:
            env[expr] = expr
    env |= {expr: expr for expr in stack}
    return rewrite(topological((x,), known=env), env)[x] if decided else x


def _decided(expr: Expr, pair: tuple[Expr, ...], above: bool) -> bool | None:
    """Say whether an expression holds where the first of a pair is above the second, or below."""
    if len(expr.args) != 2 or {*expr.args} != {*pair}:
        return None
    first = above if expr.args[0] is pair[0] else not above
    decided: dict[Operation, bool] = {
        greater: first,
        greater_equal: first,
        less: not first,
        less_equal: not first,
        equal: False,
        not_equal: True,
    }
    return decided.get(expr.op)
