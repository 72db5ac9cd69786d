"""Logarithms of proportions over their means, in double precision inside.

Beta and Dirichlet log-densities multiply them with concentrations: what a mean, rounded to single
precision, would be wrong by counts a million times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.expr import Expr
from scg.ops.base import Op
from scg.ops.elementwise import elementwise
from scg.ops.reductions import sum


def _wide(x: Any) -> Any:
    return np.asarray(x, np.float64)


def _over_mean(x: Any, a: Any, b: Any) -> Any:
    return np.log(_wide(x)) + np.log1p(_wide(b) / a)


def _rest_over_mean(x: Any, a: Any, b: Any) -> Any:
    return np.log1p(-_wide(x)) + np.log1p(_wide(a) / b)


#: log(x / p) and log((1 − x) / (1 − p)) with p = a / (a + b).
log_over_mean = elementwise(
    "log_over_mean",
    _over_mean,
    lambda g, y, x, a, b: g / x,
    lambda g, y, x, a, b: -(g * (b / a)) / (a + b),
    lambda g, y, x, a, b: g / (a + b),
)
log_rest_over_mean = elementwise(
    "log_rest_over_mean",
    _rest_over_mean,
    lambda g, y, x, a, b: -g / (1.0 - x),
    lambda g, y, x, a, b: g / (a + b),
    lambda g, y, x, a, b: -(g * (a / b)) / (a + b),
)


def _over_means(x: Any, a: Any) -> Any:
    a = _wide(a)
    return np.log(_wide(x)) + np.log(a.sum(axis=-1, keepdims=True)) - np.log(a)


def _shared(g: Expr, y: Expr, x: Expr, a: Expr) -> Expr:
    return sum(g, -1, keepdims=True) / sum(a, -1, keepdims=True) - g / a


#: log(x / p) with p = a / Σ a along the last axis.
log_over_means = Op(
    "log_over_means",
    _over_means,
    lambda x, a: np.broadcast_shapes(x, a),
    (lambda g, y, x, a: g / x, _shared),
)
