"""Distributions: one family per file, or a few that build on each other."""

from scg.distributions.autoregressive import Autoregressive
from scg.distributions.base import Distribution
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.beta import Beta, Dirichlet
from scg.distributions.bijections import BIJECTIONS, AffineCoupling, SplineCoupling
from scg.distributions.binomial import Binomial
from scg.distributions.categorical import Categorical, OneHotCategorical
from scg.distributions.chains import LinearChain, MarkovChain
from scg.distributions.delta import Delta
from scg.distributions.exponential import Exponential, Pareto, Weibull
from scg.distributions.gamma import Gamma, InverseGamma
from scg.distributions.gumbel import Gumbel
from scg.distributions.hidden_markov import HiddenMarkov
from scg.distributions.independent import Independent
from scg.distributions.laplace import Laplace
from scg.distributions.logistic import Logistic
from scg.distributions.matching import Matching
from scg.distributions.mixture import Mixture
from scg.distributions.multinomial import Multinomial
from scg.distributions.multivariate_normal import MultivariateNormal
from scg.distributions.negative_binomial import Geometric, NegativeBinomial
from scg.distributions.normal import HalfNormal, LogNormal, Normal
from scg.distributions.ordered_logistic import OrderedLogistic
from scg.distributions.plackett_luce import PlackettLuce
from scg.distributions.poisson import Poisson
from scg.distributions.rbm import RBM
from scg.distributions.relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from scg.distributions.student_t import Cauchy, StudentT
from scg.distributions.subset import Subset
from scg.distributions.transformed import Transformed
from scg.distributions.uniform import Uniform
from scg.distributions.von_mises import VonMises

# fmt: off
#: All families, in the order of the reference.
DISTRIBUTIONS = (
    Bernoulli, OneHotCategorical, Categorical, Normal, Gamma, Beta, Dirichlet, Poisson,
    Binomial, Geometric, NegativeBinomial, Exponential, Laplace, Logistic, Gumbel, LogNormal,
    Uniform, StudentT, Cauchy, HalfNormal, Weibull, InverseGamma, Pareto, VonMises,
    MultivariateNormal, Multinomial, OrderedLogistic, RelaxedBernoulli,
    RelaxedOneHotCategorical, Mixture, Autoregressive, RBM, Subset, PlackettLuce, Matching,
    MarkovChain, HiddenMarkov, LinearChain, Transformed, Independent, Delta,
)
# fmt: on

__all__ = [
    "BIJECTIONS",
    "DISTRIBUTIONS",
    "AffineCoupling",
    "Distribution",
    "SplineCoupling",
    *(family.__name__ for family in DISTRIBUTIONS),
]
