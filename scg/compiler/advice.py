"""Advice: the estimators that fit where one does not, and warnings about those that do."""

from __future__ import annotations

from collections.abc import Mapping

from scg.compiler.analyse import Influence
from scg.compiler.assignment import Assignment
from scg.compiler.requirements import complaint
from scg.errors import BiasWarning, StopWarning
from scg.estimators import ESTIMATORS, SUMMED, Estimator
from scg.ir.expr import StochasticNode
from scg.ir.origin import warn

_EXACT = "without a step, scg.exact(g, params) sums over up to 2^20 outcomes of the whole graph"


def advice(node: StochasticNode, estimator: Estimator, view: Assignment, order: int = 1) -> str:
    """A sentence that names unbiased estimators for a node, those most like `estimator` first."""
    wished = {estimator.credit, *estimator.requires}
    found: list[Estimator] = []
    suggested: list[type[Estimator]] = [cls for cls in ESTIMATORS if cls.suggested]
    for candidate in (cls() for cls in suggested):
        others = Assignment(view.influence, {**view.estimators, node: candidate})
        unbiased = candidate.unbiased and candidate.orders >= order
        if unbiased and complaint(node, candidate, others) is None:
            found.append(candidate)
    found.sort(key=lambda fit: -len(wished & {fit.credit, *fit.requires}))
    fits = ", ".join(f"{type(fit).__name__}()" for fit in found)
    text = f"Try {fits}" if found else "No unbiased estimator fits"
    if type(estimator) is not type(SUMMED):
        return text
    countable = node.attrs["family"].supports("cardinality")
    return f"{text}; {_EXACT if countable else 'none of them is exact'}"


def warn_of(influence: Influence, estimators: Mapping[StochasticNode, Estimator]) -> None:
    """Warn of biased estimators, and of nodes that reach a cost with a stop and without one."""
    graph, warned = influence.graph, set[str]()
    for node, estimator in estimators.items():
        name, own = type(estimator).__name__, graph.declared_name(node.name or "")
        if own in warned:  # at an earlier step
            continue
        warned.add(own)
        if not estimator.unbiased and not estimator.allow_biased:
            warn(
                f"node {own!r}: {name} is a biased estimator: its mean is not the gradient. "
                f"To use it without this warning, write {name}(..., allow_biased=True)",
                BiasWarning,
            )
        for reach in influence.downstream[node]:
            if reach.open and reach.stopped:
                costs = dict.fromkeys(graph.declared_name(cost.name) for cost in reach.members)
                names = ", ".join(map(repr, costs))
                consequence = (
                    "a pathwise node differentiates the open paths alone"
                    if estimator.opens
                    else "it gets full credit for all paths, also the stopped ones"
                )
                warn(
                    f"node {own!r} reaches cost {names} both through stop_gradient and "
                    f"without it: {consequence}, and the two differ. Stop all paths or none to "
                    "make them agree",
                    StopWarning,
                )
