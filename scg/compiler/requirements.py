"""Requirements of estimators on a node and on the paths to its costs, each checked by a rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scg.compiler.assignment import Assignment, Rule, broken_path
from scg.compiler.members import Members
from scg.distributions import (
    Bernoulli,
    Categorical,
    Delta,
    Distribution,
    Matching,
    Normal,
    OneHotCategorical,
)
from scg.distributions.constraints.numbers import Angles, Constraint
from scg.errors import EstimatorError, UnsupportedError
from scg.estimators.protocol import Estimator
from scg.graph.carry import discounts
from scg.ir.expr import Expr, StochasticNode

#: Selects nodes that have to do with one.
Which = Callable[[StochasticNode, Assignment], Members[StochasticNode]]

PATH_LIMIT = 1024
#: Numbers of a node at all values of one coordinate each.
ELEMENTS = 1 << 27


# --- of the distribution --------------------------------------------------------------------------
def _of_family(holds: Callable[[Any], bool], lacking: str) -> Rule:
    """A requirement on the class of a node's distribution alone."""

    def rule(node: StochasticNode, view: Assignment) -> str | None:
        return None if holds(node.attrs["family"]) else f"{family_of(node)} {lacking}"

    return rule


def _reparameterized(node: StochasticNode, view: Assignment) -> str | None:
    family = node.attrs["family"]
    why = f": {family.stopped}" if family.stopped else ""
    return None if family.reparameterized else f"{family_of(node)} has no reparameterization{why}"


def _supporting(method: str, lacking: str) -> Rule:
    return _of_family(lambda family: family.supports(method), lacking)


def _finite_support(node: StochasticNode, view: Assignment) -> str | None:
    if not node.attrs["family"].supports("cardinality"):
        return f"{family_of(node)} has no finite support"
    count = node.declared.cardinality()
    if count > PATH_LIMIT:
        return f"its support has {count_text(count)} values, more than {PATH_LIMIT}"
    return None


def _classes(node: StochasticNode, view: Assignment) -> str | None:
    if not issubclass(node.attrs["family"], (Categorical, OneHotCategorical)):
        return f"{family_of(node)} is not a distribution of classes"
    return "it has a single class" if node.declared.classes < 2 else None


def _enough_values(node: StochasticNode, view: Assignment) -> str | None:
    count, samples = node.declared.cardinality(), view.estimators[node].samples
    if samples <= count:
        return None
    return f"its support has {count} values, fewer than the {samples} samples without replacement"


def _coordinates(node: StochasticNode, view: Assignment) -> str | None:
    if not node.attrs["family"].supports("coordinate_values"):
        return f"{family_of(node)} has no independent coordinates with finitely many values"
    values = node.declared.coordinate_values()
    alternatives = len(values) * node.size // math.prod(values.shape[1:])
    if alternatives * node.size > ELEMENTS:
        return (
            f"its {alternatives} alternatives, each of one coordinate, are of {node.size} "
            f"numbers: {count_text(alternatives * node.size)} in all, more than {ELEMENTS}"
        )
    return None


def _weak_derivatives(node: StochasticNode, view: Assignment) -> str | None:
    family = node.attrs["family"]
    if not family.supports("weak_derivatives"):
        if family.supports("coordinate_values"):
            return _coordinates(node, view)
        return f"{family_of(node)} has no measure-valued derivative here"
    return _not_in(node, view, "measure-valued derivative")


def _next_value(node: StochasticNode, view: Assignment) -> str | None:
    family = node.attrs["family"]
    if not family.supports("upward"):
        return f"{family_of(node)} has no next value: {family.lacks('upward')}"
    if family.supports("coordinate_values"):
        return _coordinates(node, view)
    return _not_in(node, view, "rate of moves") if family.weak_parameters else None


def _not_in(node: StochasticNode, view: Assignment, what: str) -> str | None:
    """Complaint about a learned parameter in which there is no measure-valued derivative."""
    family = node.attrs["family"]
    for name, value in zip(node.declared.parameters, node.args, strict=True):
        if name not in family.weak_parameters and view.learned[value]:
            return (
                f"{family_of(node)} has a {what} in "
                f"{' and '.join(map(repr, family.weak_parameters))}, not in {name!r} "
                "(stop its gradient if it is not to be learned)"
            )
    return None


def _fixed_support(node: StochasticNode, view: Assignment) -> str | None:
    return _moving(node, view, lambda part: not part.fixed)


def _visible_support(node: StochasticNode, view: Assignment) -> str | None:
    """A score may miss the ends of angles where what they contribute to the costs cancels."""

    def visible(part: Constraint) -> bool:
        return not part.fixed and not (isinstance(part, Angles) and view.invariances[node].turn)

    return _moving(node, view, visible)


