"""Logarithm of a weighted mean of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops.elementwise import exp
from scg.ops.indexing import getitem
from scg.ops.powers import absorb
from scg.ops.reductions import sum
from scg.ops.within import within


def _numpy(w: Any, x: Any) -> Any:
    top = np.max(np.where(w > 0, x, -np.inf), axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(all="ignore"):
        parts = np.where(w > 0, w * np.exp(x - top), 0.0)
        return np.log(np.sum(parts, axis=-1) / np.sum(w, axis=-1)) + top[..., 0]


def _ratio(y: Expr, x: Expr, less_by: float = 0.0) -> Expr:
    """exp(x − y) − less_by for a mean y; zero where y is infinite."""
    y = getitem(y, (Ellipsis, None))
    finite = within(y, -np.inf, np.inf, y, 0.0, closed=True)
    return within(y, -np.inf, np.inf, exp(x - finite) - less_by, 0.0, closed=True)


def _in_weights(g: Expr, y: Expr, w: Expr, x: Expr) -> Expr:
    return getitem(g, (Ellipsis, None)) * (_ratio(y, x, 1.0) / sum(w, -1, keepdims=True))


def _in_values(g: Expr, y: Expr, w: Expr, x: Expr) -> Expr:
    return getitem(g, (Ellipsis, None)) * absorb(w / sum(w, -1, keepdims=True), _ratio(y, x))


#: log (Σ w exp(x) / Σ w) over the last axis. A weight may be zero: the derivative in it is finite.
log_mean_exp = Op(
    "log_mean_exp", _numpy, lambda w, x: np.broadcast_shapes(w, x)[:-1], (_in_weights, _in_values)
)
