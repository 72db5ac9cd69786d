"""Baselines without parameters: a constant, a moving average, the cost of the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.arguments import Fraction
from scg.estimators.baselines.base import Baseline
from scg.ir.op import constant
from scg.ops.elementwise import maximum

if TYPE_CHECKING:
    from scg.distributions.base import Distribution
    from scg.estimators.protocol import Downstream, Draw, Memory
    from scg.ir.expr import Expr


class Constant(Baseline):
    """A fixed number, in the user's units of the cost of one element.

    Parameters
    ----------
    value : float
        The baseline.
    """

    def __init__(self, value: float):
        self.constant = float(value)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """Return the number."""
        return constant(signal.graph, self.constant) / downstream.unit


class MovingAverage(Baseline):
    """The exponential moving average of the costs of *earlier* calls.

    The cost of the present call enters the new state alone; with it the gradient would be biased.

    Parameters
    ----------
    decay : float
        Weight of the past, 0 ≤ decay < 1.
    """

    def __init__(self, decay: Fraction = 0.9):
        self.decay = decay

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """Return the average, corrected for its start at zero."""
        total, weight = memory.state("average", 0.0), memory.state("weight", 0.0)
        now = downstream.average(signal * downstream.unit)
        memory.update("average", self.decay * total + (1.0 - self.decay) * now)
        memory.update("weight", self.decay * weight + (1.0 - self.decay))
        return total / maximum(weight, 1.0 - self.decay) / downstream.unit


class SelfCritical(Baseline):
    """The cost of the greedy run: the node and all below it at their modes (Rennie et al. 2017)."""

    requires = ("modes below",)
    cites = ("rennie2017",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """Return the cost at the modes."""
        return downstream.at(dist.mode(), below="mode").cost
