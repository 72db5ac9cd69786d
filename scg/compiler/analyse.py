"""Analyse: which stochastic node influences which cost, and which plates survive on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.lazy import cached_property


@dataclass(frozen=True)
class Reach:
    """What holds for *all* paths between an expression and each member of a set.

    Attributes
    ----------
    sep : frozenset of Plate
        The plates that survive on every path: no op on one reduces them.
    open, stopped : bool
        Whether some path has no ``stop_gradient``, and whether some path has one.
    members : int
        The set, one bit for each member.
    """

    sep: frozenset[Plate]
    open: bool
    stopped: bool
    members: int


def merge(reaches: Iterable[Reach]) -> tuple[Reach, ...]:
    """Join reaches of several paths into disjoint ones, at most one for each member."""
    found: dict[tuple[frozenset[Plate], bool, bool], int] = {}
    for new in reaches:
        rest, joined = new.members, {}
        for (sep, opened, stopped), members in tuple(found.items()):
            if both := members & rest:
                rest ^= both
                found[sep, opened, stopped] = members ^ both
                state = (sep & new.sep, opened or new.open, stopped or new.stopped)
                joined[state] = joined.get(state, 0) | both
        if rest:
            state = (new.sep, new.open, new.stopped)
            joined[state] = joined.get(state, 0) | rest
        for state, members in joined.items():
            found[state] = found.get(state, 0) | members
    return tuple(Reach(*state, members) for state, members in found.items() if members)


def bits(members: int) -> Iterator[int]:
    """Positions of the members of a set, in ascending order."""
    while members:
        low = members & -members
        yield low.bit_length() - 1
        members ^= low


def continuous_in(expr: Expr, index: int) -> bool:
    """Whether an op is continuous in one argument (and differentiable almost everywhere)."""
    arg = expr.args[index]
    return expr.op.continuous and arg.kind == "float" and expr.op.vjp(index) is not None


class Influence:
    """Who influences whom in a graph, for every path.

    Attributes
    ----------
    order : list of Expr
        All expressions below the costs, arguments first.
    nodes : list of StochasticNode
        The stochastic nodes that a cost depends on, in topological order; node i is bit i.
    costs : list of (str, Expr)
        The costs; cost i is bit i.
    """

    def __init__(self, graph: CoreGraph):
        self.graph = graph
        self.costs = list(graph.costs.items())
        self.order = topological(node for _, node in self.costs)
        self.nodes = [expr for expr in self.order if isinstance(expr, StochasticNode)]
        self.index: dict[Expr, int] = {node: i for i, node in enumerate(self.nodes)}

    def __str__(self) -> str:
        lines = []
        for node in self.nodes:
            reached = {i: reach for reach in self.downstream[node] for i in bits(reach.members)}
            costs = [
                f"{self.costs[i][0]} (on {', '.join(p.name for p in reach.sep)})"
                if (reach := reached[i]).sep
                else self.costs[i][0]
                for i in sorted(reached)
            ]
            lines.append(f"{node.name} influences {', '.join(costs)}")
        return "\n".join(lines) or "no stochastic node influences a cost"

    @cached_property
    def ancestors(self) -> dict[Expr, tuple[Reach, ...]]:
        """For each expression its stochastic ancestors, by what holds on all paths from them."""
        found: dict[Expr, tuple[Reach, ...]] = {}
        for expr in self.order:
            paths: list[Reach] = []
            cut = expr.op.name == "stop"
            for arg in dict.fromkeys(expr.args):
                below = found[arg]
                if arg in self.index:
                    own = Reach(frozenset(arg.plates), True, False, 1 << self.index[arg])
                    below = (*below, own)
                for r in below:
                    sep = r.sep.intersection(expr.plates)
                    paths.append(Reach(sep, r.open and not cut, r.stopped or cut, r.members))
            found[expr] = merge(paths)
        return found

    @cached_property
    def downstream(self) -> dict[Expr, tuple[Reach, ...]]:
        """For each expression the costs that it influences, by what holds on all paths."""
        paths: dict[Expr, list[Reach]] = {expr: [] for expr in self.order}
        for i, (_, node) in enumerate(self.costs):
            paths[node].append(Reach(frozenset(node.plates), True, False, 1 << i))
        found: dict[Expr, tuple[Reach, ...]] = {}
        for expr in reversed(self.order):
            found[expr] = merge(paths[expr])
            cut = expr.op.name == "stop"
            for arg in dict.fromkeys(expr.args):
                for r in found[expr]:
                    sep = r.sep.intersection(arg.plates)
                    paths[arg].append(Reach(sep, r.open and not cut, r.stopped or cut, r.members))
        return found

    @cached_property
    def linearised(self) -> dict[Expr, int]:
        """For each expression the costs that have a slope in it, every draw being its mean."""
        found = dict.fromkeys(self.order, 0)
        for i, (_, node) in enumerate(self.costs):
            found[node] |= 1 << i
        for expr in reversed(self.order):
            for k, arg in enumerate(expr.args):
                if isinstance(expr, StochasticNode) or continuous_in(expr, k):
                    found[arg] |= found[expr]
        return found

    def credited(self, node: Expr) -> list[tuple[str, Reach]]:
        """The costs that a stochastic node influences on an open path, each with its reach."""
        return [
            (self.costs[i][0], reach)
            for reach in self.downstream[node]
            if reach.open
            for i in bits(reach.members)
        ]

    def path(self, start: Expr, goal: Expr) -> list[Expr]:
        """A path of expressions from `start` to `goal`, both included."""
        parent: dict[Expr, Expr] = {}
        below = {start}
        for expr in self.order:
            for arg in expr.args:
                if arg in below:
                    below.add(expr)
                    parent.setdefault(expr, arg)
                    break
        walk = [goal]
        while walk[-1] is not start:
            walk.append(parent[walk[-1]])
        return walk[::-1]

    def breaker(self, node: Expr, cost: Expr, plate: Plate) -> Expr:
        """The first op on a path from `node` to `cost` that loses `plate`."""
        reached = {node}
        for expr in self.order:
            if any(arg in reached for arg in expr.args):
                if plate not in expr.plates and any(
                    r.members >> self.cost_bit(cost) & 1 for r in self.downstream[expr]
                ):
                    return expr
                reached.add(expr)
        return cost

    def cost_bit(self, cost: Expr) -> int:
        """Position of a cost."""
        return next(i for i, (_, node) in enumerate(self.costs) if node is cost)
