"""Plan: give each stochastic node an estimator, and say why; refuse what does not fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scg.compiler.analyse import Influence, bits
from scg.compiler.requirements import (
    PATH_LIMIT,
    View,
    complaint,
    continuity,
    count_text,
    family_of,
)
from scg.errors import BiasWarning, EstimatorError, StopWarning, did_you_mean
from scg.estimators import ESTIMATORS, PATHWISE, SAMPLED, SUMMED, Estimator
from scg.graph.core import Graph
from scg.ir.expr import Expr, StochasticNode

ENUMERATION_BUDGET = 256


@dataclass
class Plan:
    """Estimator and reason for each stochastic node, in topological order."""

    influence: Influence
    estimators: dict[StochasticNode, Estimator] = field(default_factory=dict)
    reasons: dict[StochasticNode, str] = field(default_factory=dict)

    @property
    def unbiased(self) -> bool:
        """Whether every node's estimator is unbiased."""
        return all(estimator.unbiased for estimator in self.estimators.values())

    def plate_key(self, node: StochasticNode) -> object:
        """What identifies the sample plate of a node; see :func:`plate_keys`."""
        return self._keys[node]

    @cached_property
    def _keys(self) -> dict[StochasticNode, object]:
        return plate_keys(self.influence, self.estimators)

    def lengths(self) -> dict[Expr, dict[object, int]]:
        """For each expression the sample plates on which it will live, with their lengths."""
        return sample_plates(self.influence, self.estimators)

    def __str__(self) -> str:
        width = max((len(node.name or "") for node in self.estimators), default=0)
        return "\n".join(
            f"{node.name:<{width}}  {estimator!r}  ({self.reasons[node]})"
            for node, estimator in self.estimators.items()
        )


def make_plan(influence: Influence, estimator: Estimator | Mapping[str, Estimator] | None) -> Plan:
    """Assign the user's estimators, choose the others, and check every requirement.

    Parameters
    ----------
    influence : Influence
        The analysed graph.
    estimator : Estimator, mapping or None
        One for all nodes, some by name, or none: the rest is chosen, never a biased one.
    """
    given = _given(influence.graph, influence, estimator)
    plan = Plan(influence)
    chosen, reasons = _choose(influence, given)
    for node in influence.nodes:
        plan.estimators[node], plan.reasons[node] = chosen[node], reasons[node]
    view = View(influence, plan.estimators)
    for node in influence.nodes:
        _check(node, plan.estimators[node], view)
    _check_paths(plan)
    _warn(plan)
    return plan


def _given(
    graph: Graph, influence: Influence, estimator: Estimator | Mapping[str, Estimator] | None
) -> dict[StochasticNode, Estimator]:
    if estimator is None:
        return {}
    if isinstance(estimator, Estimator):
        return dict.fromkeys(influence.nodes, estimator)
    if not isinstance(estimator, Mapping):
        raise EstimatorError(
            "estimator: expected an estimator such as scg.MuProp(), a dict from node names to "
            f"estimators, or None, got {estimator!r}"
        )
    for name, value in estimator.items():
        if name not in graph.stochastic:
            known = ", ".join(map(repr, graph.stochastic)) or "none"
            raise EstimatorError(
                f"estimator for {name!r}: graph {graph.name!r} has no such stochastic node"
                f"{did_you_mean(name, graph.stochastic)} (its stochastic nodes: {known})"
            )
        if not isinstance(value, Estimator):
            raise EstimatorError(
                f"estimator for node {name!r}: expected an instance such as scg.MuProp(), "
                f"got {value!r}"
            )
    return {node: estimator[node.name or ""] for node in influence.nodes if node.name in estimator}


def check_orders(plan: Plan, order: int) -> None:
    """Raise unless every estimator's derivatives are unbiased up to an order.

    Raises
    ------
    EstimatorError
        If one is not; it names those that fit.
    """
    view = View(plan.influence, plan.estimators)
    for node, estimator in plan.estimators.items():
        if estimator.orders < order:
            fitting = _fitting(node, view, order)
            raise EstimatorError(
                f"node {node.name!r}: {type(estimator).__name__} has no unbiased derivative of "
                f"order {order}. Try {', '.join(fitting)}"
            )


def _check(node: StochasticNode, estimator: Estimator, view: View) -> None:
    reason = complaint(node, estimator, view)
    if reason is None:
        return
    raise EstimatorError(
        f"node {node.name!r} ({family_of(node)}) uses {type(estimator).__name__}, but {reason}. "
        f"Try {', '.join(_fitting(node, view))}"
    )


def _fitting(node: StochasticNode, view: View, order: int = 1) -> list[str]:
    """Return what to write for the unbiased estimators that fit a node."""
    suggested: list[type[Estimator]] = [cls for cls in ESTIMATORS if cls.suggested]
    found = []
    for candidate in (cls() for cls in suggested):
        others = View(view.influence, {**view.estimators, node: candidate})
        unbiased = candidate.unbiased and candidate.orders >= order
        if unbiased and complaint(node, candidate, others) is None:
            found.append(f"{type(candidate).__name__}()")
    return found


