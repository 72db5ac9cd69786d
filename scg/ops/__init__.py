"""Ops: each file holds one family, with shape rule, NumPy rule, VJP and traits side by side.

NumPy functions on nodes are bound to ops here; ``__all__`` lists what users call as ``scg.NAME``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import FUNCTIONS, PUBLIC, UFUNCS
from scg.ops import (
    arrange,
    decompositions,
    determinant,
    einsum,
    elementary,
    elementwise,
    gradient,
    linalg,
    powers,
    reductions,
    select,
    shape,
    statistics,
)
from scg.ops.activations import elu, gelu, leaky_relu, log_sigmoid, logit, silu
from scg.ops.convolution import avg_pool, conv2d, max_pool
from scg.ops.custom import continuous, op
from scg.ops.decompositions import solve_triangular
from scg.ops.elementwise import relu, sigmoid, softplus, where
from scg.ops.gather import one_hot
from scg.ops.gradient import stop_gradient
from scg.ops.reductions import (
    log_softmax,
    logsumexp,
    plate_logsumexp,
    plate_max,
    plate_mean,
    plate_sum,
    softmax,
)
from scg.ops.special import (
    betaln,
    digamma,
    erf,
    erfc,
    erfinv,
    gammainc,
    gammaincinv,
    gammaln,
    i0e,
    i1e,
    log_ndtr,
    ndtr,
    ndtri,
    polygamma,
)
from scg.ops.statistics import sparsemax

_by_ufunc = {
    np.add: elementwise.add,
    np.subtract: elementwise.subtract,
    np.multiply: powers.product,
    np.true_divide: elementwise.divide,
    np.negative: elementwise.negative,
    np.power: powers.power,
    np.float_power: powers.power,
    np.square: powers.squared,
    np.sqrt: elementwise.sqrt,
    np.exp: elementwise.exp,
    np.expm1: elementwise.expm1,
    np.log: elementwise.log,
    np.log1p: elementwise.log1p,
    np.tanh: elementwise.tanh,
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
    np.absolute: elementwise.absolute,
    np.sign: elementwise.sign,
    np.greater: elementwise.greater,
    np.greater_equal: elementwise.greater_equal,
    np.less: elementwise.less,
    np.less_equal: elementwise.less_equal,
    np.equal: elementwise.equal,
    np.not_equal: elementwise.not_equal,
    np.logical_and: elementwise.logical_and,
    np.logical_or: elementwise.logical_or,
    np.logical_not: elementwise.logical_not,
    np.minimum: elementwise.minimum,
    np.maximum: elementwise.maximum,
    np.matmul: linalg.matmul,
}


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise DeclarationError("np.where on nodes needs three arguments: np.where(condition, a, b)")
    return elementwise.where(condition, x, y)


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
    np.cumprod: lambda x, axis=None: statistics.cumprod(x, axis),
    np.prod: statistics.prod,
    np.min: statistics.min,
    np.argmax: statistics.argmax,
    np.argmin: statistics.argmin,
    np.var: statistics.var,
    np.std: statistics.std,
    np.round: elementary.round,
    np.clip: elementary.clip,
    np.broadcast_to: arrange.broadcast_to,
    np.squeeze: arrange.squeeze,
    np.moveaxis: arrange.moveaxis,
    np.swapaxes: arrange.swapaxes,
    np.flip: arrange.flip,
    np.roll: arrange.roll,
    np.pad: arrange.pad,
    np.tile: arrange.tile,
    np.repeat: arrange.repeat,
    np.ravel: arrange.ravel,
    np.diag: arrange.diag,
    np.diagonal: arrange.diagonal,
    np.trace: arrange.trace,
    np.tril: arrange.tril,
    np.triu: arrange.triu,
    np.take: select.take,
    np.take_along_axis: select.take_along_axis,
    np.sort: select.sort,
    np.argsort: select.argsort,
    np.einsum: einsum.einsum,
    np.linalg.norm: statistics.norm,
    np.linalg.cholesky: decompositions.cholesky,
    np.linalg.solve: decompositions.solve,
    np.linalg.inv: decompositions.inverse,
    np.linalg.slogdet: decompositions.slogdet,
    np.linalg.det: determinant.det,
    "getitem": shape.getitem,
    "stop": gradient.stop,
    "expand": reductions.expand,
}

UFUNCS.update(_by_ufunc)
FUNCTIONS.update(_by_function)

#: What users call as ``scg.NAME``.
__all__ = [
    "avg_pool",
    "betaln",
    "continuous",
    "conv2d",
    "digamma",
    "elu",
    "erf",
    "erfc",
    "erfinv",
    "gammainc",
    "gammaincinv",
    "gammaln",
    "gelu",
    "i0e",
    "i1e",
    "leaky_relu",
    "log_ndtr",
    "log_sigmoid",
    "log_softmax",
    "logit",
    "logsumexp",
    "max_pool",
    "ndtr",
    "ndtri",
    "one_hot",
    "op",
    "plate_logsumexp",
    "plate_max",
    "plate_mean",
    "plate_sum",
    "polygamma",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "solve_triangular",
    "sparsemax",
    "stop_gradient",
    "where",
]
PUBLIC.update(__all__)