def _moving(
    node: StochasticNode, view: Assignment, counts: Callable[[Constraint], bool]
) -> str | None:
    support = node.declared.support
    parts = filter(counts, getattr(support, "parts", (support,)))
    if not any(_learned(bound, view) for part in parts for bound in (part.low, part.high)):
        return None
    return (
        f"the support of {family_of(node)} moves with learned parameters, which the derivative of "
        "its log-density misses (stop their gradient if they are not to be learned)"
    )


def _learned(bound: Any, view: Assignment) -> bool:
    """Whether a bound, which may be an expression of arguments of the node, is learned."""
    if not isinstance(bound, Expr):
        return False
    if bound in view.learned:
        return view.learned[bound]
    return any(_learned(arg, view) for arg in bound.args)


def _no_plates(node: StochasticNode, view: Assignment) -> str | None:
    if not node.plates:
        return None
    own = ", ".join(repr(plate.name) for plate in node.plates)
    return (
        f"it lives on plate {own}, whose elements may differ from call to call, while its state "
        "belongs to the node (leave plates= and data out of its parameters)"
    )


# --- of the paths to the costs --------------------------------------------------------------------
def _continuous_paths(node: StochasticNode, view: Assignment) -> str | None:
    if view.continuous[node]:
        return None
    walk = broken_path(node, view)
    return (
        f"the path {_path_text(walk)} is not continuous at '{walk[-1].op.name}', so that its "
        "derivative misses a jump (wrap the op in scg.continuous(...) if it does not)"
    )


def _differentiable_costs(node: StochasticNode, view: Assignment) -> str | None:
    influence = view.influence
    lacking = influence.credited(node) - influence.linearised[node]
    if not lacking:
        return None
    name, cost = lacking.first
    walk = _path_text(influence.path(node, cost))
    return f"cost {name!r} is not differentiable in {node.name!r} (path: {walk})"


def _surviving_plates(node: StochasticNode, view: Assignment) -> str | None:
    costs = view.influence.costs
    for plate in node.plates:
        reaches = (reach for reach in view.influence.downstream[node] if plate not in reach.sep)
        if lost := costs.union(reach.members for reach in reaches):
            by_op = view.mixers.lost(plate)[node]
            op = next(op for op, behind in by_op.items() if lost.first in behind)
            return (
                f"{op} mixes the elements of plate {plate.name!r} on the way to cost "
                f"{lost.first.name!r}, so that all their values would have to be enumerated jointly"
            )
    return None


# --- of other nodes -------------------------------------------------------------------------------
def _of_nodes(which: Which, rule: Rule) -> Rule:
    """A requirement on other nodes, each of which must meet a rule."""
    return lambda node, view: view.lacking(rule, which(node, view))


def _itself_and_below(node: StochasticNode, view: Assignment) -> Members[StochasticNode]:
    return view.influence.below[node]


def _strictly_below(node: StochasticNode, view: Assignment) -> Members[StochasticNode]:
    return view.influence.below[node] - view.influence.nodes.only(node)


def _with_related(node: StochasticNode, view: Assignment) -> Members[StochasticNode]:
    return view.influence.nodes.only(node) | view.related[node]


def _no_mean(node: StochasticNode, view: Assignment) -> str | None:
    family = node.attrs["family"]
    if family.supports("mean") and family.extends_to_mean:
        return None
    return f"node {node.name!r} ({family_of(node)}) has no mean to put in its place"


def _no_mode(node: StochasticNode, view: Assignment) -> str | None:
    if node.attrs["family"].supports("mode"):
        return None
    return f"node {node.name!r} ({family_of(node)}) has no mode"


def _no_density(node: StochasticNode, view: Assignment) -> str | None:
    estimator = view.estimators[node]
    if draws_of(estimator, node.declared) == 1 and estimator.unbiased:
        return None
    return (
        f"node {node.name!r} below it is not sampled once from its own distribution under "
        f"{type(estimator).__name__}, so that its samples have no likelihood"
    )


def _smooth_relaxations(node: StochasticNode, view: Assignment) -> str | None:
    reason = view.lacking(_not_relaxed, _strictly_below(node, view))
    if reason is None and view.jumps[node] & view.influence.credited(node):
        return (
            "with the samples below it relaxed, a path to its costs is not continuous, so that its "
            "derivative misses a jump (wrap the op in scg.continuous(...) if it does not)"
        )
    return reason


def _not_relaxed(node: StochasticNode, view: Assignment) -> str | None:
    family = node.attrs["family"]
    if family.reparameterized or family.supports("relax"):
        return None
    return f"node {node.name!r} below it ({family_of(node)}) has no relaxation"


def _not_summed(node: StochasticNode, view: Assignment) -> str | None:
    reason = _finite_support(node, view) or _surviving_plates(node, view)
    return reason and f"node {node.name!r} cannot be averaged over exactly: {reason}"