# --- the automatic choice -------------------------------------------------------------------------
def _choose(
    influence: Influence, given: Mapping[StochasticNode, Estimator]
) -> tuple[dict[StochasticNode, Estimator], dict[StochasticNode, str]]:
    chosen: dict[StochasticNode, Estimator] = dict(given)
    reasons = dict.fromkeys(given, "chosen by the user")

    def credit(node: StochasticNode, continuous: bool) -> str:
        if node not in chosen and continuous and node.attrs["family"].reparameterized:
            chosen[node] = PATHWISE
            reasons[node] = "automatic: every path to its costs is continuous"
        return chosen[node].credit if node in chosen else "score"

    continuity(influence, credit)
    rest = [node for node in influence.nodes if node not in chosen]
    view = View(influence, {**chosen, **dict.fromkeys(rest, SAMPLED)})
    countable = [node for node in rest if complaint(node, SUMMED, view) is None]
    for node in sorted(countable, key=lambda node: node.dist.cardinality()):
        trial = {**chosen, node: SUMMED}
        if most_paths(influence, trial) <= ENUMERATION_BUDGET:
            chosen[node] = SUMMED
            reasons[node] = (
                f"automatic: {node.dist.cardinality()} values, within the budget of "
                f"{ENUMERATION_BUDGET} paths for the whole graph"
            )
    for node in rest:
        if node not in chosen:
            chosen[node] = SAMPLED
            blocked = (
                "a path to its costs is not continuous"
                if node.attrs["family"].reparameterized
                else "neither reparameterizable nor enumerable within the budget"
            )
            reasons[node] = f"automatic: {blocked}; one joint plate of samples"
    return chosen, reasons


# --- how many paths -------------------------------------------------------------------------------
def plate_keys(
    influence: Influence, estimators: Mapping[StochasticNode, Estimator]
) -> dict[StochasticNode, object]:
    """What identifies the sample plate of each node.

    The node itself; the instance where it draws whole paths jointly; the instance and the layer
    where its draws are coupled. The layer is the number of nodes of the instance on the longest
    way down to the node: nodes of one layer do not depend on each other.
    """
    keys: dict[StochasticNode, object] = {}
    layer: dict[StochasticNode, int] = {}
    for node in influence.nodes:
        estimator = estimators.get(node)
        if estimator is None or not estimator.joint:
            keys[node] = node
        elif estimator.joint == "layer":
            above = (
                influence.nodes[i]
                for reach in influence.ancestors[node]
                for i in bits(reach.members)
            )
            layer[node] = 1 + max(
                (layer[other] for other in above if estimators.get(other) is estimator), default=-1
            )
            keys[node] = (estimator, layer[node])
        else:
            keys[node] = estimator
    return keys


def sample_plates(
    influence: Influence, estimators: Mapping[StochasticNode, Estimator]
) -> dict[Expr, dict[object, int]]:
    """For each expression its sample plates (by key) and their lengths."""
    found: dict[Expr, dict[object, int]] = {}
    keys = plate_keys(influence, estimators)
    for expr in influence.order:
        below = [found[arg] for arg in expr.args if found[arg]]
        joined = below[0] if below else {}
        if any(other is not joined for other in below):
            joined = {key: n for plates in below for key, n in plates.items()}
        estimator = estimators.get(expr) if isinstance(expr, StochasticNode) else None
        if isinstance(expr, StochasticNode) and estimator is not None:
            length = estimator.draws(expr.dist)
            if length > 1 and keys[expr] not in joined:
                joined = {**joined, keys[expr]: length}
        found[expr] = joined
    return found


def most_paths(influence: Influence, estimators: Mapping[StochasticNode, Estimator]) -> int:
    """The largest number of paths that any cost will be evaluated on."""
    plates = sample_plates(influence, estimators)
    return max((_product(plates[cost]) for _, cost in influence.costs), default=1)


def _product(plates: Mapping[object, int]) -> int:
    paths = 1
    for length in plates.values():
        paths *= length
    return paths


def _check_paths(plan: Plan) -> None:
    paths = most_paths(plan.influence, plan.estimators)
    if paths > PATH_LIMIT:
        names = sorted({type(e).__name__ for e in plan.estimators.values() if e.joint is True})
        raise EstimatorError(
            f"the sample plates of the nodes nest to {count_text(paths)} paths, more than "
            f"{PATH_LIMIT}. Give one instance of {names[0] if names else type(SAMPLED).__name__} "
            f"to all nodes: scg.compile(g, estimator=scg.{SAMPLED!r}) draws whole paths jointly"
        )


def _warn(plan: Plan) -> None:
    for node, estimator in plan.estimators.items():
        if not estimator.unbiased and not estimator.allow_biased:
            warnings.warn(
                f"node {node.name!r}: {type(estimator).__name__} is a biased estimator; "
                "pass allow_biased=True to say that you know",
                BiasWarning,
                stacklevel=4,
            )
        for reach in plan.influence.downstream[node]:
            if reach.open and reach.stopped:
                names = ", ".join(repr(plan.influence.costs[i][0]) for i in bits(reach.members))
                consequence = (
                    "a pathwise node differentiates the open paths alone"
                    if estimator.credit == "pathwise"
                    else "it gets full credit for all paths, also the stopped ones"
                )
                warnings.warn(
                    f"node {node.name!r} reaches cost {names} both through stop_gradient and "
                    f"without it: {consequence}; the two differ",
                    StopWarning,
                    stacklevel=4,
                )
