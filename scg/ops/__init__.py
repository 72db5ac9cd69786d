"""Ops: each file holds one family, with rules, kernels and traits side by side.

A function decorated with :func:`scg.ir.dispatch.implements` is what NumPy functions build on nodes;
an elementwise op whose NumPy rule is a ufunc is what that ufunc builds.
``__all__`` lists what users call as ``scg.NAME``.
"""

from scg.ir.dispatch import PUBLIC
from scg.ops import determinant, einsum, operators, scan  # noqa: F401  (they register themselves)
from scg.ops.activations import elu, gelu, leaky_relu, log_sigmoid, logit, silu
from scg.ops.convolution import avg_pool, conv2d, conv_transpose, max_pool
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
from scg.ops.select import take
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

# fmt: off
#: What users call as ``scg.NAME``.
__all__ = [
    "avg_pool", "betaln", "continuous", "conv2d", "conv_transpose", "digamma", "elu", "erf",
    "erfc", "erfinv", "gammainc", "gammaincinv", "gammaln", "gelu", "i0e", "i1e", "leaky_relu",
    "log_ndtr", "log_sigmoid", "log_softmax", "logit", "logsumexp", "max_pool", "ndtr", "ndtri",
    "one_hot", "op", "plate_logsumexp", "plate_max", "plate_mean", "plate_sum", "polygamma",
    "relu", "sigmoid", "silu", "softmax", "softplus", "solve_triangular", "sparsemax",
    "stop_gradient", "take", "where",
]
# fmt: on
PUBLIC.update(__all__)