def _enumerable(node: StochasticNode, view: Assignment) -> str | None:
    reason = view.lacking(_not_summed, view.influence.nodes.every)
    if reason is None and view.outcomes > PATH_LIMIT:
        return f"the nodes have {count_text(view.outcomes)} joint values, more than {PATH_LIMIT}"
    return reason


def _discounted(node: StochasticNode, view: Assignment) -> str | None:
    if discounts(view.influence.graph, node):
        return None
    return "it is in no scan with discount=, so that there is no discount to drop"


def _later_steps(node: StochasticNode, view: Assignment) -> str | None:
    homes = _homes(node, view)
    if len(homes) == 1:
        return None
    many = "lives in a scan in a scan" if homes else "is in no scan, whose steps could follow it"
    return f"it {many}; a critic with trace=1.0 does not bootstrap"


def _no_scan(node: StochasticNode, view: Assignment) -> str | None:
    if not _homes(node, view):
        return None
    return "it is in a scan; write scg.Critic(inputs, trace=…), which bootstraps at later steps"


def _homes(node: StochasticNode, view: Assignment) -> frozenset[str]:
    """The scans in whose cells a node was declared, of which the graph may be unrolled."""
    graph = view.influence.graph
    declared = graph.declared or graph
    name = graph.declared_node(node.name or "")
    return declared.homes.get(declared.stochastic[name], frozenset())


REQUIREMENTS: dict[str, Rule] = {
    "later steps": _later_steps,
    "no scan": _no_scan,
    "discount": _discounted,
    "reparameterized distribution": _reparameterized,
    "acceptance": _supporting("accepted", "has no rejection sampler with a smooth proposal"),
    "standardization": _supporting("standardized", "has no standardization"),
    "continuous paths": _continuous_paths,
    "differentiable costs": _differentiable_costs,
    "mean": _supporting("mean", "has no mean"),
    "mean field": _of_nodes(_with_related, _no_mean),
    "modes below": _of_nodes(_itself_and_below, _no_mode),
    "finite support": _finite_support,
    "surviving plates": _surviving_plates,
    "relaxation": _supporting("relax", "has no relaxation"),
    "latent of each element": _supporting("separate", "has no latent for each of its elements"),
    "Gibbs sampler": _supporting("gibbs", "has no block Gibbs sampler"),
    "no plates": _no_plates,
    "scores": _supporting("scores", "has no scores that decide about a most probable value"),
    "matchings": _of_family(
        lambda family: issubclass(family, Matching), "is not a distribution of matchings"
    ),
    "normal values": _of_family(
        lambda family: issubclass(family, Normal), "is not a normal distribution"
    ),
    "point mass": _of_family(lambda family: issubclass(family, Delta), "is not a point mass"),
    "latent density": _of_family(
        lambda family: family.reparameterized or family.supports("latent"),
        "has neither a reparameterization nor a latent that has one",
    ),
    "smooth relaxations": _smooth_relaxations,
    "coordinates": _coordinates,
    "weak derivatives": _weak_derivatives,
    "next value": _next_value,
    "fixed support": _fixed_support,
    "densities below": _of_nodes(_strictly_below, _no_density),
    "enumerable below": _of_nodes(_itself_and_below, _not_summed),
    "enumerable graph": _enumerable,
    "binary values": _of_family(
        lambda family: issubclass(family, Bernoulli), "is not a distribution of binary values"
    ),
    "classes": _classes,
    "enough values": _enough_values,
}


def complaint(node: StochasticNode, estimator: Estimator, view: Assignment) -> str | None:
    """The reason why an estimator does not fit a node, or None."""
    for name in estimator.requires:
        if name not in REQUIREMENTS:
            raise EstimatorError(
                f"{type(estimator).__name__} requires {name!r}, which is no requirement; there are "
                f"{', '.join(map(repr, REQUIREMENTS))}"
            )
        reason = REQUIREMENTS[name](node, view)
        if reason is not None:
            return reason
    return _visible_support(node, view) if estimator.credit == "score" else None


def family_of(node: StochasticNode) -> str:
    """The name of a node's distribution."""
    return node.attrs["family"].__name__


def _path_text(walk: list[Expr]) -> str:
    return " → ".join(expr.name or expr.op.name for expr in walk)


def count_text(n: int) -> str:
    """A count in few digits; Python writes no integer of thousands of digits."""
    return str(n) if n < 10**9 else f"about 10^{math.floor(math.log10(n))}"


def draws_of(estimator: Estimator, dist: Distribution) -> int:
    """Number of samples on the sample plate of a node; 1 where the estimator does not fit.

    The plan counts paths before it refuses estimators.
    """
    try:
        return estimator.draws(dist)
    except UnsupportedError:
        return 1
