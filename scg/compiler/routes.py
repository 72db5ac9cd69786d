"""Routes: the costs that a node influences, by the plates that survive on the way to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scg.compiler.analyse import Cost, Influence, Reach, reached
from scg.compiler.members import Members
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate
from scg.ops.reductions import sum_mixed


@dataclass(frozen=True)
class NodeRoute:
    """Costs to which the same plates survive, from a node and from each of its ancestors."""

    sep: frozenset[Plate]  #: The node's plates that survive on every path to the costs.
    above: tuple[Reach, ...]  #: The node's ancestors, by their plates that survive to the costs.
    costs: Members[Cost]  #: None for the route that ends at the node itself.

    def score(self, logp: Expr) -> Expr:
        """Sum a log-probability over the node's plates that do not survive."""
        return sum_mixed(logp, self.sep)


def own_route(influence: Influence, node: StochasticNode) -> NodeRoute:
    """The route that ends at the node itself, where all its plates survive."""
    return NodeRoute(frozenset(node.plates), influence.ancestors[node], influence.costs.none)


def routes(influence: Influence, node: StochasticNode) -> tuple[NodeRoute, ...]:
    """The routes from a node to the costs that it influences on an open path, first costs first."""
    ancestors = reached(influence.nodes, influence.ancestors[node], opened=True)
    found: dict[tuple[frozenset[Plate], tuple[Reach, ...]], Members[Cost]] = {}
    for reach in influence.downstream[node]:
        for cost in reach.members if reach.open else ():
            above = tuple(
                replace(up, members=both)
                for up in influence.ancestors[cost.node]
                if (both := up.members & ancestors)
            )
            key = reach.sep, above
            found[key] = found.get(key, influence.costs.none) | influence.costs.only(cost)
    every = [NodeRoute(*key, costs) for key, costs in found.items()]
    return tuple(sorted(every, key=lambda route: influence.costs.position[route.costs.first]))
