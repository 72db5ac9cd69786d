"""Alike: nodes of a large graph that are derived as an earlier one is, so that one is enough."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from scg.explain.lineage import Lineage
from scg.explain.node import NodeExplanation
from scg.ir.expr import StochasticNode

_NUMBER = re.compile(r"\d+(?=\D*$)")
_SHORTEST = 3  #: Nodes of a repetition.


@dataclass
class Entry:
    """A node whose lines are shown, and those that are derived alike."""

    node: StochasticNode
    alike: list[StochasticNode]


def entries(
    lineage: Lineage, nodes: Sequence[StochasticNode], about: Mapping[str, NodeExplanation]
) -> list[Entry]:
    """The nodes in their order, without those of a repetition that is told by its first node.

    The nodes of a repetition have consecutive numbers in their names, and equal estimators,
    families, kinds of credit and numbers of parents.
    """
    runs: dict[Hashable, tuple[int, list[StochasticNode]]] = {}
    found: list[list[StochasticNode]] = []
    for node in nodes:
        name = node.name or ""
        number = _NUMBER.search(name)
        if number is None:
            found.append([node])
            continue
        own = about[name]
        ways = tuple((c.kept, *c.summed, *c.onward) for c in own.credited)
        parents = len(lineage.parents(node)), lineage.enters(node)
        what = own.distribution, own.shape, own.plates, own.estimator, own.credit, own.unbiased
        key = name[: number.start()], name[number.end() :], what, ways, parents, own.term
        last, run = runs.get(key, (-2, []))
        if last + 1 != int(number[0]):
            run = []
            found.append(run)
        run.append(node)
        runs[key] = int(number[0]), run
    shown: list[Entry] = []
    for run in found:
        if len(run) < _SHORTEST:
            shown += [Entry(node, []) for node in run]
        else:
            shown.append(Entry(run[0], run[1:]))
    order = {node: i for i, node in enumerate(nodes)}
    return sorted(shown, key=lambda entry: order[entry.node])
