"""Gradient estimators: one published estimator a file."""

from scg.estimators.base import Estimator
from scg.estimators.enumeration import Enumeration
from scg.estimators.leave_one_out import LeaveOneOut
from scg.estimators.muprop import MuProp
from scg.estimators.reparameterization import Reparameterization
from scg.estimators.score_function import ScoreFunction
from scg.estimators.straight_through import StraightThrough

#: All estimators, in the order in which messages suggest them.
ESTIMATORS = (
    Reparameterization,
    LeaveOneOut,
    Enumeration,
    MuProp,
    ScoreFunction,
    StraightThrough,
)

__all__ = ["ESTIMATORS", "Estimator", *(cls.__name__ for cls in ESTIMATORS)]
