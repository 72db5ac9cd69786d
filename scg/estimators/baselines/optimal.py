"""Variance-minimising baselines, computed exactly: for teaching, and for measuring others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.estimators.baselines.base import Baseline
from scg.estimators.baselines.squared_score import squared_score
from scg.ir.op import constant
from scg.ops.elementwise import possible
from scg.ops.powers import ratio
from scg.ops.reductions import plate_sum

if TYPE_CHECKING:
    from scg.distributions.base import Distribution
    from scg.estimators.protocol import Downstream, Draw, Memory
    from scg.ir.expr import Expr


class OptimalConstant(Baseline):
    """The constant that minimises the variance: E[s² f] / E[s²], one for each coordinate.

    s is the score with respect to the coordinate's own logits, f the cost. The expectation is over
    the whole graph, by enumeration: for small graphs. On a plate all elements share the constant.

    References
    ----------
    Bengio, Léonard and Courville (2013), section 3.
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
