"""Named nodes as a node's critic reads them: values of the first run, at the step of the node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scg.compiler.given import present
from scg.compiler.members import names
from scg.errors import EstimatorError, did_you_mean
from scg.graph.carry import CARRY, Scan
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import constant
from scg.ir.plate import Apart
from scg.ir.walk import rewrite, topological
from scg.ops.along import decayed_sum
from scg.ops.elementwise import where
from scg.ops.gradient import stop
from scg.ops.steps import at_steps

#: A node's view of the graph below it, :class:`scg.compiler.downstream.NodeDownstream`.
View = Any

_HINT = "give a critic what is known before the node is sampled"


def node_of(down: View, name: str) -> Expr:
    """The node of a name; of a scan that is unrolled, the step of the node that reads it."""
    graph: Any = down.first.graph
    if name in graph.roles:
        return graph.named(name)
    at = dict(_at(graph, down.node))
    for full, step in graph.steps.items():
        if step.node == name and all(at.get(plate) == k for plate, k in step.at):
            return graph.named(full)
    known = [*graph.roles, *(step.node for step in graph.steps.values())]
    raise EstimatorError(
        f"node {_name(down)!r}: its critic reads {name!r}, which is not a node at its step"
        f"{did_you_mean(name, known)}"
    )


def value_of(down: View, name: str, below: bool) -> Expr:
    """The value of a named node in the first run; only with `below` may it depend on the node."""
    first, node = down.first, down.node
    found = node_of(down, name)
    if not below and _depends(down, found):
        raise EstimatorError(
            f"node {_name(down)!r}: its critic reads {name!r}, which depends on the node's own "
            f"sample; {_HINT}"
        )
    order = topological((found,), known=first.env)
    if any(e.op.stochastic or e.op is CARRY for e in order):
        raise EstimatorError(
            f"node {_name(down)!r}: its critic reads {name!r}, but no cost depends on a sample or "
            "carry of which it is computed, so that a step does not compute it"
        )
    rewrite(order, first.env)
    value = at_steps(first.env[found], _at(first.graph, node))
    lost = [p for p in value.plates if p.owned_by_user and p not in node.plates]
    if lost:
        raise EstimatorError(
            f"node {_name(down)!r}: its critic reads {name!r} on plate {names(lost)}, on which the "
            "node does not live, so that an element would see several values"
        )
    return down.shown(value)


def beyond(down: View, inputs: Sequence[str], seen: Any) -> Expr:
    """The influenced costs that a set of nodes influences, and from which it separates the node."""
    influence, node = down.first.influence, down.node
    found = {node_of(down, name) for name in inputs}
    ends = {arg for arg in found if arg in influence.downstream}
    below = influence.costs.union(
        reach.members for arg in ends for reach in influence.downstream[arg]
    )
    passed = influence.spread(
        influence.at_costs, influence.costs.none, lambda expr, k: expr.args[k] not in ends
    )
    around = (passed[node] if node not in ends else influence.costs.none) & below
    if around:
        raise EstimatorError(
            f"node {_name(down)!r}: ({', '.join(inputs)}) influences cost "
            f"{around.first.name!r}, but does not separate the node from it: a path leads around. "
            "Add the nodes on that path to the set, or declare what they cost as a cost of its own"
        )
    parts = [
        down.costs(seen, reach.sep, members)
        for reach in influence.downstream[node]
        if reach.open and (members := reach.members & below)
    ]
    if not parts:
        raise EstimatorError(
            f"node {_name(down)!r}: ({', '.join(inputs)}) influences none of its costs, so that a "
            "bootstrap has nothing to predict"
        )
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def later(down: View, of: Callable[[View], Expr], decay: float) -> Expr:
    """Σ_{k≥1} decay^(k−1) `of` the node k steps later in its scan; padded steps do not count."""
    first, node = down.first, down.node
    graph: Any = first.graph
    made = scan_of(graph, node)
    if not _at(graph, node):
        there = present(node, first.env)
        return decayed_sum(stop(of(down)), made.plate, decay, there, reverse=not made.reverse)
    total: Expr = constant(graph, 0.0)
    for other in _later_steps(graph, node, made):
        x = stop(of(down.shared.view(other)))
        there = present(other, first.env)
        new = x + decay * total
        total = new if there is None else where(there, new, total)
    return total


def scan_of(graph: Any, node: StochasticNode) -> Scan:
    """The scan in whose cell a node was declared, of which the graph may be unrolled."""
    declared = graph if graph.scans else graph.declared
    name = graph.declared_node(node.name or "")
    (home,) = declared.homes[declared.stochastic[name]]
    return declared.scans[home]


def _later_steps(graph: Any, node: StochasticNode, made: Scan) -> list[StochasticNode]:
    """The same node at later steps, the last one first."""
    mine, at = graph.steps[node.name], {p.name: k for p, k in graph.steps[node.name].at}
    found: dict[int, StochasticNode] = {}
    for full, other in graph.stochastic.items():
        step = graph.steps.get(full)
        if step is not None and step.node == mine.node:
            found[{p.name: k for p, k in step.at}[made.plate.name]] = other
    here = at[made.plate.name]
    later = [k for k in found if (k < here if made.reverse else k > here)]
    return [found[k] for k in sorted(later, reverse=not made.reverse)]


def _depends(down: View, found: Expr) -> bool:
    """Whether a node of the same step, or an earlier one, depends on the sample of the node."""
    ancestors, node = down.first.influence.ancestors, down.node
    for expr in topological((found,)):
        if expr is node:
            return True
        for reach in ancestors.get(expr, ()):
            if node in reach.members and not any(isinstance(x, Apart) for x in reach.sep):
                return True
    return False


def _at(graph: Any, node: Expr) -> tuple[Any, ...]:
    return graph.steps[node.name].at if node.name in graph.steps else ()


def _name(down: View) -> str:
    return down.first.graph.declared_name(down.node.name or "")
