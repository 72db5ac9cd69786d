"""The law in words: the summands of a surrogate as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from scg.compiler.analyse import Reach, bits
from scg.compiler.objective import reduction
from scg.compiler.surrogate import Surrogate
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.base import is_constant
from scg.ops.gradient import mark

_LONGEST = 8


def summands(surrogate: Surrogate) -> Iterator[str]:
    """Yield the summands of the surrogate: each cost under its magic box, then each term."""
    influence = surrogate.influence
    for name, cost in influence.costs:
        outer = [_reduction(plate, cost) for plate in cost.plates]
        yield _summand(surrogate, influence.ancestors[cost], surrogate.first.env[cost], outer, name)
    for node, term in surrogate.terms.items():
        for route, part in term.parts.items():
            outer = [f"sum over {plate.name}" for plate in node.plates if plate in route.sep]
            costs = names(influence.costs[i][0] for i in bits(route.members))
            several = costs and len(term.parts) > 1
            value = f"t({node.name}, {costs})" if several else f"t({node.name})"
            yield _summand(surrogate, route.above, part, outer, value)


def _summand(
    surrogate: Surrogate, ancestors: tuple[Reach, ...], value: Expr, outer: list[str], name: str
) -> str:
    """R[ ⊠(Σ ℓ) · value ], summed over plates, as text."""
    score = surrogate.first.score(ancestors)
    plates = {*value.plates, *(score.plates if score is not None else ())}
    for plate in reversed(surrogate.first.weights):  # weights depend on outer plates
        if plate in plates:
            plates.update(surrogate.first.weights[plate].plates)
    outer = outer + [
        _samples(surrogate, plate) for plate in surrogate.first.weights if plate in plates
    ]
    inner = name if score is None else f"⊠({_score(surrogate, ancestors)}) · {name}"
    return f"{' of '.join(outer)} [ {inner} ]" if outer else inner


def _score(surrogate: Surrogate, ancestors: tuple[Reach, ...]) -> str:
    """Σ ℓ over the ancestors on open paths, as text."""
    sep = {i: r.sep for r in ancestors if r.open for i in bits(r.members)}
    parts = []
    for i in sorted(sep):
        node = surrogate.influence.nodes[i]
        if surrogate.first.draws[node].logp is not None:
            mixed = [plate.name for plate in node.plates if plate not in sep[i]]
            over = f"Σ[{', '.join(mixed)}] " if mixed else ""
            parts.append(f"{over}ℓ({node.name})")
    if len(parts) > _LONGEST:
        return f"{parts[0]} + {parts[1]} + … + {parts[-1]}, {len(parts)} nodes"
    return " + ".join(parts)


def _reduction(plate: Plate, cost: Expr) -> str:
    scale = f"{plate.size}/|{plate.name}| · " if plate.size is not None else ""
    return f"{scale}{reduction(plate, cost)} over {plate.name}"


def _samples(surrogate: Surrogate, plate: Plate) -> str:
    assert plate.length is not None
    equal = is_constant(surrogate.first.weights[plate], 1.0 / plate.length)
    how = "mean over {} draws of {}" if equal else "weighted sum over {} values of {}"
    nodes = (surrogate.influence.nodes[i].name for i in bits(surrogate.first.owners[plate]))
    return how.format(plate.length, names(nodes))


def names(every: Iterable[str | None]) -> str:
    """Join names, the middle of a long list left out."""
    words = [name or "" for name in every]
    if len(words) > _LONGEST:
        words = [*words[:3], "…", words[-1]]
    return ", ".join(words)


def replays(surrogate: Surrogate) -> int:
    """Count the replays of one run.

    Every replay has a marked point; the mean-field pass has one at each node and counts once.
    """
    single, total = 0, 0
    for expr in topological((surrogate.objective,)):
        if expr.op is mark and expr.attrs["label"].endswith(":field"):
            single = 1
        elif expr.op is mark:
            lengths = (plate.length or 1 for plate in expr.plates if not plate.owned_by_user)
            total += math.prod(lengths)
    return single + total
