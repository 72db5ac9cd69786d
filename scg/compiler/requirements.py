"""Requirements of estimators by name; rules on the paths to the costs and on other nodes."""

from __future__ import annotations

from collections.abc import Callable

from scg.compiler.assignment import Assignment, Rule, broken_path
from scg.compiler.members import Members
from scg.compiler.node_rules import (
    PATH_LIMIT,
    classes,
    coordinates,
    count_text,
    enough_values,
    family_of,
    finite_support,
    fixed_support,
    listable_values,
    next_value,
    no_plates,
    of_family,
    reparameterized,
    supporting,
    visible_support,
    weak_derivatives,
)
from scg.distributions import Bernoulli, Delta, Distribution, Matching, Normal
from scg.errors import EstimatorError, UnsupportedError
from scg.estimators.protocol import Estimator
from scg.graph.carry import discounts
from scg.ir.expr import Expr, StochasticNode

#: Selects nodes that have to do with one.
Which = Callable[[StochasticNode, Assignment], Members[StochasticNode]]


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
            op = next((op for op, behind in by_op.items() if lost.first in behind), "a carry")
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
    reason = finite_support(node, view) or _surviving_plates(node, view)
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


def _whole_signal(node: StochasticNode, view: Assignment) -> str | None:
    return None  # only windows hide a part of the signal, see ``check_signals``


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


#: The requirement of weights of single elements: no op mixes the elements of a plate.
SURVIVING = "surviving plates"
REQUIREMENTS: dict[str, Rule] = {
    "later steps": _later_steps,
    "whole signal": _whole_signal,
    "no scan": _no_scan,
    "discount": _discounted,
    "reparameterized distribution": reparameterized,
    "acceptance": supporting("accepted", "has no rejection sampler with a smooth proposal"),
    "standardization": supporting("standardized", "has no standardization"),
    "continuous paths": _continuous_paths,
    "differentiable costs": _differentiable_costs,
    "mean": supporting("mean", "has no mean"),
    "mean field": _of_nodes(_with_related, _no_mean),
    "modes below": _of_nodes(_itself_and_below, _no_mode),
    "finite support": finite_support,
    "listable values": listable_values,
    SURVIVING: _surviving_plates,
    "relaxation": supporting("relax", "has no relaxation"),
    "latent of each element": supporting("separate", "has no latent for each of its elements"),
    "Gibbs sampler": supporting("gibbs", "has no block Gibbs sampler"),
    "no plates": no_plates,
    "scores": supporting("scores", "has no scores that decide about a most probable value"),
    "matchings": of_family(
        lambda family: issubclass(family, Matching), "is not a distribution of matchings"
    ),
    "normal values": of_family(
        lambda family: issubclass(family, Normal), "is not a normal distribution"
    ),
    "point mass": of_family(lambda family: issubclass(family, Delta), "is not a point mass"),
    "latent density": of_family(
        lambda family: family.reparameterized or family.supports("latent"),
        "has neither a reparameterization nor a latent that has one",
    ),
    "smooth relaxations": _smooth_relaxations,
    "coordinates": coordinates,
    "weak derivatives": weak_derivatives,
    "next value": next_value,
    "fixed support": fixed_support,
    "densities below": _of_nodes(_strictly_below, _no_density),
    "enumerable below": _of_nodes(_itself_and_below, _not_summed),
    "enumerable graph": _enumerable,
    "binary values": of_family(
        lambda family: issubclass(family, Bernoulli), "is not a distribution of binary values"
    ),
    "classes": classes,
    "enough values": enough_values,
}


def complaint(node: StochasticNode, estimator: Estimator, view: Assignment) -> str | None:
    """The reason why an estimator does not fit a node, or None."""
    for name in estimator.requires:
        if name not in REQUIREMENTS:
            raise EstimatorError(
                f"{type(estimator).__name__} requires {name!r}, which is not a requirement; there "
                f"are {', '.join(map(repr, REQUIREMENTS))}"
            )
        reason = REQUIREMENTS[name](node, view)
        if reason is not None:
            return reason
    name = view.influence.graph.declared_node(node.name or "")
    learned = any(view.learned[arg] for arg in node.args)
    if estimator.credit != "pathwise" and learned and name in view.paths_alone:
        return (
            "scg.dreg and scg.gdreg have the gradient of pathwise samples alone; scg.iwae, of the "
            "same value, has one for all estimators"
        )
    return visible_support(node, view) if estimator.credit == "score" else None


def _path_text(walk: list[Expr]) -> str:
    return " → ".join(expr.name or expr.op.name for expr in walk)


def draws_of(estimator: Estimator, dist: Distribution) -> int:
    """Number of samples on the sample plate of a node; 1 where the estimator does not fit.

    The plan counts paths before it refuses estimators.
    """
    try:
        return estimator.draws(dist)
    except UnsupportedError:
        return 1
