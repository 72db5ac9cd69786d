"""Alone: replays in which one element of a node's plates moves, and the others stay as sampled."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add

from scg.common.lazy import cached_property
from scg.compiler.analyse import Reach
from scg.compiler.first_run import FirstRun
from scg.compiler.rerun import Rerun, rerun
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import constant, same_element
from scg.ir.plate import Plate, Plates
from scg.ops.elementwise import where
from scg.ops.gradient import mark
from scg.ops.reductions import expand, plate_sum, sum_mixed

#: The influenced costs of a run that one reach goes to, given the sample plates that they keep.
Costs = Callable[[Reach, Rerun, Plates], Expr]


class AloneReplay:
    """A replay of each element of a node by itself.

    Where the node's plates survive, all elements move in one run, because none meets another. On
    the way to costs and nodes that mix a plate, the element that moves lies on a twin of the plate.
    """

    def __init__(
        self, first: FirstRun, node: StochasticNode, value: Expr, below: str, costs: Costs
    ):
        self.first, self.node, self.below, self._costs = first, node, below, costs
        self.point = expand(value, (*value.plates, *node.plates), node.shape)
        self._runs: dict[frozenset[Plate], Rerun] = {}

    @cached_property
    def cost(self) -> Expr:
        """The influenced costs, on the plates of the point."""
        reaches = (reach for reach in self.first.influence.downstream[self.node] if reach.open)
        return self._sum([self._back(reach, self._cost(reach)) for reach in reaches])

    @cached_property
    def logp(self) -> Expr:
        """The log-probability of the nodes below given their new parents, which they keep."""
        influence = self.first.influence
        children = influence.below[self.node] - influence.nodes.only(self.node)
        reaches = ((child, reach) for child in children for reach in influence.ancestors[child])
        return self._sum(
            [
                self._back(reach, sum_mixed(logp[child], reach.sep))
                for child, reach in reaches
                if self.node in reach.members and child in (logp := self._run(reach).logp)
            ]
        )

    def _sum(self, parts: list[Expr]) -> Expr:
        return reduce(add, parts, constant(self.first.graph, 0.0))

    def _mixed(self, reach: Reach) -> frozenset[Plate]:
        return frozenset(self.node.plates) - reach.sep

    def _run(self, reach: Reach) -> Rerun:
        mixed, point = self._mixed(reach), self.point
        if mixed not in self._runs:
            for plate in mixed:
                same = same_element(point.graph, plate, self.first.twin(plate))
                point = where(same, point, self.first.env[self.node])
            point = mark(point, label=f"{self.node.name}:{self.below}")
            self._runs[mixed] = rerun(self.first, {self.node: point}, self.below)
        return self._runs[mixed]

    def _cost(self, reach: Reach) -> Expr:
        """The costs on the sample plates of the first run, of the point, and of kept samples.

        A kept sample below another parent is one for each of the parent's samples, and so is its
        likelihood: costs must not be averaged over these before they are weighted with it.
        """
        run = self._run(reach)
        lived = (self.first.env[self.node], run.env[self.node], *run.logp.values())
        samples = dict.fromkeys(p for x in lived for p in x.plates if not p.owned_by_user)
        return self._costs(reach, run, tuple(samples))

    def _back(self, reach: Reach, x: Expr) -> Expr:
        """Move twins back to their plates."""
        for plate in self._mixed(reach):
            twin = self.first.twin(plate)
            x = plate_sum(where(same_element(x.graph, plate, twin), x, 0.0), twin)
        return x
