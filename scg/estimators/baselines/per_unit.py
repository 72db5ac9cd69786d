"""A moving baseline for each unit: the ratio of weighted averages of earlier costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.arguments import Fraction
from scg.estimators.baselines.base import Baseline
from scg.estimators.baselines.squared_score import squared_score
from scg.ops.gradient import stop
from scg.ops.powers import ratio

if TYPE_CHECKING:
    from scg.distributions.base import Distribution
    from scg.estimators.protocol import Downstream, Draw, Memory
    from scg.ir.expr import Expr


class PerUnit(Baseline):
    """Estimate of the variance-minimising constant of each unit, from *earlier* calls.

    E[(h_i − p_i)² f] / E[(h_i − p_i)²], with h_i the unit, p_i its probability and f the cost; both
    expectations are moving averages over calls, plates and samples. Use it in place of
    :class:`MovingAverage` for layers of many units. Its limit is :class:`OptimalConstant`.

    Parameters
    ----------
    decay : float
        Weight of the past, 0 ≤ decay < 1.

    References
    ----------
    Bengio, Léonard and Courville (2013), section 3.
    """

    requires = ("coordinates",)
    cites = ("bengio2013",)

    def __init__(self, decay: Fraction = 0.9):
        self.decay = decay

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """The ratio of the averages so far, 0 before the first call."""
        square = stop(squared_score(dist, draw.value))
        units = signal * downstream.unit
        averages = []
        for name, now in (("weighted", square * units), ("weight", square)):
            before = memory.state(name, 0.0, square.shape)
            memory.update(name, self.decay * before + (1.0 - self.decay) * downstream.average(now))
            averages.append(before)
        return ratio(*averages) / downstream.unit
