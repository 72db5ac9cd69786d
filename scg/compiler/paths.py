"""Paths: the sample plates on which expressions will live, and the number of paths."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scg.compiler.analyse import Cost, Influence
from scg.compiler.members import Members
from scg.compiler.requirements import PATH_LIMIT, count_text, draws_of
from scg.errors import EstimatorError, PathsWarning
from scg.estimators import SAMPLED, SUMMED, Estimator
from scg.ir.expr import Expr, StochasticNode
from scg.ir.origin import warn

Estimators = Mapping[StochasticNode, Estimator]

MANY_PATHS = 64
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


def sample_plates(influence: Influence, estimators: Estimators) -> dict[Expr, dict[object, int]]:
    """The sample plates of each expression, by key, and their lengths."""
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
                if length > 1 and keys[expr] not in joined:
                    joined = {**joined, keys[expr]: length}
            found[expr] = joined
        carried = ((leaf, new) for leaf, (new, _) in influence.later.items() if leaf in found)
        settled = all(found[new].keys() <= found[leaf].keys() for leaf, new in carried)
    return found


def most_paths(influence: Influence, estimators: Estimators) -> int:
    """The largest number of paths that any cost will be evaluated on."""
    return math.prod(_most_nested(influence, estimators).values())


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
    paths, many = most_paths(influence, estimators), math.prod(drawn.values())
    if paths > PATH_LIMIT:
        enumerated = most_paths(influence, summed) > many
        raise EstimatorError(
            f"the sample plates of the nodes nest to {count_text(paths)} paths, more than "
            f"{PATH_LIMIT}. {_ENUMERATE_FEWER if enumerated else _DRAW_JOINTLY}"
        )
    if len(drawn) > 1 and many >= MANY_PATHS:
        lengths = " · ".join(map(str, drawn.values()))
        warn(
            f"the samples of the nodes nest to {lengths} = {many} paths, on each of which the "
            f"costs below are evaluated. {_DRAW_JOINTLY}",
            PathsWarning,
        )


def _most_nested(influence: Influence, estimators: Estimators) -> dict[object, int]:
    """The sample plates, with their lengths, of the cost that has the most paths."""
    plates = sample_plates(influence, estimators)
    nested = (plates[cost] for _, cost in influence.costs)
    return max(nested, key=lambda lengths: math.prod(lengths.values()), default={})
