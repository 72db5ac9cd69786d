"""Variance-minimising baselines: computed exactly, or estimated in training."""

from __future__ import annotations

from scg.common.arguments import Fraction
from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.protocol import Downstream, Draw, Memory
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.elementwise import cast, equal, possible, square
from scg.ops.gradient import stop
from scg.ops.powers import ratio
from scg.ops.reductions import plate_sum, sum
from scg.ops.shape import np_reshape


class OptimalConstant(Baseline):
    """The constant that minimises the variance: E[s² f] / E[s²], one for each coordinate.

    s is the score with respect to the coordinate's own logits, f the cost. The expectation is over
    the whole graph, by enumeration: for small graphs. On a plate all elements share the constant.

    References
    ----------
    Bengio, Léonard and Courville (2013).
    """

    requires = ("coordinates", "enumerable graph")
    cites = ("bengio2013",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """The ratio of weighted expectations."""
        top = downstream.expected(lambda law, x, cost: squared_score(law, x) * cost)
        bottom = downstream.expected(lambda law, x, cost: squared_score(law, x))
        return ratio(plate_sum(top, top.plates), plate_sum(bottom, bottom.plates))


class OptimalInput(Baseline):
    """The function of the node's inputs that minimises the variance: E[s² f | inputs] / E[s² | …].

    s is the score with respect to the coordinate's own logits, f the cost; each coordinate has its
    own function. The nodes below are averaged over exactly: for small graphs.
    """

    requires = ("coordinates", "enumerable below")
    cites = ("tokui2017",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """The ratio of weighted expectations, given the inputs."""
        plate = downstream.plate(dist.cardinality())
        x = constant(draw.value.graph, dist.enumerate_support(), (plate,))
        weight = dist.prob(x) * squared_score(dist, x)
        cost = downstream.at(x, below="expected").cost
        return ratio(plate_sum(weight * possible(cost, weight), plate), plate_sum(weight, plate))


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
    Bengio, Léonard and Courville (2013).
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


def squared_score(dist: Distribution, x: Expr) -> Expr:
    """Σ_v (1[x_i = v] − p_iv)², the squared score in the logits of each coordinate."""
    values, probs = dist.coordinate_values(), dist.coordinate_probs()
    inner = values.shape[1:]
    one = np_reshape(x, (*probs.shape[:-1], 1, *inner))
    hit = cast(equal(one, values))
    for _ in inner:
        hit = cast(equal(sum(hit, axis=-1), float(hit.shape[-1])))
    return sum(square(hit - probs), axis=-1)
