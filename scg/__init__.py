"""scg: stochastic computation graphs and gradient estimation.

Declare a model as a graph in NumPy notation, choose a gradient estimator for each stochastic
node, compile, and check the gradient against exact truth.
"""

from scg import baselines, init
from scg.cite import cite
from scg.compile import compile
from scg.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Gamma,
    Normal,
    OneHotCategorical,
)
from scg.errors import (
    BiasWarning,
    CallError,
    CheckpointError,
    CompilerError,
    DataError,
    DeclarationError,
    EnumerationError,
    EstimatorError,
    ScgError,
    StopWarning,
    UnsupportedError,
)
from scg.estimators import (
    Enumeration,
    Estimator,
    LeaveOneOut,
    MuProp,
    Reparameterization,
    ScoreFunction,
    StraightThrough,
)
from scg.expr import Plate
from scg.graph import Graph
from scg.ops.custom import continuous, op
from scg.ops.activations import elu, gelu, leaky_relu, log_sigmoid, logit, silu
from scg.ops.convolution import avg_pool, conv2d, max_pool
from scg.ops.decompositions import solve_triangular
from scg.ops.elementwise import relu, sigmoid, softplus, where
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
from scg.ops.shape import one_hot
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
from scg.passes.differentiate import grad
from scg.train import evaluate, fit, optim
from scg.verify.exact import exact
from scg.verify.moments import moments

__all__ = [
    "Bernoulli",
    "BiasWarning",
    "CallError",
    "Categorical",
    "CheckpointError",
    "CompilerError",
    "DataError",
    "DeclarationError",
    "Distribution",
    "Enumeration",
    "EnumerationError",
    "Estimator",
    "EstimatorError",
    "Gamma",
    "Graph",
    "LeaveOneOut",
    "MuProp",
    "Normal",
    "OneHotCategorical",
    "Plate",
    "Reparameterization",
    "ScgError",
    "ScoreFunction",
    "StopWarning",
    "StraightThrough",
    "UnsupportedError",
    "avg_pool",
    "baselines",
    "betaln",
    "cite",
    "compile",
    "continuous",
    "conv2d",
    "digamma",
    "elu",
    "erf",
    "erfc",
    "erfinv",
    "evaluate",
    "exact",
    "fit",
    "gammainc",
    "gammaincinv",
    "gammaln",
    "gelu",
    "grad",
    "i0e",
    "i1e",
    "init",
    "leaky_relu",
    "log_ndtr",
    "log_sigmoid",
    "log_softmax",
    "logit",
    "logsumexp",
    "max_pool",
    "moments",
    "ndtr",
    "ndtri",
    "one_hot",
    "op",
    "optim",
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
