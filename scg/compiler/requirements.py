"""What an estimator may require of a node and of the paths to its costs, each by one function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from scg.compiler.analyse import Influence, Reach, bits, continuous_in
from scg.distributions import Bernoulli, Categorical, OneHotCategorical
from scg.errors import EstimatorError
from scg.estimators.protocol import Estimator, draws_of
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import PARAMETER
from scg.lazy import cached_property
from scg.ops.custom import continuous
from scg.ops.gradient import stop

PATH_LIMIT = 1024
#: Numbers of a node at all values of one coordinate each.
ELEMENTS = 1 << 27


class Assignment:
    """What a requirement may look at: the paths, and how credit flows at every node."""

    def __init__(self, influence: Influence, estimators: Mapping[StochasticNode, Estimator]):
        self.influence = influence
        self.estimators = estimators
        self.continuous = continuity(influence, lambda node, _: estimators[node].credit)

    @cached_property
    def jumps(self) -> dict[Expr, int]:
        """For each expression the costs to which some path jumps, every draw on it being relaxed.

        Stopped paths count: a node that reaches the cost on an open path, too, is credited with
        all of it.
        """
        found = dict.fromkeys(self.influence.order, 0)
        bare = dict.fromkeys(self.influence.order, 0)  # reached without a promise of the user
        bare |= {cost: 1 << i for i, (_, cost) in enumerate(self.influence.costs)}
        for expr in reversed(self.influence.order):
            passes = isinstance(expr, StochasticNode) or expr.op is stop
            for i, arg in enumerate(expr.args):
                found[arg] |= found[expr] | (0 if passes or continuous_in(expr, i) else bare[expr])
                bare[arg] |= bare[expr] if expr.op is not continuous else 0
        return found

    @cached_property
    def all_take_means(self) -> bool:
        """Whether every node has a mean to put in its place."""
        return all(map(_takes_mean, self.influence.nodes))

    def ancestors(self, node: StochasticNode) -> list[StochasticNode]:
        """Stochastic nodes on which the credited costs of `node` depend."""
        members = 0
        for i in bits(_members(self.influence.downstream[node], open_only=True)):
            members |= _members(self.influence.ancestors[self.influence.costs[i][1]])
        return [self.influence.nodes[i] for i in bits(members)]

    def descendants(self, node: StochasticNode) -> list[StochasticNode]:
        """Stochastic nodes below `node`."""
        bit = 1 << self.influence.index[node]
        return [
            other
            for other in self.influence.nodes
            if any(reach.members & bit for reach in self.influence.ancestors[other])
        ]


def continuity(
    influence: Influence, credit: Callable[[StochasticNode, bool], str]
) -> dict[Expr, bool]:
    """Say of each expression whether every open path to the next credited draw is continuous.

    `credit` is asked at each stochastic node, costs first, with what holds for the node itself;
    a path ends at a node whose credit is not "pathwise". What stands inside ``scg.continuous`` is
    taken to be continuous.
    """
    found = dict.fromkeys(influence.order, True)
    bare = dict.fromkeys(influence.order, False)  # has a path that no promise of the user covers
    bare |= {cost: True for _, cost in influence.costs}
    for expr in reversed(influence.order):
        if isinstance(expr, StochasticNode):
            through = credit(expr, found[expr]) == "pathwise"
            for arg in expr.args:
                found[arg] &= found[expr] or not through
                bare[arg] |= bare[expr] or not through
        elif expr.op is not stop:
            for i, arg in enumerate(expr.args):
                found[arg] &= found[expr] and (continuous_in(expr, i) or not bare[expr])
                bare[arg] |= bare[expr] and expr.op is not continuous
    return found


def _reparameterized(node: StochasticNode, view: Assignment) -> str | None:
    if node.attrs["family"].reparameterized:
        return None
    return f"{family_of(node)} has no reparameterization"


def _continuous_paths(node: StochasticNode, view: Assignment) -> str | None:
    if view.continuous[node]:
        return None
    walk = _broken_path(node, view)
    return (
        f"the path {path_text(walk)} is not continuous at '{walk[-1].op.name}', so that its "
        "derivative misses a jump (wrap the op in scg.continuous(...) if it does not)"
    )


def _broken_path(node: StochasticNode, view: Assignment) -> list[Expr]:
    walk: list[Expr] = [node]
    while True:
        here = walk[-1]
        for expr in view.influence.order:
            index = next((i for i, arg in enumerate(expr.args) if arg is here), None)
            if expr.op is stop or index is None:
                continue
            if isinstance(expr, StochasticNode):
                if view.estimators[expr].credit == "pathwise" and not view.continuous[expr]:
                    walk.append(expr)
                    break
            elif not continuous_in(expr, index):
                return [*walk, expr]
            elif not view.continuous[expr]:
                walk.append(expr)
                break


def _differentiable_costs(node: StochasticNode, view: Assignment) -> str | None:
    influence = view.influence
    lacking = _members(influence.downstream[node], open_only=True) & ~influence.linearised[node]
    if not lacking:
        return None
    name, cost = influence.costs[next(bits(lacking))]
    walk = path_text(influence.path(node, cost))
    return f"cost {name!r} is not differentiable in {node.name!r} (path: {walk})"


def _members(reaches: Iterable[Reach], open_only: bool = False) -> int:
    """Return all that is reached."""
    found = 0
    for reach in reaches:
        found |= reach.members if reach.open or not open_only else 0
    return found


def _mean(node: StochasticNode, view: Assignment) -> str | None:
    return None if node.attrs["family"].supports("mean") else f"{family_of(node)} has no mean"


def _mean_field(node: StochasticNode, view: Assignment) -> str | None:
    if view.all_take_means:
        return None
    for other in (node, *view.ancestors(node)):
        if not _takes_mean(other):
            return f"node {other.name!r} ({family_of(other)}) has no mean to put in its place"
    return None


def _takes_mean(node: StochasticNode) -> bool:
    family = node.attrs["family"]
    return family.supports("mean") and family.extends_to_mean


def _modes_below(node: StochasticNode, view: Assignment) -> str | None:
    for other in (node, *view.descendants(node)):
        if not other.attrs["family"].supports("mode"):
            return f"node {other.name!r} ({family_of(other)}) has no mode"
    return None


def _finite_support(node: StochasticNode, view: Assignment) -> str | None:
    if not node.attrs["family"].supports("cardinality"):
        return f"{family_of(node)} has no finite support"
    count = node.declared.cardinality()
    if count > PATH_LIMIT:
        return f"its support has {count_text(count)} values, more than {PATH_LIMIT}"
    return None


def _surviving_plates(node: StochasticNode, view: Assignment) -> str | None:
    for plate in node.plates:
        lost = [reach for reach in view.influence.downstream[node] if plate not in reach.sep]
        if lost:
            name, cost = view.influence.costs[min(next(bits(reach.members)) for reach in lost)]
            op = view.influence.breaker(node, cost, plate).op.name
            return (
                f"{op!r} mixes the elements of plate {plate.name!r} on the way to cost {name!r}, "
                "so that all their values would have to be enumerated jointly"
            )
    return None


def _binary_values(node: StochasticNode, view: Assignment) -> str | None:
    if issubclass(node.attrs["family"], Bernoulli):
        return None
    return f"{family_of(node)} does not draw binary values"


def _classes(node: StochasticNode, view: Assignment) -> str | None:
    if not issubclass(node.attrs["family"], (Categorical, OneHotCategorical)):
        return f"{family_of(node)} does not draw classes"
    return "it has a single class" if node.declared.classes < 2 else None


def _enough_values(node: StochasticNode, view: Assignment) -> str | None:
    count, samples = node.declared.cardinality(), view.estimators[node].samples
    if samples <= count:
        return None
    return f"its support has {count} values, fewer than the {samples} draws without replacement"


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
    for name, value in node.declared.parameters.items():
        if name not in family.weak_parameters and _learned(value, view):
            return (
                f"{family_of(node)} has a measure-valued derivative in "
                f"{' and '.join(map(repr, family.weak_parameters))}, not in {name!r} "
                "(stop its gradient if it is not to be learned)"
            )
    return None


def _learned(expr: Expr, view: Assignment) -> bool:
    """Whether a parameter, or a draw that passes its derivative on, lies above through no stop."""
    seen, stack = {expr}, [expr]
    while stack:
        at = stack.pop()
        if isinstance(at, StochasticNode):
            if view.estimators[at].credit == "pathwise":
                return True
        elif at.op is PARAMETER:
            return True
        elif at.op is not stop:
            stack.extend(arg for arg in at.args if arg not in seen)
            seen.update(at.args)
    return False


def _densities_below(node: StochasticNode, view: Assignment) -> str | None:
    for other in view.descendants(node):
        estimator = view.estimators[other]
        if draws_of(estimator, other.declared) > 1 or not estimator.unbiased:
            return (
                f"node {other.name!r} below it is not one draw of its own law under "
                f"{type(estimator).__name__}, so that its draw has no likelihood"
            )
    return None


def _enumerable_below(node: StochasticNode, view: Assignment) -> str | None:
    for other in (node, *view.descendants(node)):
        reason = _finite_support(other, view) or _surviving_plates(other, view)
        if reason is not None:
            return f"node {other.name!r} cannot be averaged over exactly: {reason}"
    return None


def _enumerable(node: StochasticNode, view: Assignment) -> str | None:
    values = 1
    for other in view.influence.nodes:
        reason = _finite_support(other, view) or _surviving_plates(other, view)
        if reason is not None:
            return f"node {other.name!r} cannot be averaged over exactly: {reason}"
        values *= other.declared.cardinality()
    if values > PATH_LIMIT:
        return f"the nodes have {count_text(values)} joint values, more than {PATH_LIMIT}"
    return None


def _relaxation(node: StochasticNode, view: Assignment) -> str | None:
    if node.attrs["family"].supports("relax"):
        return None
    return f"{family_of(node)} has no relaxation"


def _latent_density(node: StochasticNode, view: Assignment) -> str | None:
    family = node.attrs["family"]
    if family.reparameterized or family.supports("latent"):
        return None
    return f"{family_of(node)} has neither a reparameterization nor a latent that has one"


def _smooth_relaxations(node: StochasticNode, view: Assignment) -> str | None:
    for other in view.descendants(node):
        family = other.attrs["family"]
        if not (family.reparameterized or family.supports("relax")):
            return f"node {other.name!r} below it ({family_of(other)}) has no relaxation"
    credited = (reach.members for reach in view.influence.downstream[node] if reach.open)
    if not any(view.jumps[node] & members for members in credited):
        return None
    return (
        "with the draws below it relaxed, a path to its costs is not continuous, so that its "
        "derivative misses a jump (wrap the op in scg.continuous(...) if it does not)"
    )


REQUIREMENTS: dict[str, Callable[[StochasticNode, Assignment], str | None]] = {
    "reparameterized distribution": _reparameterized,
    "continuous paths": _continuous_paths,
    "differentiable costs": _differentiable_costs,
    "mean": _mean,
    "mean field": _mean_field,
    "modes below": _modes_below,
    "finite support": _finite_support,
    "surviving plates": _surviving_plates,
    "relaxation": _relaxation,
    "latent density": _latent_density,
    "smooth relaxations": _smooth_relaxations,
    "coordinates": _coordinates,
    "weak derivatives": _weak_derivatives,
    "densities below": _densities_below,
    "enumerable below": _enumerable_below,
    "enumerable graph": _enumerable,
    "binary values": _binary_values,
    "classes": _classes,
    "enough values": _enough_values,
}


def complaint(node: StochasticNode, estimator: Estimator, view: Assignment) -> str | None:
    """Say why an estimator does not fit a node, or return None."""
    for name in estimator.requires:
        if name not in REQUIREMENTS:
            raise EstimatorError(
                f"{type(estimator).__name__} requires {name!r}, which is no requirement; there are "
                f"{', '.join(map(repr, REQUIREMENTS))}"
            )
        reason = REQUIREMENTS[name](node, view)
        if reason is not None:
            return reason
    return None


def family_of(node: StochasticNode) -> str:
    """Name of a node's distribution."""
    return node.attrs["family"].__name__


def path_text(walk: list[Expr]) -> str:
    """Names along a path."""
    return " → ".join(expr.name or expr.op.name for expr in walk)


def count_text(n: int) -> str:
    """A count in few digits; Python writes no integer of thousands of digits."""
    return str(n) if n < 10**9 else f"about 10^{math.floor(math.log10(n))}"
