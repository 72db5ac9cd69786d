"""Gradient estimators: one published estimator a file.

In docstrings x is the sample, p its distribution with parameters θ and mean μ, f the cost as a
function of x, f′ its derivative, K the number of samples, and σ the logistic function.
"""

from scg.estimators.arm import ARM
from scg.estimators.arms import ARMS
from scg.estimators.arsm import ARSM
from scg.estimators.bit_flip import BitFlip
from scg.estimators.carms import CARMS
from scg.estimators.categorical_disarm import CategoricalDisARM
from scg.estimators.darn import DARN
from scg.estimators.disarm import DisARM
from scg.estimators.double_cv import DoubleCV
from scg.estimators.enumeration import Enumeration
from scg.estimators.evolution_strategy import EvolutionStrategy
from scg.estimators.gapped_straight_through import GappedStraightThrough
from scg.estimators.go import GO
from scg.estimators.gradient_predictor import GradientPredictor
from scg.estimators.grep import GREP
from scg.estimators.gumbel_sinkhorn import GumbelSinkhorn
from scg.estimators.gumbel_softmax import GumbelSoftmax
from scg.estimators.implicit_mle import ImplicitMLE
from scg.estimators.lax import LAX
from scg.estimators.leave_one_out import LeaveOneOut
from scg.estimators.local_expectation import LocalExpectation
from scg.estimators.measure_valued import MeasureValued
from scg.estimators.muprop import MuProp
from scg.estimators.orthogonal_evolution import OrthogonalEvolution
from scg.estimators.persistent_chains import PersistentChains
from scg.estimators.protocol import Estimator
from scg.estimators.ram import RAM
from scg.estimators.rao_gumbel import RaoGumbel
from scg.estimators.rebar import REBAR
from scg.estimators.reinmax import ReinMax
from scg.estimators.relax import RELAX
from scg.estimators.reparameterization import Reparameterization
from scg.estimators.rodeo import RODEO
from scg.estimators.rsvi import RSVI
from scg.estimators.score_function import ScoreFunction
from scg.estimators.spsa import SPSA
from scg.estimators.stochastic_triple import StochasticTriple
from scg.estimators.straight_through import StraightThrough
from scg.estimators.stratified import Stratified
from scg.estimators.sum_and_sample import SumAndSample
from scg.estimators.ugc import UGC
from scg.estimators.unordered_set import UnorderedSet
from scg.estimators.vimco import VIMCO

# fmt: off
#: All estimators, in the order in which messages suggest them.
ESTIMATORS = (
    Reparameterization, LeaveOneOut, Enumeration, MuProp, ScoreFunction, DisARM, ARM, ARMS,
    VIMCO, CARMS, ARSM, CategoricalDisARM, RAM, LocalExpectation, MeasureValued, GO,
    StochasticTriple, UGC, BitFlip, UnorderedSet, SumAndSample, Stratified, DoubleCV, RODEO,
    REBAR, RELAX, LAX, RSVI, GREP, GradientPredictor, StraightThrough, GumbelSoftmax, RaoGumbel,
    ReinMax, GappedStraightThrough, DARN, ImplicitMLE, GumbelSinkhorn, PersistentChains,
    EvolutionStrategy, OrthogonalEvolution, SPSA,
)
# fmt: on

#: The compiler's choice for a node: pathwise where each path is continuous; the sum over its values
#: within a budget; else samples of whole paths.
PATHWISE, SUMMED, SAMPLED = Reparameterization(), Enumeration(), LeaveOneOut(samples=4)
#: Unbiased for any node, and so different that one can check the other.
REFERENCES = (SAMPLED, ScoreFunction())

__all__ = [
    "ESTIMATORS",
    "PATHWISE",
    "REFERENCES",
    "SAMPLED",
    "SUMMED",
    "Estimator",
    *(cls.__name__ for cls in ESTIMATORS),
]
