"""Baselines of the score function."""

from scg.baselines.base import Baseline
from scg.baselines.network import Network
from scg.baselines.optimal import OptimalConstant, OptimalInput
from scg.baselines.per_unit import PerUnit
from scg.baselines.simple import Constant, MovingAverage, SelfCritical

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
