"""Elementwise ops: arithmetic, elementary functions, comparisons and selection."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ir.operation import Operation
from scg.ir.walk import rewrite, topological
from scg.ops.base import broadcast, elementwise, function

JUMPS: dict[str, Any] = {"continuous": False, "smooth": False}
DIFFERENCE, SIGN, TOUCHING = ("difference", 0), ("sign", 0), ("touching", 0)
EXPONENTIAL, SATURATING, WAVE = ("exponential", 0), ("saturating", 0), ("wave", 0)
UNIT, POSITIVE = (0.0, 1.0), (0.0, np.inf)

# --- arithmetic -----------------------------------------------------------------------------
add = elementwise(
    "add",
    np.add,
    lambda g, y, a, b: g,
    lambda g, y, a, b: g,
    kind="same",
    kernel="{0} + {1}",
    kernels={"bool": "{0} | {1}"},
)
subtract = elementwise(
    "subtract",
    np.subtract,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g,
    kind="number",
    kernel="{0} - {1}",
)
multiply = elementwise(
    "multiply",
    np.multiply,
    lambda g, y, a, b: g * b,
    lambda g, y, a, b: g * a,
    kind="same",
    linear=(0, 1),
    kernel="{0} * {1}",
    kernels={"bool": "{0} & {1}"},
)
divide = elementwise(
    "divide",
    np.true_divide,
    lambda g, y, a, b: g / b,
    lambda g, y, a, b: -(g * y) / b,
    linear=(0,),
    kernel="{0} / {1}",
    turns=("touching", 1),
)
negative = elementwise(
    "negative", np.negative, lambda g, y, a: -g, kind="number", linear=(0,), kernel="-{0}"
)
square = elementwise(
    "square",
    np.square,
    lambda g, y, a: g * (2.0 * a),
    kind="number",
    kernel="{0} * {0}",
    range=POSITIVE,
)


# --- elementary functions -------------------------------------------------------------------
def sigmoid_of(a: Any) -> Any:
    """The NumPy rule of the sigmoid: no exponential overflows."""
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, small) / (1.0 + small)


def _sech_squared_of(a: Any) -> Any:
    small = np.exp(-2.0 * np.abs(a))
    return 4.0 * small / np.square(1.0 + small)


def _softplus_of(a: Any) -> Any:
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def _log_binary(a: Any, x: Any) -> Any:
    excess = x - np.where(a > 0, 1.0, 0.0)
    return excess * np.where(excess == 0, 0.0, a) - _softplus_of(-np.abs(a))


exp = function(np.exp, lambda g, y, a: g * y, own=True, turns=EXPONENTIAL, range=POSITIVE)
log = function(np.log, lambda g, y, a: g / a, own=True, turns=TOUCHING)
log1p = function(np.log1p, lambda g, y, a: g / (1.0 + a), own=True)
expm1 = function(np.expm1, lambda g, y, a: g * exp(a), own=True, turns=EXPONENTIAL)
sqrt = function(np.sqrt, lambda g, y, a: g * (0.5 / y), turns=TOUCHING)
tanh = function(np.tanh, lambda g, y, a: g * _sech_squared(a), own=True, turns=SATURATING)
#: 1 − tanh², accurate where tanh is near one.
_sech_squared = elementwise(
    "sech_squared",
    _sech_squared_of,
    lambda g, y, a: g * (-2.0 * (y * tanh(a))),
    kernel="{code}(4) * sigmoid_{code}({0} + {0}) * sigmoid_{code}(-{0} - {0})",
    turns=SATURATING,
)
sigmoid = elementwise(
    "sigmoid",
    sigmoid_of,
    lambda g, y, a: g * (y * sigmoid(-a)),
    kernel="sigmoid_{code}({0})",
    turns=SATURATING,
    range=UNIT,
    doc="σ(x) = 1 / (1 + exp(−x)).",
)
softplus = elementwise(
    "softplus",
    _softplus_of,
    lambda g, y, a: g * sigmoid(a),
    kernel="softplus_{code}({0})",
    turns=SATURATING,
    range=POSITIVE,
    doc="log(1 + exp(x)).",
)
#: log σ(a) at x = 1 and log σ(−a) at x = 0, linear in x between them: x a − softplus(a), which is 0
#: for a certain x, where `a` is infinite.
log_binary = elementwise(
    "log_binary",
    _log_binary,
    lambda g, y, a, x: g * (x - sigmoid(a)),
    lambda g, y, a, x: g * possible(a, 0.0),
    kernel=(
        "({1} - {code}({0} > {zero})) * ({zero} if {1} == {code}({0} > {zero}) else {0})"
        " - softplus_{code}(-abs({0}))"
    ),
    turns=SATURATING,
)
sign = elementwise(
    "sign",
    np.sign,
    None,
    kind="number",
    kernel="({one} if {0} > {zero} else (-{one} if {0} < {zero} else {0}))",
    **JUMPS,
    turns=SIGN,
)
absolute = elementwise(
    "abs",
    np.absolute,
    lambda g, y, a: by_side(a, 0.0, g, -g),
    kind="same",
    smooth=False,
    kernel="abs({0})",
    kernels={"bool": "{0}"},
    turns=SIGN,
    range=POSITIVE,
)
relu = elementwise(
    "relu",
    lambda a: np.maximum(a, 0),
    lambda g, y, a: by_side(a, 0.0, g, 0.0),
    kind="number",
    smooth=False,
    kernel="({0} if ({0} > {zero} or {0} != {0}) else {zero})",
    turns=SIGN,
    doc="max(x, 0).",
)

# --- comparisons and selection --------------------------------------------------------------
greater, greater_equal, less, less_equal, equal, not_equal = COMPARISONS = tuple(
    elementwise(
        f.__name__,
        f,
        None,
        None,
        kind="bool",
        kernel=f"{{0}} {operator} {{1}}",
        turns=DIFFERENCE,
        **JUMPS,
    )
    for f, operator in (
        (np.greater, ">"),
        (np.greater_equal, ">="),
        (np.less, "<"),
        (np.less_equal, "<="),
        (np.equal, "=="),
        (np.not_equal, "!="),
    )
)
logical_and = elementwise(
    "logical_and", np.logical_and, None, None, kind="bool", kernel="{0} & {1}", **JUMPS
)
logical_or = elementwise(
    "logical_or", np.logical_or, None, None, kind="bool", kernel="{0} | {1}", **JUMPS
)
logical_not = elementwise(
    "logical_not", np.logical_not, None, kind="bool", kernel="not {0}", **JUMPS
)
#: where(condition, a, b) is continuous in a and b. The condition carries no derivative; a sampled
#: condition therefore breaks continuity.
where = elementwise(
    "where",
    np.where,
    None,
    lambda g, y, c, a, b: where(c, g, 0.0),
    lambda g, y, c, a, b: where(c, 0.0, g),
    kind="same",
    kernel="({1} if {0} else {2})",
    doc="The second argument where the first is true, and the third elsewhere.",
)


@implements(np.where)
def _np_where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise DeclarationError("np.where on nodes needs three arguments: np.where(condition, a, b)")
    return where(condition, x, y)


def counted(x: Any) -> Any:
    """Booleans as integers, which sums and products count."""
    return where(x, 1, 0) if isinstance(x, Expr) and x.kind == "bool" else x


minimum = elementwise(
    "minimum",
    np.minimum,
    lambda g, y, a, b: by_side(a, b, 0.0, g),
    lambda g, y, a, b: by_side(a, b, g, 0.0),
    kind="same",
    smooth=False,
    kernel="({0} if ({0} < {1} or {0} != {0}) else {1})",
    kernels={"bool": "{0} & {1}"},
    turns=DIFFERENCE,
)
maximum = elementwise(
    "maximum",
    np.maximum,
    lambda g, y, a, b: by_side(a, b, g, 0.0),
    lambda g, y, a, b: by_side(a, b, 0.0, g),
    kind="same",
    smooth=False,
    kernel="({0} if ({0} > {1} or {0} != {0}) else {1})",
    kernels={"bool": "{0} | {1}"},
    turns=DIFFERENCE,
)
#: The first argument, but 0 where the weight is 0 and the value not finite.
_possible = elementwise(
    "possible",
    lambda x, value, weight: np.where((weight == 0) & ~np.isfinite(value), 0.0, x),
    lambda g, y, x, value, weight: _possible(g, value, weight),
    lambda g, y, x, value, weight: 0.0 * g,
    lambda g, y, x, value, weight: 0.0 * g,
    linear=(0,),
    kernel="({zero} if ({2} == {zero} and {1} - {1} != {zero}) else {0})",
)


def possible(value: Any, weight: Any) -> Any:
    """A value, but 0, without derivatives, where it is not finite and its weight is 0.

    The cost of an impossible outcome counts for nothing, and 0 · ∞ would be NaN.
    """
    return _possible(value, value, weight)


cast = elementwise(
    "float", lambda a: np.asarray(a) * 1.0, lambda g, y, a: g, linear=(0,), kernel="{0}"
)


# --- derivatives at a tie -------------------------------------------------------------------
_NEAREST = 256  # expressions of a cotangent that are searched


def by_side(a: Any, b: Any, above: Any, below: Any) -> Any:
    """`above` where a > b, `below` where a < b, and their mean where a = b.

    This is the derivative of a function of two pieces. Where a piece itself depends on the same
    comparison, as in the second derivative of max(x, 0)², it is evaluated on its own side: at a
    tie the derivative of any order is the mean of the one-sided ones.
    """
    above, below = (_on_side(x, a, b, side) for x, side in ((above, True), (below, False)))
    return where(greater(a, b), above, where(equal(a, b), 0.5 * (above + below), below))


def _on_side(x: Any, a: Any, b: Any, above: bool) -> Any:
    """`x` with the comparisons of a and b that it depends on elementwise decided."""
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
        elif expr.op.elementwise or expr.op is broadcast:
            stack += [arg for arg in expr.args if arg not in seen]
            seen.update(expr.args)
        else:
            env[expr] = expr
    env |= {expr: expr for expr in stack}
    return rewrite(topological((x,), known=env), env)[x] if decided else x


def _decided(expr: Expr, pair: tuple[Expr, ...], above: bool) -> bool | None:
    """Whether a comparison of the pair holds where its first is above the second, or below."""
    if len(expr.args) != 2 or {*expr.args} != {*pair}:
        return None
    first = above if expr.args[0] is pair[0] else not above
    decided: dict[Operation, bool] = dict(
        zip(COMPARISONS, (first, first, not first, not first, False, True), strict=True)
    )
    return decided.get(expr.op)
