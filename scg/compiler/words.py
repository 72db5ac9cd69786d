"""The law in words: the summands of a surrogate as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from scg.compiler.analyse import Reach, bits
from scg.compiler.first_run import FirstRun
from scg.compiler.objective import reduction
from scg.compiler.routes import NodeRoute
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.base import is_constant
from scg.ops.gradient import mark

_LONGEST = 8


def summands(
    first: FirstRun, terms: Mapping[StochasticNode, Mapping[NodeRoute, Expr]]
) -> Iterator[str]:
    """Yield the summands of the surrogate: each cost under its magic box, then each term."""
    influence = first.influence
    for name, cost in influence.costs:
        outer = [_reduction(plate, cost) for plate in cost.plates]
        yield _summand(first, influence.ancestors[cost], first.env[cost], outer, name)
    for node, parts in terms.items():
        for route, part in parts.items():
            outer = [f"sum over {plate.name}" for plate in node.plates if plate in route.sep]
            costs = names(influence.costs[i][0] for i in bits(route.members))
            several = costs and len(parts) > 1
            value = f"t({node.name}, {costs})" if several else f"t({node.name})"
            yield _summand(first, route.above, part, outer, value)


def _summand(
    first: FirstRun, ancestors: tuple[Reach, ...], value: Expr, outer: list[str], name: str
) -> str:
    """R[ ⊠(Σ ℓ) · value ], summed over plates, as text."""
    score = first.score(ancestors)
    plates = {*value.plates, *(score.plates if score is not None else ())}
    for plate in reversed(first.weights):  # weights depend on outer plates
        if plate in plates:
            plates.update(first.weights[plate].plates)
    outer = outer + [_samples(first, plate) for plate in first.weights if plate in plates]
    inner = name if score is None else f"⊠({_score(first, ancestors)}) · {name}"
    return f"{' of '.join(outer)} [ {inner} ]" if outer else inner


def _score(first: FirstRun, ancestors: tuple[Reach, ...]) -> str:
    """Σ ℓ over the ancestors on open paths, as text."""
    sep = {i: r.sep for r in ancestors if r.open for i in bits(r.members)}
    parts = []
    for i in sorted(sep):
        node = first.influence.nodes[i]
        if first.draws[node].logp is not None:
            mixed = [plate.name for plate in node.plates if plate not in sep[i]]
            over = f"Σ[{', '.join(mixed)}] " if mixed else ""
            parts.append(f"{over}ℓ({node.name})")
    if len(parts) > _LONGEST:
        return f"{parts[0]} + {parts[1]} + … + {parts[-1]}, {len(parts)} nodes"
    return " + ".join(parts)


def _reduction(plate: Plate, cost: Expr) -> str:
    scale = f"{plate.size}/|{plate.name}| · " if plate.size is not None else ""
    return f"{scale}{reduction(plate, cost)} over {plate.name}"


def _samples(first: FirstRun, plate: Plate) -> str:
    assert plate.length is not None
    equal = is_constant(first.weights[plate], 1.0 / plate.length)
    how = "mean over {} draws of {}" if equal else "weighted sum over {} values of {}"
    nodes = (first.influence.nodes[i].name for i in bits(first.owners[plate]))
    return how.format(plate.length, names(nodes))


def names(every: Iterable[str | None]) -> str:
    """Join names, the middle of a long list left out."""
    words = [name or "" for name in every]
    if len(words) > _LONGEST:
        words = [*words[:3], "…", words[-1]]
    return ", ".join(words)


def replays(objective: Expr) -> int:
    """Count the replays of one run that an objective holds.

    Every replay has a marked point; the mean-field pass has one at each node and counts once.
    """
    single, total = 0, 0
    for expr in topological((objective,)):
        if expr.op is mark and expr.attrs["label"].endswith(":field"):
            single = 1
        elif expr.op is mark:
            lengths = (plate.length or 1 for plate in expr.plates if not plate.owned_by_user)
            total += math.prod(lengths)
    return single + total
