"""Routes: the costs that a node influences, by the plates that survive on the way to them."""

from __future__ import annotations

from dataclasses import dataclass

from scg.compiler.analyse import Influence, Reach, bits
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate
from scg.ops.reductions import sum_mixed


@dataclass(frozen=True)
class NodeRoute:
    """Costs to which the same plates survive, from a node and from each of its ancestors.

    Attributes
    ----------
    sep : frozenset of Plate
        The node's plates that survive on every path to the costs.
    above : tuple of Reach
        The node's ancestors, by the plates of theirs that survive on every path to the costs.
    members : int
        The costs, one bit for each; none for the route that ends at the node itself.
    """

    sep: frozenset[Plate]
    above: tuple[Reach, ...]
    members: int

    def score(self, logp: Expr) -> Expr:
        """Sum a log-probability over the node's plates that do not survive."""
        return sum_mixed(logp, self.sep)


def own_route(influence: Influence, node: StochasticNode) -> NodeRoute:
    """The route that ends at the node itself, where all its plates survive."""
    return NodeRoute(frozenset(node.plates), influence.ancestors[node], 0)


def routes(influence: Influence, node: StochasticNode) -> tuple[NodeRoute, ...]:
    """The routes from a node to the costs that it influences on an open path, first costs first."""
    ancestors = 0
    for reach in influence.ancestors[node]:
        ancestors |= reach.members if reach.open else 0
    found: dict[tuple[frozenset[Plate], tuple[Reach, ...]], int] = {}
    for reach in influence.downstream[node]:
        for i in bits(reach.members if reach.open else 0):
            above = tuple(
                Reach(up.sep, up.open, up.stopped, up.members & ancestors)
                for up in influence.ancestors[influence.costs[i][1]]
                if up.members & ancestors
            )
            found[reach.sep, above] = found.get((reach.sep, above), 0) | 1 << i
    first = sorted(found, key=lambda key: found[key] & -found[key])
    return tuple(NodeRoute(*key, found[key]) for key in first)
