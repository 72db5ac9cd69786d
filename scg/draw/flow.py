"""Flow: how credit flows back along the edges between named nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    further: dict[str, Expr] = {}  # names of nodes that have one already
    for name, (node, role) in graph.roles.items():
        if role != "cost" and names.setdefault(node, name) != name:
            further[name] = node
    arriving: dict[Expr, dict[str, Edge]] = {}
    found: dict[tuple[str, str], Edge] = {}
    for expr in topological(node for node, _ in graph.roles.values()):
        into: dict[str, Edge] = {}
        for i, arg in enumerate(expr.args):
            for source, edge in arriving[arg].items():
                passed = _through(expr, i, edge)
                into[source] = into[source] | passed if source in into else passed
        arriving[expr] = into
        if expr in names:
            found |= {(source, names[expr]): edge for source, edge in into.items()}
            kinds = _started(expr, into, estimators)
            arriving[expr] = {names[expr]: Edge(kinds)}
    for name, node in (*further.items(), *graph.costs.items()):
        found |= {(source, name): edge for source, edge in arriving[node].items()}
    return found


def _through(expr: Expr, index: int, edge: Edge) -> Edge:
    """What is left of the credit of one argument behind an op."""
    kinds = edge.kinds
    if expr.op.name == "stop":
        kinds = _NONE
    elif not isinstance(expr, StochasticNode) and not continuous_in(expr, index):
        kinds = kinds - {"derivative"}
    cut = edge.kinds and not kinds
    return Edge(kinds, (*edge.blocked, expr.op.name) if cut else edge.blocked)


def _started(
    expr: Expr,
    into: Mapping[str, Edge],
    estimators: Mapping[StochasticNode, Estimator] | None,
) -> frozenset[str]:
    """How credit flows back into a named node."""
    leaf = expr.op in (PARAMETER, DATA) or isinstance(expr, StochasticNode)
    if not leaf:
        return _NONE.union(*(edge.kinds for edge in into.values()))
    if estimators is None:
        return frozenset({"open"})
    if expr.op is PARAMETER:
        return frozenset({"derivative"})
    if isinstance(expr, StochasticNode) and expr in estimators:
        return frozenset({_KIND[estimators[expr].credit]})
    return _NONE
