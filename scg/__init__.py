"""scg: stochastic computation graphs and gradient estimation.

Declare a model as a graph in NumPy notation, choose a gradient estimator for each stochastic
node, compile, and check the gradient against exact truth.
"""

from scg.cite import cite
from scg.compile import compile
from scg.compiler.differentiate import grad
from scg.distributions import (
    Autoregressive,
    Bernoulli,
    Beta,
    Binomial,
    Categorical,
    Cauchy,
    Delta,
    Dirichlet,
    Distribution,
    Exponential,
    Gamma,
    Geometric,
    Gumbel,
    HalfNormal,
    Independent,
    InverseGamma,
    Laplace,
    Logistic,
    LogNormal,
    Mixture,
    Multinomial,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    OneHotCategorical,
    OrderedLogistic,
    Pareto,
    Poisson,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    StudentT,
    Uniform,
    VonMises,
    Weibull,
)
from scg.distributions.constraints import (
    lower_cholesky,
    ordered_vector,
    positive,
    positive_exp,
    simplex,
    unit_interval,
)
from scg.engine.threads import set_threads
from scg.errors import (
    BiasWarning,
    CallError,
    CheckpointError,
    CompilerError,
    DataError,
    DeclarationError,
    DivergenceWarning,
    EnumerationError,
    EstimatorError,
    PathsWarning,
    ScgError,
    StopWarning,
    UnsupportedError,
)
from scg.estimators import (
    ARM,
    ARMS,
    ARSM,
    CARMS,
    DARN,
    LAX,
    RAM,
    REBAR,
    RELAX,
    RODEO,
    VIMCO,
    CategoricalDisARM,
    DisARM,
    DoubleCV,
    Enumeration,
    Estimator,
    GappedStraightThrough,
    GradientPredictor,
    GumbelSoftmax,
    LeaveOneOut,
    LocalExpectation,
    MeasureValued,
    MuProp,
    RaoGumbel,
    ReinMax,
    Reparameterization,
    ScoreFunction,
    StraightThrough,
    Stratified,
    SumAndSample,
    UnorderedSet,
    baselines,
)
from scg.face import Graph
from scg.graph import init
from scg.graph.bounds import dreg, elbo, iwae, reweighted_wake_sleep
from scg.ir.plate import Plate
from scg.layers import nn
from scg.layers.units import noisy_rectifier, stochastic_times_smooth
from scg.ops import (
    avg_pool,
    betaln,
    continuous,
    conv2d,
    conv_transpose,
    digamma,
    elu,
    erf,
    erfc,
    erfinv,
    gammainc,
    gammaincinv,
    gammaln,
    gelu,
    i0e,
    i1e,
    leaky_relu,
    log_ndtr,
    log_sigmoid,
    log_softmax,
    logit,
    logsumexp,
    max_pool,
    ndtr,
    ndtri,
    one_hot,
    op,
    plate_logsumexp,
    plate_max,
    plate_mean,
    plate_sum,
    polygamma,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    solve_triangular,
    sparsemax,
    stop_gradient,
    where,
)
from scg.train import evaluate, fit, optim
from scg.verify.check import check
from scg.verify.compare import compare
from scg.verify.exact import exact
from scg.verify.moments import moments

# fmt: off
__all__ = [
    "ARM", "ARMS", "ARSM", "CARMS", "DARN", "LAX", "RAM", "REBAR", "RELAX", "RODEO", "VIMCO",
    "Autoregressive", "Bernoulli", "Beta", "BiasWarning", "Binomial", "CallError", "Categorical",
    "CategoricalDisARM", "Cauchy", "CheckpointError", "CompilerError", "DataError",
    "DeclarationError", "Delta", "Dirichlet", "DisARM", "Distribution", "DivergenceWarning",
    "DoubleCV", "Enumeration", "EnumerationError", "Estimator", "EstimatorError", "Exponential",
    "Gamma", "GappedStraightThrough", "Geometric", "GradientPredictor", "Graph", "Gumbel",
    "GumbelSoftmax", "HalfNormal", "Independent", "InverseGamma", "Laplace", "LeaveOneOut",
    "LocalExpectation", "LogNormal", "Logistic", "MeasureValued", "Mixture", "MuProp",
    "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal", "OneHotCategorical",
    "OrderedLogistic", "Pareto", "PathsWarning", "Plate", "Poisson", "RaoGumbel", "ReinMax",
    "RelaxedBernoulli", "RelaxedOneHotCategorical", "Reparameterization", "ScgError",
    "ScoreFunction", "StopWarning", "StraightThrough", "Stratified", "StudentT", "SumAndSample",
    "Uniform", "UnorderedSet", "UnsupportedError", "VonMises", "Weibull", "avg_pool", "baselines",
    "betaln", "check", "cite", "compare", "compile", "continuous", "conv2d", "conv_transpose",
    "digamma", "dreg", "elbo", "elu", "erf", "erfc", "erfinv", "evaluate", "exact", "fit",
    "gammainc", "gammaincinv", "gammaln", "gelu", "grad", "i0e", "i1e", "init", "iwae",
    "leaky_relu", "log_ndtr", "log_sigmoid", "log_softmax", "logit", "logsumexp", "lower_cholesky",
    "max_pool", "moments", "ndtr", "ndtri", "nn", "noisy_rectifier", "one_hot", "op", "optim",
    "ordered_vector", "plate_logsumexp", "plate_max", "plate_mean", "plate_sum", "polygamma",
    "positive", "positive_exp", "relu", "reweighted_wake_sleep", "set_threads", "sigmoid", "silu",
    "simplex", "softmax", "softplus", "solve_triangular", "sparsemax", "stochastic_times_smooth",
    "stop_gradient", "unit_interval", "where",
]
# fmt: on
