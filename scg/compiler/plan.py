"""Plan: an estimator and a reason for each stochastic node, or an error where one does not fit."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from scg.common.arguments import said
from scg.common.lazy import cached_property
from scg.compiler.advice import advice, warn_of
from scg.compiler.analyse import Influence
from scg.compiler.assignment import Assignment, continuity
from scg.compiler.given import NOTHING, ONCE, RecordedNodes
from scg.compiler.node_rules import family_of
from scg.compiler.paths import Paths, check_paths, plate_keys, sample_plates
from scg.compiler.requirements import REQUIREMENTS, SURVIVING, complaint
from scg.errors import EstimatorError, did_you_mean
from scg.estimators import PATHWISE, SAMPLED, SUMMED, Estimator
from scg.estimators.truncation import Truncation
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.operation import Operation
from scg.ir.tables import aligned, grid
from scg.ir.walk import topological
from scg.ops.gradient import first_order, path_alone, self_normalised

ENUMERATION_BUDGET = 256


@dataclass(repr=False)
class Plan:
    """Estimator and reason for each stochastic node, in topological order; ``print`` it.

    `truncation` is how credit is cut between the steps of scans, if it is; `given` are the nodes
    whose values are recorded; with `stream` a run is a window of a longer sequence. `steps` says
    why scans run step by step, if they do.
    """

    influence: Influence
    estimators: dict[StochasticNode, Estimator] = field(default_factory=dict)
    reasons: dict[StochasticNode, str] = field(default_factory=dict)
    truncation: Truncation | None = None
    given: RecordedNodes = NOTHING
    stream: bool = False
    steps: str = ""

    @property
    def unbiased(self) -> bool:
        """Whether the estimators of all nodes, the truncation, costs and weights are unbiased."""
        return (
            self.truncation_unbiased
            and not self.normalised
            and not self.given.biased
            and all(estimator.unbiased for estimator in self.estimators.values())
        )

    @cached_property
    def normalised(self) -> list[str]:
        """Costs whose gradients have normalised weights of samples: biased."""
        return self.costs_with(self_normalised)

    def costs_with(self, *ops: Operation) -> list[str]:
        """Names of the costs that depend on an expression of one of these ops."""
        marks = {expr for expr in self.influence.order if expr.op in ops}
        costs = self.influence.costs if marks else ()
        return [name for name, cost in costs if not marks.isdisjoint(topological([cost]))]

    @property
    def truncation_unbiased(self) -> bool:
        """Whether credit is cut without bias, or not at all."""
        return self.truncation is None or self.truncation.unbiased

    @property
    def cut(self) -> str:
        """The truncation in words, or nothing."""
        how = self.truncation
        if how is None:
            return ""
        bias = f"{'unbiased' if how.unbiased else 'BIASED'}{how.objective and ' for '}"
        return f"credit between steps: {how!r}, {bias}{how.objective}"

    @property
    def notes(self) -> list[str]:
        """What is to be said beside the estimators of nodes."""
        costs = ", ".join(map(repr, self.normalised))
        bias = f"normalised weights in the gradient of {costs}: BIASED" if costs else ""
        apart = self.steps and f"steps: one by one, compiled for each length; {self.steps}"
        return [note for note in (*self.given.lines, self.cut, bias, apart) if note]

    @property
    def steps_apart(self) -> str:
        """The first node whose samples at different steps could not share a plate, in words.

        Their weights are those of one step, but in a loop costs of all steps would meet them.
        """
        view, rule = Assignment(self.influence, self.estimators), REQUIREMENTS[SURVIVING]
        for node, own in self.estimators.items():
            if SURVIVING in own.requires and (reason := rule(node, view)):
                return f"{node.name!r} by {type(own).__name__}: {reason}"
        return ""

    @property
    def objective(self) -> str:
        """The cost of which the step estimates the gradient, if not the declared one."""
        return "" if self.truncation is None else self.truncation.objective

    def plate_key(self, node: StochasticNode) -> object:
        """The key of the sample plate of a node; see :func:`plate_keys`."""
        return self._keys[node]

    @cached_property
    def _keys(self) -> dict[StochasticNode, object]:
        return plate_keys(self.influence, self.estimators)

    def lengths(self) -> dict[Expr, dict[object, int]]:
        """The sample plates on which each expression will live, with their lengths."""
        return sample_plates(self.influence, self.estimators)

    def __str__(self) -> str:
        rows = [
            [node.name or "", repr(estimator), f"({self.reasons[node]})"]
            for node, estimator in self.estimators.items()
        ]
        return "\n".join(filter(None, [aligned(rows, left=3), *self.notes]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            [node.name or "", family_of(node), repr(estimator), self.reasons[node]]
            for node, estimator in self.estimators.items()
        ]
        caption = "; ".join(["unbiased" if self.unbiased else "BIASED", *self.notes])
        return grid(["node", "distribution", "estimator", "reason"], rows, caption)


def make_plan(
    influence: Influence,
    estimator: Estimator | Mapping[str, Estimator] | None,
    given: RecordedNodes = NOTHING,
) -> Plan:
    """Assign the user's estimators, choose unbiased ones for the other nodes, and check all."""
    users = _given(influence.graph, influence, estimator)
    chosen, reasons = _choose(influence, users, given)
    estimators = {node: chosen[node] for node in influence.nodes}
    view = Assignment(influence, estimators)
    given.check(influence, estimators)
    for node, own in estimators.items():
        if reason := complaint(node, own, view):
            name = influence.graph.declared_name(node.name or "")
            raise EstimatorError(
                f"node {name!r} ({family_of(node)}) uses {type(own).__name__}, but {reason}. "
                f"{advice(node, own, view)}"
            )
    check_paths(influence, estimators)
    warn_of(influence, estimators)
    reasons = {node: reasons[node] for node in influence.nodes}
    boundaries = influence.graph.boundaries
    return Plan(influence, estimators, reasons, boundaries and boundaries.truncation, given)


