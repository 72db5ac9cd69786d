"""Flow: how credit flows back along the edges between named nodes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scg.compiler.analyse import continuous_in
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, PARAMETER
from scg.ir.walk import topological

_KIND = {"pathwise": "derivative", "score": "score", "weight": "weight", "along": "along"}
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Edge:
    """An edge between two named nodes, unnamed operations contracted.

    Attributes
    ----------
    kinds : frozenset of str
        How credit flows back along it: by "derivative", by "score", by "weight", or "along" an
        estimate that a term injects; of a graph without estimators, "open".
    blocked : tuple of str
        The ops on its paths that cut credit off.
    """

    kinds: frozenset[str]
    blocked: tuple[str, ...] = ()

    def __or__(self, other: Edge) -> Edge:
        blocked = dict.fromkeys((*self.blocked, *other.blocked))
        return Edge(self.kinds | other.kinds, tuple(blocked))


def edges(
    graph: CoreGraph, estimators: Mapping[StochasticNode, Estimator] | None = None
) -> dict[tuple[str, str], Edge]:
    """Return the edges of the declared graph by the names of their ends.

    They are the edges of :meth:`scg.Graph.to_networkx`. With estimators it is said how credit
    flows along each: from a parameter or a pathwise draw by a derivative, from any other draw by
    its score, its weight or its term, through a deterministic node by whatever flows into it.
    """
    names: dict[Expr, str] = {}
    others = dict(graph.costs)  # costs, and names of nodes that have one already
    for name, (node, role) in graph.roles.items():
        if role != "cost" and names.setdefault(node, name) != name:
            others[name] = node
    order = topological(node for node, _ in graph.roles.values())
    turn = {expr: i for i, expr in enumerate(order)}
    kinds: dict[Expr, frozenset[str]] = {}
    found: dict[tuple[str, str], Edge] = {}
    for expr in order:
        if expr in names:
            into = _into(expr, turn, kinds)
            found |= {(names[source], names[expr]): edge for source, edge in into.items()}
            kinds[expr] = _started(expr, into.values(), estimators)
    for name, node in others.items():
        into = {node: Edge(kinds[node])} if node in kinds else _into(node, turn, kinds)
        found |= {(names[source], name): edge for source, edge in into.items()}
    return found


class _Way(NamedTuple):
    """What passes on all ways from an expression to a named node, and which ops cut ways off.

    Attributes
    ----------
    derivative, other : bool
        Whether a derivative passes, and any other credit.
    blocks, stops : tuple of str
        The ops, nearest to the expression on their way, that cut these off.
    """

    derivative: bool = True
    other: bool = True
    blocks: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()

    def before(self, expr: Expr, index: int) -> _Way:
        """Return the ways that begin in an argument of the expression."""
        op = (expr.op.name,)
        if expr.op.name == "stop":
            return _Way(False, False, op, op)
        if not isinstance(expr, StochasticNode) and not continuous_in(expr, index):
            return self._replace(derivative=False, blocks=op)
        return self

    def __or__(self, way: _Way) -> _Way:
        blocks, stops = dict.fromkeys(self.blocks + way.blocks), self.stops + way.stops
        derivative, other = self.derivative or way.derivative, self.other or way.other
        return _Way(derivative, other, tuple(blocks), tuple(dict.fromkeys(stops)))

    def edge(self, kinds: frozenset[str]) -> Edge:
        """Return what becomes of credit of these kinds."""
        passed = {
            kind for kind in kinds if (self.derivative if kind == "derivative" else self.other)
        }
        blocked = self.blocks if kinds == {"derivative"} else self.stops if kinds else ()
        return Edge(frozenset(passed), blocked)


def _into(
    goal: Expr, turn: Mapping[Expr, int], kinds: Mapping[Expr, frozenset[str]]
) -> dict[Expr, Edge]:
    """Return the edges to a node from the named ones that it depends on through unnamed ones."""
    found: dict[Expr, Edge] = {}
    ways = {turn[goal]: (goal, _Way())}
    latest = [-turn[goal]]  # what uses an expression comes before it
    while latest:
        expr, way = ways.pop(-heapq.heappop(latest))
        if expr in kinds and expr is not goal:
            found[expr] = way.edge(kinds[expr])
            continue
        for i, arg in enumerate(expr.args):
            own, number = way.before(expr, i), turn[arg]
            if number in ways:
                own = ways[number][1] | own
            else:
                heapq.heappush(latest, -number)
            ways[number] = (arg, own)
    return found


def _started(
    expr: Expr,
    into: Iterable[Edge],
    estimators: Mapping[StochasticNode, Estimator] | None,
) -> frozenset[str]:
    """How credit flows back into a named node."""
    leaf = expr.op in (PARAMETER, DATA) or isinstance(expr, StochasticNode)
    if not leaf:
        return _NONE.union(*(edge.kinds for edge in into))
    if estimators is None:
        return frozenset({"open"})
    if expr.op is PARAMETER:
        return frozenset({"derivative"})
    if isinstance(expr, StochasticNode) and expr in estimators:
        return frozenset({_KIND[estimators[expr].credit]})
    return _NONE
