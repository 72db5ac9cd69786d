"""The functions of :mod:`scg.ops.proportions` for one element, in double precision, inlined."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from scg.engine.codegen.math import FUNCTIONS, helper, polynomial

exp, log, log1p, sigmoid, softplus = (
    FUNCTIONS[name, "f8"] for name in ("exp", "log", "log1p", "sigmoid", "softplus")
)
#: (1 + t) log(1 + t) − t = t² Σ (−t)^n / ((n + 1) (n + 2))
_entropy_series = polynomial([(-1) ** n / ((n + 1) * (n + 2)) for n in range(17)])


#: Name to the function of one element.
DENSITIES: dict[str, Any] = {}


def density(function: Callable[..., Any]) -> Any:
    """Decorate the twin of the op of a function's name, and let kernels call it."""
    made = DENSITIES[function.__name__] = helper(function)
    return made


@helper
def times(c, log_x):
    """c log x, zero where c is zero."""
    return 0.0 if c == 0.0 else c * log_x


@density
def log_ratio(x, y):
    """Twin of the op of this name."""
    return log1p((x - y) / y) if abs(x - y) < 0.5 * y else log(x / y)


@density
def log_over_gamma_mean(x, a, b, reciprocal):
    """Twin of the op of this name."""
    return log_ratio(b / x if reciprocal else b * x, a)


@density
def gamma_core(x, a, b, reciprocal):
    """Twin of the op of this name."""
    y = b / x if reciprocal else b * x
    core = times(a - 1.0, log_ratio(y, a)) + (a - y) + log(b)
    return -inf if y == inf else core


@density
def gamma_slope(x, c, b, reciprocal):
    """Twin of the op of this name."""
    return (0.0 if c == 0.0 else c / x) - (1.0 / b if reciprocal else b)


@density
def log_over_mean(x, a, b, logit):
    """Twin of the op of this name."""
    return (-softplus(-x) if logit else log(x)) + log1p(b / a)


@density
def log_rest_over_mean(x, a, b, logit):
    """Twin of the op of this name."""
    return (-softplus(x) if logit else log1p(-x)) + log1p(a / b)


@density
def beta_core(x, a, b, logit):
    """Twin of the op of this name."""
    left = times(a - 1.0, log_over_mean(x, a, b, logit))
    return left + times(b - 1.0, log_rest_over_mean(x, a, b, logit))


@density
def beta_slope(x, c, d, logit):
    """Twin of the op of this name."""
    if logit:
        return c * sigmoid(-x) - d * sigmoid(x)
    return c / (1.0 if c == 0.0 else x) - d / (1.0 if d == 0.0 else 1.0 - x)


@density
def relative_entropy(x, y):
    """Twin of the op of this name."""
    t = (x - y) / y
    if abs(t) < 0.1:
        return y * t * t * _entropy_series(t)
    return times(x, log(1.0 if x == 0.0 else x / y)) - (x - y)
