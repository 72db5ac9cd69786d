"""Advice: what to write instead of an estimator that does not fit, and what to be warned of."""

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
    """Name the unbiased estimators that fit a node, those first that are most like `estimator`."""
    wished = {estimator.credit, *estimator.requires}
    found: list[tuple[int, str]] = []
    suggested: list[type[Estimator]] = [cls for cls in ESTIMATORS if cls.suggested]
    for candidate in (cls() for cls in suggested):
        others = Assignment(view.influence, {**view.estimators, node: candidate})
        unbiased = candidate.unbiased and candidate.orders >= order
        if unbiased and complaint(node, candidate, others) is None:
            alike = len(wished & {candidate.credit, *candidate.requires})
            found.append((-alike, f"{type(candidate).__name__}()"))
    text = f"Try {', '.join(name for _, name in sorted(found, key=lambda pair: pair[0]))}"
    if type(estimator) is not type(SUMMED):
        return text
    countable = node.attrs["family"].supports("cardinality")
    return f"{text}; {_EXACT if countable else 'none of them is exact'}"


def warn_of(influence: Influence, estimators: Mapping[StochasticNode, Estimator]) -> None:
    """Warn of biased estimators, and of costs that are reached with a stop and without one."""
    for node, estimator in estimators.items():
        name = type(estimator).__name__
        if not estimator.unbiased and not estimator.allow_biased:
            warn(
                f"node {node.name!r}: {name} is a biased estimator; pass allow_biased=True to say "
                "that you know",
                BiasWarning,
            )
        for reach in influence.downstream[node]:
            if reach.open and reach.stopped:
                names = ", ".join(repr(cost.name) for cost in reach.members)
                consequence = (
                    "a pathwise node differentiates the open paths alone"
                    if estimator.credit == "pathwise"
                    else "it gets full credit for all paths, also the stopped ones"
                )
                warn(
                    f"node {node.name!r} reaches cost {names} both through stop_gradient and "
                    f"without it: {consequence}; the two differ",
                    StopWarning,
                )
