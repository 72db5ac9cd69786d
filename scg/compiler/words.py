"""The summands of a surrogate as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from scg.compiler.analyse import Reach, reached
from scg.compiler.first_run import FirstRun
from scg.compiler.members import added, names
from scg.compiler.objective import reduction
from scg.compiler.routes import NodeRoute
from scg.graph.costs import CHECKED
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate, same, sign
from scg.ir.walk import topological
from scg.ops.base import is_constant
from scg.ops.gradient import mark


def summands(
    first: FirstRun, terms: Mapping[StochasticNode, Mapping[NodeRoute, Expr]]
) -> Iterator[str]:
    """Each cost under its magic box, then each term."""
    words, influence = _Words(first), first.influence
    for name, cost in influence.costs:
        outer = [_reduction(plate, cost) for plate in cost.plates]
        above = influence.ancestors[cost]
        yield words.summand(above, first.env[cost], outer, name, above)
    for node, parts in terms.items():
        for route, part in parts.items():
            outer = [f"sum over {plate.name}" for plate in node.plates if plate in route.sep]
            costs = names(route.costs)
            several = costs and len(parts) > 1
            value = f"t({node.name}, {costs})" if several else f"t({node.name})"
            weighted = (*route.above, *words.itself(node))
            yield words.summand(route.above, part, outer, value, weighted)


class _Words:
    """Common parts of all summands."""

    def __init__(self, first: FirstRun):
        self.first, nodes = first, first.influence.nodes
        self.turn = {plate: i for i, plate in enumerate(first.weights)}
        self.scored = nodes.union(
            nodes.only(node) for node in nodes if first.draws[node].logp is not None
        )

        self.weighted = nodes.union(
            nodes.only(node) for node in first.recorded if first.draws[node].ratio is not None
        )

    def itself(self, node: StochasticNode) -> tuple[Reach, ...]:
        """The reach of a recorded node to itself: its terms have its importance ratio, too."""
        own = self.weighted & self.first.influence.nodes.only(node)
        return (Reach(same(node.plates), True, False, own),) if own else ()

    def summand(
        self,
        ancestors: tuple[Reach, ...],
        value: Expr,
        outer: list[str],
        name: str,
        weighted: tuple[Reach, ...],
    ) -> str:
        """R[ ρ · ⊠(Σ ℓ) · value ], summed over plates, as text."""
        score, weights = self.first.score(ancestors), self.first.weights
        plates = {*value.plates, *(score.plates if score is not None else ())} & weights.keys()
        pending = list(plates)
        while pending:  # weights depend on outer plates
            further = ({*weights[pending.pop()].plates} & weights.keys()) - plates
            pending += further
            plates |= further
        inside = sorted(plates, key=self.turn.__getitem__)
        outer = outer + [self._samples(plate) for plate in inside]
        particles = self.first.particles
        if particles is not None and particles.score(value) is not None:
            inner = f"⊠(ℓ(perturbations)) · {name}"
        else:
            inner = name if score is None else f"⊠({self._score(ancestors)}) · {name}"
        inner = self._ratios(weighted) + inner
        return f"{' of '.join(outer)} [ {inner} ]" if outer else inner

    def _ratios(self, ancestors: tuple[Reach, ...]) -> str:
        """The importance ratios of recorded ancestors, as text."""
        found = ((reach, node) for reach in ancestors for node in reach.members & self.weighted)
        return "".join(f"{self._of('ρ', node, (reach,))} · " for reach, node in found)

    def _score(self, ancestors: tuple[Reach, ...]) -> str:
        """Σ ℓ over the ancestors on open paths, as text."""
        scored = reached(self.first.influence.nodes, ancestors, opened=True) & self.scored
        return added(scored, "nodes", lambda node: self._of("ℓ", node, ancestors))

    def _of(self, what: str, node: StochasticNode, ancestors: tuple[Reach, ...]) -> str:
        sep = next(reach.sep for reach in ancestors if node in reach.members)
        lost = (plate for plate in node.plates if plate not in sep)
        mixed = [f"{sign(sep, plate, back=True)} {plate.name}".strip() for plate in lost]
        over = f"{'Σ' if what == 'ℓ' else 'Π'}[{', '.join(mixed)}] " if mixed else ""
        return f"{over}{what}({node.name})"

    def _samples(self, plate: Plate) -> str:
        assert plate.length is not None
        if not self.first.owners[plate]:  # of no node's estimator
            return f"mean over {plate.length} {plate.name}"
        equal = is_constant(self.first.weights[plate], 1.0 / plate.length)
        how = "mean over {} samples of {}" if equal else "weighted sum over {} values of {}"
        return how.format(plate.length, names(self.first.owners[plate]))


def _reduction(plate: Plate, cost: Expr) -> str:
    scale = f"{plate.size}/|{plate.name}| · " if plate.size is not None else ""
    return f"{scale}{reduction(plate, cost)} over {plate.name}"


def replays(objective: Expr) -> int:
    """Number of replays in one run: each marks its point; the mean-field pass counts once."""
    single, total = 0, 0
    for expr in topological((objective,)):
        if expr.op is mark and expr.attrs["label"].endswith(":field"):
            single = 1
        elif expr.op is mark and expr.attrs["label"] != CHECKED:
            lengths = (plate.length or 1 for plate in expr.plates if not plate.owned_by_user)
            total += math.prod(lengths)
    return single + total
