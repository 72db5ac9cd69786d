"""The best baselines there are, computed exactly: for teaching and for measuring others."""

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
    """The constant that minimises the variance: E[s² f] / E[s²], for each coordinate its own.

    Notes
    -----
    s is the score of the coordinate's own logits, and the expectation is over the whole graph, by
    enumeration; on a plate all elements share the constant. Bengio, Léonard and Courville
    (2013, section 3).
    """

    requires = ("coordinates", "enumerable graph")
    cites = ("bengio2013",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """Return the ratio of weighted expectations."""
        top = downstream.expected(lambda law, x, cost: squared_score(law, x) * cost)
        bottom = downstream.expected(lambda law, x, cost: squared_score(law, x))
        return ratio(plate_sum(top, top.plates), plate_sum(bottom, bottom.plates))


class OptimalInput(Baseline):
    """The function of the node's inputs that minimises the variance: E[s² f | inputs] / E[s² | …].

    Notes
    -----
    Every coordinate has its own. The nodes below are averaged over exactly.
    """

    requires = ("coordinates", "enumerable below")
    cites = ("tokui2017",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """Return the ratio of weighted expectations, given the inputs."""
        plate = downstream.plate(dist.cardinality())
        x = constant(draw.value.graph, dist.enumerate_support(), (plate,))
        weight = dist.prob(x) * squared_score(dist, x)
        cost = downstream.at(x, below="expected").cost
        return ratio(plate_sum(weight * possible(cost, weight), plate), plate_sum(weight, plate))
