"""Paths: the sample plates on which expressions will live, and the number of paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scg.compiler.analyse import Cost, Influence
from scg.compiler.assignment import Assignment
from scg.compiler.elimination import tables
from scg.compiler.members import LONGEST, Members
from scg.compiler.node_rules import PATH_LIMIT, count_text
from scg.compiler.requirements import complaint, draws_of
from scg.errors import EstimatorError, PathsWarning
from scg.estimators import SAMPLED, SUMMED, Enumeration, Estimator
from scg.ir.expr import Expr, StochasticNode
from scg.ir.origin import warn

Estimators = Mapping[StochasticNode, Estimator]

MANY_PATHS = 64
#: Entries of the largest table that summing a node out may take.
TABLE_LIMIT = 1 << 16
_DRAW_JOINTLY = (
    f"Give one instance of {type(SAMPLED).__name__} to all nodes: "
    f"scg.compile(g, estimator=scg.{SAMPLED!r}) samples whole paths jointly"
)
_ENUMERATE_FEWER = (
    'Enumerate fewer nodes: scg.compile(g, {"name": scg.Enumeration()}) leaves the others to the '
    "plan. Without a step, scg.exact(g, params) sums over up to 2^20 outcomes of the whole graph"
)


def plate_keys(influence: Influence, estimators: Estimators) -> dict[StochasticNode, object]:
    """The key of the sample plate of each node: nodes with one key share a plate.

    It is the node itself; the estimator instance where this samples whole paths jointly; or the
    instance and the layer where its samples are coupled. The layer is the number of nodes of the
    instance on the longest path down to the node: nodes of one layer do not depend on each other.
    """
    keys: dict[StochasticNode, object] = {}
    depths: dict[Expr, dict[Estimator, int]] = {}
    for expr in influence.order:
        below = [depths[arg] for arg in expr.args if depths[arg]]
        depth = below[0] if below else {}
        if any(other is not depth for other in below):
            depth = {e: max(d.get(e, 0) for d in below) for d in below for e in d}
        if isinstance(expr, StochasticNode):
            estimator = estimators.get(expr)
            if estimator is None or not estimator.joint:
                keys[expr] = expr
            elif estimator.joint == "layer":
                keys[expr] = (estimator, depth.get(estimator, 0))
                depth = {**depth, estimator: depth.get(estimator, 0) + 1}
            else:
                keys[expr] = estimator
        depths[expr] = depth
    return keys


def sample_plates(
    influence: Influence, estimators: Estimators, conditions: bool = True
) -> dict[Expr, dict[object, int]]:
    """The sample plates of each expression, by key, and their lengths.

    The values of a node that is summed out lie on its own plate alone. With `conditions` the
    plates on which their weights depend count, too.
    """
    found: dict[Expr, dict[object, int]] = {}
    keys = plate_keys(influence, estimators)
    settled = False
    while not settled:  # once more where carries bring plates of a step earlier
        for expr in influence.order:
            below = [found[arg] for arg in influence.made_of(expr) if found.get(arg)]
            joined = below[0] if below else {}
            if any(other is not joined for other in below):
                joined = {key: n for plates in below for key, n in plates.items()}
            estimator = estimators.get(expr) if isinstance(expr, StochasticNode) else None
            if isinstance(expr, StochasticNode) and estimator is not None:
                length = draws_of(estimator, expr.declared)
                if not conditions and isinstance(estimator, Enumeration):
                    joined = {}
                if length > 1 and keys[expr] not in joined:
                    joined = {**joined, keys[expr]: length}
            found[expr] = joined
        carried = ((leaf, new) for leaf, (new, _) in influence.later.items() if leaf in found)
        settled = all(found[new].keys() <= found[leaf].keys() for leaf, new in carried)
    return found


def most_paths(influence: Influence, estimators: Estimators) -> int:
    """The largest number of paths that any cost will be evaluated on."""
    return max((math.prod(p.values()) for p in scopes(influence, estimators).values()), default=1)


def scopes(influence: Influence, estimators: Estimators) -> dict[Cost, dict[object, int]]:
    """The sample plates on which each cost is evaluated, with their lengths.

    A node whose term looks at its costs keeps the plates on which its samples depend.
    """
    plates = sample_plates(influence, estimators, conditions=False)
    if not any(isinstance(estimator, Enumeration) for estimator in estimators.values()):
        return {cost: plates[cost.node] for cost in influence.costs}
    every = sample_plates(influence, estimators)
    looking = influence.nodes.none
    for node, estimator in estimators.items():
        if estimator.credit not in ("weight", "pathwise"):
            looking |= influence.nodes.only(node)
    found = {}
    for cost in influence.costs:
        own = dict(plates[cost.node])
        for reach in influence.ancestors[cost.node]:
            for node in reach.members & looking:
                own |= every[node]
        found[cost] = own
    return found


@dataclass(frozen=True)
class SummedOut:
    """A node that is summed out for a cost, and the nodes whose joint values that takes."""

    node: StochasticNode
    cost: str
    lengths: dict[StochasticNode, int]

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.lengths.values())


def elimination(influence: Influence, estimators: Estimators) -> str:
    """The order in which nodes are summed out before costs are evaluated, in words."""
    every = list(_tables(influence, estimators))
    if not every:
        return ""
    largest = max(every, key=lambda table: table.size)
    order = influence.nodes.union(influence.nodes.only(table.node) for table in every)
    return (
        f"summed out one after the other: {_listed(order)}; the largest table has {largest.size} "
        f"entries ({_listed(largest.lengths)}), for cost {largest.cost!r}"
    )


def _tables(influence: Influence, estimators: Estimators) -> Iterator[SummedOut]:
    """The tables of the nodes that are summed out before costs are evaluated."""
    summed = [node for node in influence.nodes if isinstance(estimators.get(node), Enumeration)]
    if not summed:
        return
    plates, weights = sample_plates(influence, estimators, conditions=False), {}
    for node in summed:
        parents = (plates[arg] for arg in influence.made_of(node))
        weights[node] = {p: n for own in (*parents, plates[node]) for p, n in own.items()}
    for cost, scope in scopes(influence, estimators).items():
        for node, lengths in tables(weights, scope):
            yield SummedOut(node, cost.name, lengths)  # pyright: ignore[reportArgumentType]


class Paths:
    """The costs by the number of paths on which they will be evaluated."""

    def __init__(self, influence: Influence, costs: Mapping[int, Members[Cost]]):
        self._influence, self._costs = influence, costs
        self.most = max(costs, default=1)  #: The largest number of paths of a cost.

    @classmethod
    def of(cls, influence: Influence, estimators: Estimators) -> Paths:
        """The numbers of paths that estimators make."""
        plates, costs = sample_plates(influence, estimators), {}
        for cost in influence.costs:
            paths = math.prod(plates[cost.node].values())
            costs[paths] = costs.get(paths, influence.costs.none) | influence.costs.only(cost)
        return cls(influence, costs)

    def with_plate(self, node: StochasticNode, length: int) -> Paths:
        """The numbers of paths with a sample plate of one more node."""
        every, costs = self._influence.costs, {}
        below = every.union(reach.members for reach in self._influence.downstream[node])
        for paths, members in self._costs.items():
            for number, part in ((paths, members - below), (paths * length, members & below)):
                if part:
                    costs[number] = costs.get(number, every.none) | part
        return Paths(self._influence, costs)


def check_paths(influence: Influence, estimators: Estimators) -> None:
    """Raise if a cost would be evaluated on more than 1024 paths; warn of many that nest."""
    summed = {n: e for n, e in estimators.items() if type(e) is type(SUMMED)}
    drawn = _most_nested(influence, {n: e for n, e in estimators.items() if n not in summed})
    many = math.prod(drawn.values())
    paths = most_paths(influence, estimators) if summed else many
    if paths > PATH_LIMIT:
        enumerated = most_paths(influence, summed) > many
        raise EstimatorError(
            f"the sample plates of the nodes nest to {count_text(paths)} paths, more than "
            f"{PATH_LIMIT}{_widest(influence, estimators) if enumerated else ''}. "
            f"{_ENUMERATE_FEWER + _of_any_length(influence) if enumerated else _fewer(influence)}"
        )
    for table in _tables(influence, estimators):
        if table.size <= TABLE_LIMIT:
            continue
        raise EstimatorError(
            f"node {table.node.name!r} is summed out for cost {table.cost!r} in a table of "
            f"{count_text(table.size)} entries, more than {TABLE_LIMIT}: the joint values of "
            f"{_listed(table.lengths)}. {_ENUMERATE_FEWER}"
        )
    if len(drawn) > 1 and many >= MANY_PATHS:
        lengths = " · ".join(map(str, drawn.values()))
        warn(
            f"the samples of the nodes nest to {lengths} = {many} paths, on each of which the "
            f"costs below are evaluated. {_DRAW_JOINTLY}",
            PathsWarning,
        )


def _fewer(influence: Influence) -> str:
    """What has fewer paths: one joint plate, where every node may be on it."""
    view = Assignment(influence, dict.fromkeys(influence.nodes, SAMPLED))
    if all(complaint(node, SAMPLED, view) is None for node in influence.nodes):
        return _DRAW_JOINTLY
    return 'Give it to fewer nodes: scg.compile(g, {"name": …}) leaves the others to the plan'


def _of_any_length(influence: Influence) -> str:
    return f". scg.{SAMPLED!r} takes sequences of any length" if influence.graph.steps else ""


def _widest(influence: Influence, estimators: Estimators) -> str:
    """The cost of the widest scope, and the nodes that are in it."""
    cost, scope = max(
        scopes(influence, estimators).items(), key=lambda item: math.prod(item[1].values())
    )
    return f": cost {cost.name!r} depends on the joint values of {_listed(scope)}"


def _listed(keys: Iterable[object]) -> str:
    nodes = [key.name or "" if isinstance(key, StochasticNode) else repr(key) for key in keys]
    return ", ".join(nodes if len(nodes) <= LONGEST else [*nodes[:3], "...", nodes[-1]])


def _most_nested(influence: Influence, estimators: Estimators) -> dict[object, int]:
    """The sample plates, with their lengths, of the cost that has the most paths."""
    nested = scopes(influence, estimators).values()
    return max(nested, key=lambda lengths: math.prod(lengths.values()), default={})
