"""Distributions: one family a file."""

from scg.distributions.base import Distribution
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.categorical import Categorical, OneHotCategorical
from scg.distributions.gamma import Gamma
from scg.distributions.normal import Normal

__all__ = ["Bernoulli", "Categorical", "Distribution", "Gamma", "Normal", "OneHotCategorical"]
