"""Baselines without parameters: a constant, a moving average, the cost of the mode."""

from __future__ import annotations

from scg.common.arguments import Fraction
from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.protocol import Downstream, Draw, Memory
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.elementwise import maximum


class Constant(Baseline):
    """A fixed number, in your units of the cost of one element.

    Use it where the mean cost is known in advance; :class:`MovingAverage` estimates it.

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
        """The number."""
        return constant(signal.graph, self.constant) / downstream.unit


def average_so_far(decay: float, memory: Memory) -> Expr:
    """Average over *earlier* calls, in units of a cost, corrected for its start at zero."""
    return memory.state("average", 0.0) / maximum(memory.state("weight", 0.0), 1.0 - decay)


def moving_average(
    signal: Expr, decay: float, downstream: Downstream, memory: Memory, unit: Expr | None = None
) -> Expr:
    """The average so far, to which this call's signal is added afterwards."""
    now = downstream.average(signal * (downstream.unit if unit is None else unit))
    memory.update("average", decay * memory.state("average", 0.0) + (1.0 - decay) * now)
    memory.update("weight", decay * memory.state("weight", 0.0) + (1.0 - decay))
    return average_so_far(decay, memory)


class MovingAverage(Baseline):
    """Exponential moving average of the costs of *earlier* calls.

    Use it in training, at no further evaluation. Pass ``state=`` from call to call: the cost of the
    present call enters the new state alone, because the gradient would be biased with it.

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
        """The average so far."""
        return moving_average(signal, self.decay, downstream, memory) / downstream.unit


class SelfCritical(Baseline):
    """Cost of a greedy pass: the node and all nodes below it at their modes.

    Use it where the mode is a good solution, as in sequence models: one evaluation more, no state.

    References
    ----------
    Rennie et al. (2017).
    """

    requires = ("modes below",)
    cites = ("rennie2017",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """The cost at the modes."""
        return downstream.at(dist.mode(), below="mode").cost
