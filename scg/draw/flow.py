"""Flow: the credit that flows back along the edges between named nodes."""

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
from scg.ir.walk import named_below, topological
from scg.ops.gradient import stop

_KIND = {"pathwise": "derivative", "score": "score", "weight": "weight", "along": "along"}
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Edge:
    """An edge between two named nodes, with unnamed operations contracted."""

    #: How credit flows back: by "derivative", by "score", by "weight", or "along" an estimate that
    #: a term injects; "open" in a graph without estimators.
    kinds: frozenset[str]
    blocked: tuple[str, ...] = ()  #: The ops on its paths that cut credit off.

    def __or__(self, other: Edge) -> Edge:
        blocked = dict.fromkeys((*self.blocked, *other.blocked))
        return Edge(self.kinds | other.kinds, tuple(blocked))


def edges(
    graph: CoreGraph, estimators: Mapping[StochasticNode, Estimator] | None = None
) -> dict[tuple[str, str], Edge]:
    """The edges of the declared graph by the names of their ends, as in ``g.to_networkx()``.

    With estimators, an edge has a kind of credit: from a parameter or a pathwise sample by a
    derivative, from other samples by their score, weight or term, and from a deterministic node by
    the kinds that flow into it.
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


def recurrences(graph: CoreGraph) -> set[tuple[str, str, str]]:
    """The named nodes that a carry leads from, to those that it leads to; and the plate's name."""
    names = {node: name for name, (node, role) in graph.roles.items() if role != "cost"}
    found: set[tuple[str, str, str]] = set()
    for scan in graph.scans.values():
        for leaf, new in scan.before.items():
            known = {**names, leaf: ""}
            heads = [
                name for name, (e, _) in graph.roles.items() if leaf in {*named_below(e, known)}
            ]
            tails = [new] if new in names else [e for e in named_below(new, names)]
            kept = [names[e] for e in tails if e.op not in (PARAMETER, DATA)]
            found |= {(tail, head, scan.plate.name) for tail in kept for head in heads}
    return found


class _Way(NamedTuple):
    """The credit that passes on some path from an expression to a named node."""

    derivative: bool = True  #: Whether a derivative passes.
    other: bool = True  #: Whether other credit passes.
    blocks: tuple[str, ...] = ()  #: The ops nearest to the expression that cut derivatives off.
    stops: tuple[str, ...] = ()  #: Those that cut other credit off.

    def before(self, expr: Expr, index: int) -> _Way:
        """The paths that begin in an argument of the expression."""
        op = (expr.op.name,)
        if expr.op is stop:
            return _Way(False, False, op, op)
        if not isinstance(expr, StochasticNode) and not continuous_in(expr, index):
            return self._replace(derivative=False, blocks=op)
        return self

    def __or__(self, way: _Way) -> _Way:
        blocks, stops = dict.fromkeys(self.blocks + way.blocks), self.stops + way.stops
        derivative, other = self.derivative or way.derivative, self.other or way.other
        return _Way(derivative, other, tuple(blocks), tuple(dict.fromkeys(stops)))

    def edge(self, kinds: frozenset[str]) -> Edge:
        """The edge on which credit of these kinds starts."""
        passed = {
            kind for kind in kinds if (self.derivative if kind == "derivative" else self.other)
        }
        blocked = self.blocks if kinds == {"derivative"} else self.stops if kinds else ()
        return Edge(frozenset(passed), blocked)


def _into(
    goal: Expr, turn: Mapping[Expr, int], kinds: Mapping[Expr, frozenset[str]]
) -> dict[Expr, Edge]:
    """The edges to a node from the named ones on which it depends through unnamed ones."""
    found: dict[Expr, Edge] = {}
    ways = {turn[goal]: (goal, _Way())}
    latest = [-turn[goal]]  # users of an expression come before it
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
    """The kinds of credit that flow back into a named node."""
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
