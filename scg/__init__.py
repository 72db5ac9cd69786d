"""scg: stochastic computation graphs and gradient estimation.

Declare a model as a graph in NumPy notation, choose a gradient estimator for each stochastic
node, compile, and check the gradient against exact truth.
"""

__version__ = "0.1.0"

from typing import TYPE_CHECKING, Any

from scg import ops
from scg.cite import cite
from scg.compile import compile
from scg.compiler.differentiate import grad
from scg.distributions import (
    RBM,
    AffineCoupling,
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
    HiddenMarkov,
    Independent,
    InverseGamma,
    Laplace,
    LinearChain,
    Logistic,
    LogNormal,
    MarkovChain,
    Matching,
    Mixture,
    Multinomial,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    OneHotCategorical,
    OrderedLogistic,
    Pareto,
    PlackettLuce,
    Poisson,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    SplineCoupling,
    StudentT,
    Subset,
    Transformed,
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
    WorkerError,
)
from scg.estimators import (
    ARM,
    ARMS,
    ARSM,
    CARMS,
    DARN,
    GO,
    GREP,
    LAX,
    RAM,
    REBAR,
    RELAX,
    RODEO,
    RSVI,
    SPSA,
    UGC,
    VIMCO,
    BitFlip,
    CategoricalDisARM,
    DisARM,
    DoubleCV,
    Enumeration,
    Estimator,
    EvolutionStrategy,
    GappedStraightThrough,
    GradientPredictor,
    GumbelSinkhorn,
    GumbelSoftmax,
    ImplicitMLE,
    LeaveOneOut,
    LocalExpectation,
    MeasureValued,
    MuProp,
    OrthogonalEvolution,
    PersistentChains,
    RaoGumbel,
    ReinMax,
    Reparameterization,
    ScoreFunction,
    StochasticTriple,
    StraightThrough,
    Stratified,
    SumAndSample,
    UnorderedSet,
    baselines,
)
from scg.estimators.baselines.critic import Bootstrap, Critic
from scg.estimators.forward import RTRL, UORO
from scg.estimators.pes import PES
from scg.estimators.recorded import Recorded
from scg.estimators.truncation import ARTBP, Truncated
from scg.face import Graph
from scg.graph import init
from scg.graph.bounds import elbo, iwae, vr_iwae
from scg.ir.plate import Plate, Time
from scg.layers import nn
from scg.layers.units import noisy_rectifier, stochastic_times_smooth
from scg.ops import *  # noqa: F403 - its __all__ lists what users call

if TYPE_CHECKING:
    from scg.distributions.annealing import annealed_log_z
    from scg.graph.rewrites import dreg, gdreg, reweighted_wake_sleep, tvo
    from scg.layers.environment import Environment
    from scg.train import evaluate, fit, optim
    from scg.verify.advise import advise
    from scg.verify.attribute import attribute
    from scg.verify.check import check
    from scg.verify.compare import compare
    from scg.verify.exact import exact
    from scg.verify.moments import moments
    from scg.verify.study import study
    from scg.verify.sweep import sweep

#: Names whose modules are imported when they are first used; importing scg is to stay fast.
_LATER = {
    "Environment": "scg.layers.environment",
    "advise": "scg.verify.advise",
    "annealed_log_z": "scg.distributions.annealing",
    "attribute": "scg.verify.attribute",
    "check": "scg.verify.check",
    "compare": "scg.verify.compare",
    "dreg": "scg.graph.rewrites",
    "evaluate": "scg.train",
    "exact": "scg.verify.exact",
    "fit": "scg.train",
    "gdreg": "scg.graph.rewrites",
    "moments": "scg.verify.moments",
    "optim": "scg.train",
    "reweighted_wake_sleep": "scg.graph.rewrites",
    "study": "scg.verify.study",
    "sweep": "scg.verify.sweep",
    "tvo": "scg.graph.rewrites",
}

# fmt: off
__all__ = [
    "ARM", "ARMS", "ARSM", "ARTBP", "CARMS", "DARN", "GO", "GREP", "LAX", "PES", "RAM", "RBM",
    "REBAR", "RELAX", "RODEO", "RSVI", "RTRL", "SPSA", "UGC", "UORO", "VIMCO", "AffineCoupling",
    "Autoregressive", "Bernoulli", "Beta", "BiasWarning", "Binomial", "BitFlip", "Bootstrap",
    "CallError", "Categorical", "CategoricalDisARM", "Cauchy", "CheckpointError", "CompilerError",
    "Critic", "DataError", "DeclarationError", "Delta", "Dirichlet", "DisARM", "Distribution",
    "DivergenceWarning", "DoubleCV", "Enumeration", "EnumerationError", "Environment", "Estimator",
    "EstimatorError", "EvolutionStrategy", "Exponential", "Gamma", "GappedStraightThrough",
    "Geometric", "GradientPredictor", "Graph", "Gumbel", "GumbelSinkhorn", "GumbelSoftmax",
    "HalfNormal", "HiddenMarkov", "ImplicitMLE", "Independent", "InverseGamma", "Laplace",
    "LeaveOneOut", "LinearChain", "LocalExpectation", "LogNormal", "Logistic", "MarkovChain",
    "Matching", "MeasureValued", "Mixture", "MuProp", "Multinomial", "MultivariateNormal",
    "NegativeBinomial", "Normal", "OneHotCategorical", "OrderedLogistic", "OrthogonalEvolution",
    "Pareto", "PathsWarning", "PersistentChains", "PlackettLuce", "Plate", "Poisson", "RaoGumbel",
    "Recorded", "ReinMax", "RelaxedBernoulli", "RelaxedOneHotCategorical", "Reparameterization",
    "ScgError", "ScoreFunction", "SplineCoupling", "StochasticTriple", "StopWarning",
    "StraightThrough", "Stratified", "StudentT", "Subset", "SumAndSample", "Time", "Transformed",
    "Truncated", "Uniform", "UnorderedSet", "UnsupportedError", "VonMises", "Weibull",
    "WorkerError", "advise", "annealed_log_z", "attribute", "baselines", "check", "cite", "compare",
    "compile", "dreg", "elbo", "evaluate", "exact", "fit", "gdreg", "grad", "init", "iwae",
    "lower_cholesky", "moments", "nn", "noisy_rectifier", "optim", "ordered_vector", "positive",
    "positive_exp", "reweighted_wake_sleep", "set_threads", "simplex", "stochastic_times_smooth",
    "study", "sweep", "tvo", "unit_interval", "vr_iwae",
]
# fmt: on
__all__ += ops.__all__


def __getattr__(name: str) -> Any:
    import importlib

    if name in ("draw", "explain", "train", "verify"):  # rooms that names above come from
        return importlib.import_module(f"scg.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'scg' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    return globals().setdefault(name, value)


def __dir__() -> list[str]:
    return sorted(__all__)
