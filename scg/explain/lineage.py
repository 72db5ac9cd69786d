"""Lineage: where parameters enter a planned graph, and what lies between a node and its costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scg.common.lazy import cached_property
from scg.compiler.analyse import Cost
from scg.compiler.members import Members
from scg.compiler.plan import Plan
from scg.explain.notation import quoted
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA
from scg.ir.walk import named_below
from scg.ops.gradient import stop


class Onward(NamedTuple):
    """What a pathwise sample reaches through deterministic ops and other pathwise samples."""

    costs: Members[Cost]
    nodes: tuple[StochasticNode, ...]  #: The next nodes of other kinds of credit.


class Lineage:
    """Questions about a planned graph that derivations ask."""

    def __init__(self, plan: Plan):
        self.plan, self.influence = plan, plan.influence

    @cached_property
    def _named(self) -> dict[Expr, int]:
        """Data and stochastic nodes with their positions."""
        order = enumerate(self.influence.order)
        return {e: i for i, e in order if isinstance(e, StochasticNode) or e.op is DATA}

    @cached_property
    def _leaves(self) -> set[Expr]:
        return set(self.influence.learned.values())

    @cached_property
    def _ends(self) -> set[Expr]:
        """Where a search for parameters ends: at them, at samples and at stops."""
        stops = {e for e in self.influence.order if e.op is stop}
        return self._leaves | set(self.influence.nodes) | stops

    def parents(self, node: StochasticNode) -> list[str]:
        """The data and stochastic nodes on which a node directly depends, in their order."""
        return [e.name or "" for e in self._sorted(named_below(node, self._named))]

    def earlier(self, node: StochasticNode) -> list[str]:
        """Those on which it depends through carries of scans, as formulas: ‹z›_{< ‹steps›}."""
        found: dict[str, None] = {}
        direct, later = self.parents(node), self.influence.later
        for leaf in named_below(node, {**self._named, **later}):
            if leaf in later:
                new, scan = later[leaf]
                deep = named_below(new, self._named, self.influence.made_of)
                steps = f"_{{{'>' if scan.reverse else '<'} {quoted(scan.plate.name)}}}"
                for e in self._sorted([new] if new in self._named else deep):
                    if scan.plate in e.plates or e.name not in direct:
                        found[quoted(e.name or "") + steps * (scan.plate in e.plates)] = None
        return list(found)

    def _sorted(self, found: Iterable[Expr]) -> list[Expr]:
        return sorted(found, key=self._named.__getitem__)

    def enters(self, goal: Expr) -> bool:
        """Whether a parameter enters in a cost, or at the distribution of a node."""
        if goal in self._leaves:
            return True
        if goal in self._ends and not isinstance(goal, StochasticNode):
            return False
        found = named_below(goal, self._ends, self.influence.made_of)
        return not self._leaves.isdisjoint(found)

    def enters_cost(self, cost: Expr) -> bool:
        """Whether a parameter enters in a cost itself, other than through samples."""
        return not isinstance(cost, StochasticNode) and self.enters(cost)

    def onward(self, node: StochasticNode) -> Onward:
        """What a pathwise sample reaches."""
        reached: set[Expr] = {node}
        nodes: list[StochasticNode] = []
        none, here = self.influence.costs.none, self.influence.at_costs
        costs, before = here.get(node, none), 0
        while before < len(reached):  # once more for what carries bring
            before = len(reached)
            for expr in self.influence.order:
                if expr.op is stop or reached.isdisjoint(self.influence.made_of(expr)):
                    continue
                if isinstance(expr, StochasticNode) and not self.pathwise(expr):
                    if expr not in {*nodes} and self.influence.credited(expr):
                        nodes.append(expr)
                else:
                    reached.add(expr)
                    costs = costs | here.get(expr, none)
        return Onward(costs, tuple(nodes))

    def pathwise(self, node: StochasticNode) -> bool:
        """Whether credit flows through the value of a node."""
        return self.plan.estimators[node].credit == "pathwise"

    def path(self, node: StochasticNode, cost: Cost) -> list[str]:
        """The names on a path from a node to a cost, in order."""
        walk = self.influence.path(node, cost.node)
        return [e.name for e in walk[:-1] if e.name] + [cost.name]

    def values(self, node: StochasticNode) -> str:
        """Whether values are summed over or integrated: "finite", "countable" or "continuous"."""
        if node.attrs["family"].supports("cardinality"):
            return "finite"
        return "countable" if node.declared.support.kind == "integer" else "continuous"
