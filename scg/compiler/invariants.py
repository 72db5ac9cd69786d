"""Invariants: rules for the product of each pass, which are checked where ``SCG_CHECK=1`` is set.

A rule takes a product, and yields each node that breaks it with the fault there. The tests run
with all rules; the steps of users do not, to save their time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from scg.compiler.analyse import Influence
from scg.compiler.assignment import Assignment
from scg.compiler.plan import Plan
from scg.compiler.requirements import complaint
from scg.compiler.surrogate import Surrogate
from scg.errors import CompilerError
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import NOISE
from scg.ir.walk import everywhere, topological
from scg.ops.gradient import IDENTITIES, box, stop

#: The node that breaks a rule, in words, and how it does so.
Broken = tuple[str, str]
Outputs = Mapping[Any, Expr]


class HasOrder(Protocol):
    """The part of a :class:`scg.schedule.schedule.Schedule` that a rule reads."""

    order: Any  #: the arrays that each entry reads and writes
    outputs: Mapping[Any, Expr]
    views: Mapping[Expr, Any]
    bodies: Any  #: the schedules of loops' bodies


Rule = Callable[[Any], Iterator[Broken]]
#: What the rules for each pass say, and the functions that check them.
RULES: dict[str, list[tuple[str, Rule]]] = {}


def rule(name: str, says: str) -> Callable[[Rule], Rule]:
    """Make a function a rule for the products of a pass."""

    def registered(function: Rule) -> Rule:
        RULES.setdefault(name, []).append((says, function))
        return function

    return registered


def checks_are_on() -> bool:
    """Whether ``SCG_CHECK=1`` is set."""
    return os.environ.get("SCG_CHECK") == "1"


def check(name: str, product: Any) -> None:
    """Raise if the product of a pass breaks a rule, where ``SCG_CHECK=1`` is set.

    The CompilerError names the pass, the rule and the first node that breaks it.
    """
    if not checks_are_on():
        return
    for says, function in RULES[name]:
        for node, wrong in function(product):
            raise CompilerError(f"the pass {name!r} broke the rule that {says}: {node} {wrong}")


# --- analyse --------------------------------------------------------------------------------------
@rule("analyse", says="arguments come before what is computed from them")
def _arguments_first(influence: Influence) -> Iterator[Broken]:
    seen: set[Expr] = set()
    for expr in influence.order:
        for arg in expr.args:
            if arg not in seen:
                yield describe(expr), f"comes before its argument {describe(arg)}"
        seen.add(expr)


@rule("analyse", says="no credit passes a stop_gradient")
def _no_credit_through_stops(influence: Influence) -> Iterator[Broken]:
    costs = influence.costs
    open_to = influence.spread(influence.at_costs, costs.none, lambda expr, _: expr.op is not stop)
    for node in influence.nodes:
        for cost in influence.credited(node) - open_to[node]:
            yield (
                describe(node),
                f"is credited with cost {cost.name!r}, but no open path leads there",
            )
        for cost in open_to[node] - influence.credited(node):
            yield describe(node), f"has an open path to cost {cost.name!r}, but no credit"


@rule("analyse", says="paths down from the nodes are the paths up from the costs")
def _both_ways(influence: Influence) -> Iterator[Broken]:
    up, down = Counter[Any](), Counter[Any]()
    for cost in influence.costs:
        for reach in influence.ancestors[cost.node]:
            up[reach.sep, reach.open, reach.stopped] += len(reach.members)
    for node in influence.nodes:
        itself = influence.at_costs.get(node, influence.costs.none)
        for reach in influence.downstream[node]:
            down[reach.sep, reach.open, reach.stopped] += len(reach.members - itself)
    for sep, opened, stopped in up - down or down - up:
        kind = f"open={opened}, stopped={stopped}, plates {sorted(p.name for p in sep)}"
        yield f"graph {influence.graph.name!r}", f"has other paths up than down ({kind})"


# --- plan -----------------------------------------------------------------------------------------
@rule("plan", says="each node has an estimator whose requirements hold")
def _fitting(plan: Plan) -> Iterator[Broken]:
    for node in plan.influence.nodes:
        if node not in plan.estimators:
            yield describe(node), "has no estimator"
            return
    view = Assignment(plan.influence, plan.estimators)
    for node, estimator in plan.estimators.items():
        if reason := complaint(node, estimator, view):
            yield describe(node), f"has {estimator!r}, but {reason}"


# --- surrogate ------------------------------------------------------------------------------------
@rule("surrogate", says="the objective is one number, and the costs add up to it")
def _one_number(surrogate: Surrogate) -> Iterator[Broken]:
    for name, value in {"the objective": surrogate.objective, **surrogate.costs}.items():
        if value.shape or value.plates:
            yield name, f"is {describe(value)}"


@rule("surrogate", says="a term is about costs that its node is credited with")
def _own_costs(surrogate: Surrogate) -> Iterator[Broken]:
    for node, term in surrogate.terms.items():
        for route in term.parts:
            for cost in route.costs - surrogate.influence.credited(node):
                yield describe(node), f"has a term for cost {cost.name!r}, which gives it no credit"
            for plate in route.sep - {*node.plates}:
                yield describe(node), f"has a term on plate {plate.name!r}, where it does not live"


@rule("surrogate", says="each stochastic node is replaced by its sample")
def _sampled(surrogate: Surrogate) -> Iterator[Broken]:
    for expr in topological([surrogate.objective]):
        if isinstance(expr, StochasticNode):
            yield describe(expr), "is left"


# --- differentiate, simplify ----------------------------------------------------------------------
@rule("differentiate", says="a gradient has the shape and the plates of its leaf")
def _shaped(grads: Mapping[Expr, Expr]) -> Iterator[Broken]:
    for leaf, grad in grads.items():
        if grad.shape != leaf.shape or grad.plates != leaf.plates:
            yield describe(leaf), f"has the gradient {describe(grad)}"


@rule("simplify", says="stops, marks and boxes are erased")
def _erased(outputs: Outputs) -> Iterator[Broken]:
    for expr in everywhere(outputs.values()):
        if expr.op in IDENTITIES or expr.op is box or isinstance(expr, StochasticNode):
            yield describe(expr), "is left"


@rule("simplify", says="leaves have names of their own")
def _named_apart(outputs: Outputs) -> Iterator[Broken]:
    names: dict[tuple[bool, str], Expr] = {}
    for expr in topological(outputs.values()):
        if not expr.args and "name" in expr.attrs:
            other = names.setdefault((expr.op is NOISE, expr.attrs["name"]), expr)
            if other is not expr:
                yield describe(expr), f"has the name of {describe(other)}"


@rule("simplify", says="shapes, plates and kinds are those that the ops infer")
def _inferred(outputs: Outputs) -> Iterator[Broken]:
    for expr in everywhere(outputs.values()):
        if expr.args:
            again = expr.op.build(expr.graph, expr.args, expr.attrs)
            if again is not expr:
                yield describe(expr), f"is inferred to be {describe(again)}, {again.kind}"


# --- schedule -------------------------------------------------------------------------------------
@rule("schedule", says="arrays are written before they are read, and not after")
def _written_first(schedule: HasOrder) -> Iterator[Broken]:
    written: set[Expr] = set()  # parts of one array may be written by several entries
    done: set[Expr] = set()
    for i, (read, new) in enumerate(schedule.order):
        for base in new:
            if base in done:
                yield describe(base), f"is written by entry {i}, but was read before"
        for base in read:
            if base.args and base not in written:
                yield describe(base), f"is read by entry {i} before an entry writes it"
        written.update(new)
        done.update(read)
    for key, expr in schedule.outputs.items():
        base = schedule.views[expr].base
        if base.args and base not in written:
            yield f"output {key}", "is never written"
    for body in schedule.bodies:
        yield from _written_first(body)
