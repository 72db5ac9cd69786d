"""Entries: the gradient of a surrogate in parts, one for each summand and each node.

Parameters enter a surrogate at the distributions of nodes, and in the costs. The graph is planned
once more with a mark on each parameter at each of these entries, and each summand is
differentiated in the marks: the parts add up to the gradient.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from scg.compiler.analyse import Influence
from scg.compiler.differentiate import gradients
from scg.compiler.plan import Plan
from scg.compiler.simplify import simplify
from scg.compiler.surrogate import Surrogate
from scg.ir.expr import Expr
from scg.ir.op import intern
from scg.ir.walk import rebuilt, topological
from scg.ops.base import is_constant
from scg.ops.gradient import mark

#: A mark by the node at which a parameter enters, None for the costs, and the parameter's name.
Marks = dict[tuple[str | None, str], Expr]


class Part(NamedTuple):
    """What is differentiated, and where the parameters enter."""

    summand: str  #: The name of a cost or, if `term`, of the node whose term it is.
    term: bool
    node: str | None  #: At whose distribution the parameters enter; None for the costs themselves.


def entries(surrogate: Surrogate) -> tuple[dict[Part, dict[str, Expr]], Surrogate]:
    """The parts of the gradient that are not zero, each by parameter, and the marked surrogate."""
    marks: Marks = {}
    marked = Surrogate(_marked(surrogate.plan, marks))
    summands = [(name, False, cost) for name, cost in marked.costs.items()]
    summands += [(node.name or "", True, value) for node, value in marked.added]
    found: dict[Part, dict[str, Expr]] = {}
    known: dict[Expr, Expr] = {}
    for name, term, value in summands:
        slopes = simplify(gradients(value, list(marks.values())), known)
        for (node, parameter), slope in zip(marks, slopes, strict=True):
            if not is_constant(slope, 0):
                part = found.setdefault(Part(name, term, node), {})
                part[parameter] = part[parameter] + slope if parameter in part else slope
    return found, marked


def _marked(plan: Plan, marks: Marks) -> Plan:
    """The plan of the graph in which parameters are marked; `marks` is extended in place."""
    influence = plan.influence
    names = {parameter: name for name, parameter in influence.learned.items()}
    nodes: dict[Expr, Expr] = {}

    def marked(roots: tuple[Expr, ...], entry: str | None) -> Mapping[Expr, Expr]:
        env = ChainMap[Expr, Expr]({}, nodes)
        for expr in topological(roots, nodes):
            if expr in names:
                key = entry, names[expr]
                env[expr] = marks[key] = mark(expr, label=f"entry:{entry}")
            else:
                env[expr] = rebuilt(expr, env)
        return env

    for node in influence.nodes:
        env = marked(node.args, node.name)
        args = tuple(env[arg] for arg in node.args)
        signature = node.shape, node.plates, node.kind
        nodes[node] = intern(node.graph, node.op, args, node.attrs, signature)
    costs = marked(tuple(cost.node for cost in influence.costs), None)
    own = {cost.name: costs[cost.node] for cost in influence.costs}
    again = Influence(influence.graph, costs=own)
    of = {nodes[node]: node for node in influence.nodes}
    estimators = {new: plan.estimators[of[new]] for new in again.nodes}
    reasons = {new: plan.reasons[of[new]] for new in again.nodes}
    return replace(plan, influence=again, estimators=estimators, reasons=reasons)
