"""Baselines of the score function."""

from scg.estimators.baselines.base import Baseline
from scg.estimators.baselines.network import Network
from scg.estimators.baselines.optimal import OptimalConstant, OptimalInput, PerUnit
from scg.estimators.baselines.simple import Constant, MovingAverage, SelfCritical

__all__ = [
    "Baseline",
    "Constant",
    "MovingAverage",
    "Network",
    "OptimalConstant",
    "OptimalInput",
    "PerUnit",
    "SelfCritical",
]
