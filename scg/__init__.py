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
    "baselines",
    "cite",
    "compile",
    "continuous",
    "evaluate",
    "exact",
    "fit",
    "grad",
    "init",
    "log_softmax",
    "logsumexp",
    "moments",
    "one_hot",
    "optim",
    "op",
    "plate_logsumexp",
    "plate_max",
    "plate_mean",
    "plate_sum",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "stop_gradient",
    "where",
]
