"""Beyond arithmetic: // and %; log of a sum of two; NaN and ∞; &, |, ^, ~, any and all."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ops.base import elementwise
from scg.ops.elementwise import (
    JUMPS,
    absolute,
    add,
    equal,
    less,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from scg.ops.reductions import logsumexp, max
from scg.ops.shape import np_stack
from scg.ops.statistics import min

# Integers divided by 0 give 0, as in NumPy; there it warns.
floor_divide = elementwise(
    "floor_divide",
    np.floor_divide,
    None,
    None,
    kind="number",
    kernel="{0} // {1}",
    kernels={"int": "({0} // {1} if {1} != 0 else 0)"},
    **JUMPS,
)
#: x − y ⌊x / y⌋, which has the sign of y.
remainder = elementwise(
    "remainder",
    np.remainder,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -(g * floor_divide(a, b)),
    kind="number",
    kernel="{0} % {1}",
    kernels={"int": "({0} % {1} if {1} != 0 else 0)"},
    **JUMPS,
    turns=("quotient", 0),
)


@implements(np.logaddexp)
def _logaddexp(a: Any, b: Any) -> Any:
    """log(exp(a) + exp(b)); as a reduction it has the right second derivative where a = b."""
    shape = np.shape(add(a, b))
    return logsumexp(np_stack([np.broadcast_to(x, shape) for x in (a, b)]), 0)


@implements(np.isnan)
def _isnan(x: Any) -> Any:
    return not_equal(x, x)


@implements(np.isinf)
def _isinf(x: Any) -> Any:
    return equal(absolute(x), np.inf)


@implements(np.isfinite)
def _isfinite(x: Any) -> Any:
    return less(absolute(x), np.inf)


@implements(np.any)
def _any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return max(not_equal(x, 0), axis, keepdims)


@implements(np.all)
def _all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return min(not_equal(x, 0), axis, keepdims)


@implements(np.bitwise_and)
def _both(a: Any, b: Any) -> Any:
    return logical_and(*_conditions("&", "np.logical_and", a, b))


@implements(np.bitwise_or)
def _either(a: Any, b: Any) -> Any:
    return logical_or(*_conditions("|", "np.logical_or", a, b))


@implements(np.bitwise_xor)
def _one(a: Any, b: Any) -> Any:
    return not_equal(*_conditions("^", "np.not_equal", a, b))


@implements(np.invert)
def _not(a: Any) -> Any:
    return logical_not(*_conditions("~", "np.logical_not", a))


def _conditions(operator: str, function: str, *values: Any) -> tuple[Any, ...]:
    for value in values:
        kind = value.kind if isinstance(value, Expr) else np.asarray(value).dtype.name
        if not kind.startswith("bool"):
            raise DeclarationError(
                f"{operator}: expected conditions in parentheses, such as (node > 0), got "
                f"{value!r} ({kind}); {function} takes numbers, too"
            )
    return values
