"""The best baselines there are, computed exactly: for teaching and for measuring others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.estimators.baselines.base import Baseline
from scg.estimators.baselines.squared_score import squared_score
from scg.ir.op import constant
from scg.ops.elementwise import exp, maximum
from scg.ops.reductions import plate_sum

if TYPE_CHECKING:
    from scg.distributions.base import Distribution
    from scg.estimators.protocol import Downstream, Draw, Memory
    from scg.ir.expr import Expr

_TINY = 1e-300


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
        total = plate_sum(bottom, bottom.plates)
        return plate_sum(top, top.plates) / maximum(total, _TINY)


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
        weight = exp(dist.log_prob(x)) * squared_score(dist, x)
        cost = downstream.at(x, below="expected").cost
        return plate_sum(weight * cost, plate) / maximum(plate_sum(weight, plate), _TINY)
