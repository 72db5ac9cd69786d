"""Other credit: whether loops credit nodes with the same costs as the unrolled graph.

Along the plate of a scan, loops know whether a cost lies at an earlier, the same or a later step,
and up to three steps how far away. Other credit, such as that of a scan in a scan or of every
second step, they would round up. That is another estimate, which is unbiased unless a path that a
stop closes leads to one of the further costs: the user left this credit out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from scg.compiler.analyse import Cost, Influence, Reach, reached
from scg.compiler.unroll import Unrolled
from scg.ir.expr import StochasticNode
from scg.ir.plate import Direction, Plate, lags
from scg.ir.walk import topological

At = tuple[tuple[Plate, int], ...]


def other_credit(
    whole: Influence,
    short: Influence,
    lengths: Mapping[Plate, int],
    nodes: Iterable[StochasticNode],
) -> tuple[str, bool]:
    """The first of some nodes whose credit loops would round up, in words, and whether with bias.

    The words are empty if there is none. Credit is compared with that in the graph of a few steps,
    or of so many that a path can cross each carry which does not make its own next value: then
    there is a step too far for finite memories.
    """
    carried = whole.later.items()
    enough = 2 + sum(leaf not in {*topological((new,))} for leaf, (new, _) in carried)
    longer = {p: max(n, min(p.length or enough, enough)) for p, n in lengths.items()}
    if longer != lengths:
        short, lengths = Influence(Unrolled(whole.graph, longer).graph), longer
    seen: dict[tuple[str, At], set[tuple[str, At]]] = {
        (node.name or "", tuple(zip(plates, at, strict=True))): set()
        for node in nodes
        for plates in [[plate for plate in node.plates if plate in lengths]]
        for at in itertools.product(*(range(lengths[plate]) for plate in plates))
    }
    stopped = {place: set[tuple[str, At]]() for place in seen}
    for node in short.nodes:
        place = _declared(short, node.name or "")
        if place in seen:
            for credit, opened in ((seen, True), (stopped, False)):
                costs = reached(short.costs, short.downstream[node], opened=opened)
                credit[place] = {_declared(short, cost.name) for cost in costs}
    steps: dict[str, list[At]] = {}
    for cost in short.costs:
        name, at = _declared(short, cost.name)
        steps.setdefault(name, []).append(at)
    by_name = {node.name: whole.downstream[node] for node in whole.nodes}
    further = {
        (name, at): _allowed(by_name[name], at, steps) ^ found for (name, at), found in seen.items()
    }
    biased = {place: costs & stopped[place] for place, costs in further.items()}
    ways = ((biased, "influences through stop_gradient alone"), (further, "does not influence"))
    for wrong, how in ways:
        for (name, _), costs in wrong.items():
            if costs:
                cost, _ = min(costs)
                told = f"a loop would credit {name!r} with {cost!r} at steps that it {how}"
                return told, wrong is biased
    return "", False


def _declared(short: Influence, name: str) -> tuple[str, At]:
    step = short.graph.steps.get(name)
    return (name, ()) if step is None else (step.node, step.at)


def _allowed(reaches: tuple[Reach, ...], at: At, steps: dict[str, list[At]]) -> set[tuple[str, At]]:
    """The steps of costs that loops count for a node at its steps."""
    pairs: Iterable[tuple[Reach, Cost]] = itertools.chain.from_iterable(
        ((reach, cost) for cost in reach.members) for reach in reaches if reach.open
    )
    return {
        (cost.name, other)
        for reach, cost in pairs
        for other in steps[cost.name]
        if all(_leads(reach.sep, plate, k, dict(other)) for plate, k in at)
    }


def _leads(sep: frozenset[Any], plate: Plate, start: int, end: dict[Plate, int]) -> bool:
    if plate not in end:
        return True
    step = end[plate] - start
    if plate in sep:
        return step == 0
    fewest, most = lags(sep, plate)
    far = fewest <= abs(step) <= (abs(step) if most is None else most)
    return far and (step == 0 or Direction(plate, step < 0) not in sep)
