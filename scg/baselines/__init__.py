"""Baselines of the score function."""

from scg.baselines.base import Baseline
from scg.baselines.network import Network
from scg.baselines.simple import Constant, MovingAverage, SelfCritical

__all__ = ["Baseline", "Constant", "MovingAverage", "Network", "SelfCritical"]