def of_all_steps(whole: Influence, unrolled: Plan) -> Plan:
    """The plan of a graph with scans, from that of a few steps: a node has one estimator.

    Where a choice differs from step to step, that of a node that is credited by its score holds.
    """
    found: dict[str, list[tuple[Estimator, str]]] = {}
    steps = unrolled.influence.graph.steps
    for node, estimator in unrolled.estimators.items():
        name = steps[node.name or ""].node if node.name in steps else node.name or ""
        found.setdefault(name, []).append((estimator, unrolled.reasons[node]))
    chosen = {
        node: min(found[node.name or ""], key=lambda own: own[0].credit != "score")
        for node in whole.nodes
        if node.name in found
    }
    estimators = {node: own for node, (own, _) in chosen.items()}
    reasons = {node: reason for node, (_, reason) in chosen.items()}
    return Plan(whole, estimators, reasons, unrolled.truncation, unrolled.given)


def _given(
    graph: CoreGraph, influence: Influence, estimator: Estimator | Mapping[str, Estimator] | None
) -> dict[StochasticNode, Estimator]:
    if estimator is None:
        return {}
    if isinstance(estimator, Estimator):
        return dict.fromkeys(influence.nodes, estimator)
    if not isinstance(estimator, Mapping):
        raise EstimatorError(
            "estimator: expected an estimator such as scg.MuProp(), a dict from node names to "
            f"estimators, or None, got {said(estimator)}"
        )
    declared = [graph.steps[n].node if n in graph.steps else n for n in graph.stochastic]
    for name, value in estimator.items():
        if not isinstance(name, str):
            raise EstimatorError(f"estimator: nodes go by their names, got {said(name)} as a key")
        if name not in declared and not (graph.apart and name in graph.stochastic):
            known = ", ".join(map(repr, dict.fromkeys(declared))) or "none"
            raise EstimatorError(
                f"estimator for {name!r}: graph {graph.name!r} has no such stochastic node"
                f"{did_you_mean(name, declared)} (its stochastic nodes: {known})"
            )
        if not isinstance(value, Estimator):
            raise EstimatorError(
                f"estimator for node {name!r}: expected an instance such as scg.MuProp(), "
                f"got {said(value)}"
            )
    named = ((node, _known_as(graph, node, estimator)) for node in influence.nodes)
    return {node: estimator[name] for node, name in named if name is not None}


