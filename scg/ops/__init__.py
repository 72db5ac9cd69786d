"""Ops: each file holds one family, with shape rule, NumPy rule, VJP and traits side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg import expr
from scg.errors import DeclarationError
from scg.ops import (
    activations,
    arrange,
    convolution,
    decompositions,
    einsum,
    elementary,
    gradient,
    linalg,
    reductions,
    select,
    shape,
    special,
    statistics,
)
from scg.ops import elementwise as _e

_e_by_ufunc = {
    np.add: _e.add,
    np.subtract: _e.subtract,
    np.multiply: _e.multiply,
    np.true_divide: _e.divide,
    np.negative: _e.negative,
    np.power: _e.power,
    np.float_power: _e.power,
    np.square: _e.square,
    np.sqrt: _e.sqrt,
    np.exp: _e.exp,
    np.expm1: _e.expm1,
    np.log: _e.log,
    np.log1p: _e.log1p,
    np.tanh: _e.tanh,
    np.exp2: elementary.exp2,
    np.log2: elementary.log2,
    np.log10: elementary.log10,
    np.sin: elementary.sin,
    np.cos: elementary.cos,
    np.tan: elementary.tan,
    np.arctan: elementary.arctan,
    np.sinh: elementary.sinh,
    np.cosh: elementary.cosh,
    np.floor: elementary.floor,
    np.ceil: elementary.ceil,
    np.rint: elementary.rint,
    np.absolute: _e.absolute,
    np.sign: _e.sign,
    np.greater: _e.greater,
    np.greater_equal: _e.greater_equal,
    np.less: _e.less,
    np.less_equal: _e.less_equal,
    np.equal: _e.equal,
    np.not_equal: _e.not_equal,
    np.logical_and: _e.logical_and,
    np.logical_or: _e.logical_or,
    np.logical_not: _e.logical_not,
    np.minimum: _e.minimum,
    np.maximum: _e.maximum,
    np.matmul: linalg.matmul,
}


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise DeclarationError("np.where on nodes needs three arguments: np.where(condition, a, b)")
    return _e.where(condition, x, y)


_by_function = {
    np.ndim: lambda x: x.ndim,
    np.shape: lambda x: x.shape,
    np.size: lambda x: x.size,
    np.sum: reductions.sum,
    np.max: reductions.max,
    np.mean: reductions.mean,
    np.where: _where,
    np.reshape: shape.np_reshape,
    np.transpose: shape.np_transpose,
    np.expand_dims: shape.np_expand_dims,
    np.concatenate: shape.np_concatenate,
    np.stack: shape.np_stack,
    np.dot: linalg.matmul,
    np.outer: linalg.outer,
    np.cumsum: lambda x, axis=None: shape.cumsum(x, axis),
    "getitem": shape.getitem,
    "stop": gradient.stop,
}

expr.UFUNCS.update(_e_by_ufunc)
expr.FUNCTIONS.update(_by_function)

__all__ = [
    "activations",
    "arrange",
    "convolution",
    "decompositions",
    "einsum",
    "elementary",
    "elementwise",
    "gradient",
    "linalg",
    "reductions",
    "select",
    "shape",
    "special",
    "statistics",
]