def _known_as(graph: CoreGraph, node: StochasticNode, names: Container[str]) -> str | None:
    """The name among some by which a node goes: its own, or that of which it is a step."""
    step = graph.steps.get(node.name or "")
    every = (node.name or "", *([step.node] if step else []))
    return next((name for name in every if name in names), None)


def check_orders(plan: Plan, order: int) -> None:
    """Raise unless the derivatives of all estimators are unbiased up to an order."""
    view = Assignment(plan.influence, plan.estimators)
    if rewritten := plan.costs_with(self_normalised, path_alone, first_order):
        raise EstimatorError(
            f"cost {rewritten[0]!r} has a gradient that is not the derivative of its value, and "
            f"thus no derivative of order {order}; scg.iwae and RBM.log_prob have one"
        )
    for node, estimator in plan.estimators.items():
        if estimator.orders < order:
            name = plan.influence.graph.declared_name(node.name or "")
            raise EstimatorError(
                f"node {name!r}: {type(estimator).__name__} has no unbiased derivative of "
                f"order {order}. {advice(node, estimator, view, order)}"
            )


def _is_noise(node: StochasticNode, view: Assignment) -> bool:
    """Whether a node has the same distribution in every run, at any parameters."""
    above = view.influence.ancestors[node]
    return not above and not any(view.learned[arg] for arg in node.args)


# --- the automatic choice -------------------------------------------------------------------------
def _choose(
    influence: Influence, users: Mapping[StochasticNode, Estimator], given: RecordedNodes
) -> tuple[dict[StochasticNode, Estimator], dict[StochasticNode, str]]:
    chosen: dict[StochasticNode, Estimator] = dict(users)
    reasons = dict.fromkeys(users, "chosen by the user")

    def opens(node: StochasticNode, continuous: bool) -> bool:
        if node not in chosen and continuous and node.attrs["family"].reparameterized:
            chosen[node] = PATHWISE
            reasons[node] = "automatic: every path to its costs is continuous"
        return node in chosen and chosen[node].opens

    for node in given.recorded(influence):
        if node not in chosen:
            chosen[node], reasons[node] = ONCE, "automatic: its values are recorded"
    continuity(influence, opens)
    for node in given.once(influence):
        if node not in chosen:
            chosen[node], reasons[node] = ONCE, "automatic: it leads to recorded values"
    rest = [node for node in influence.nodes if node not in chosen]
    if not rest:
        return chosen, reasons
    view = Assignment(influence, {**chosen, **dict.fromkeys(rest, SAMPLED)})
    steps = influence.graph.steps  # whose number of paths is exponential in the length
    countable = [n for n in rest if n.name not in steps and complaint(n, SUMMED, view) is None]
    fitting = {n: e for n, e in chosen.items() if countable and complaint(n, e, view) is None}
    paths = Paths.of(influence, fitting)  # others are refused later, by name
    for node in sorted(countable, key=lambda node: node.declared.cardinality()):
        nested = paths.with_plate(node, node.declared.cardinality())
        if nested.most <= ENUMERATION_BUDGET:
            chosen[node], paths = SUMMED, nested
            reasons[node] = (
                f"automatic: {node.declared.cardinality()} values, within the budget of "
                f"{ENUMERATION_BUDGET} paths for the whole graph"
            )
    for node in rest:
        if node not in chosen and node.attrs["family"].reparameterized and _is_noise(node, view):
            chosen[node] = ONCE
            reasons[node] = "automatic: no parameter or sample reaches its distribution"
        if node not in chosen:
            chosen[node] = SAMPLED
            blocked = (
                "a path to its costs is not continuous"
                if node.attrs["family"].reparameterized
                else "neither reparameterizable nor enumerable within the budget"
            )
            reasons[node] = f"automatic: {blocked}; one joint plate of samples"
    return chosen, reasons
