"""The order in which a declaration's nodes are declared."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from scg.errors import DeclarationError


def declaration_order(what: str, uses: Mapping[str, frozenset[str]]) -> list[str]:
    """Names, each after those that it uses; among those that are ready, in the given order.

    Raises
    ------
    DeclarationError
        If a node uses a name that is not declared, or itself through others.
    """
    for name, used in uses.items():
        for other in sorted(other for other in used if other not in uses):
            raise DeclarationError(f"{what}: node {name!r} uses {other!r}, which is not declared")
    sorter = TopologicalSorter(uses)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = error.args[1]
        shown = cycle if len(cycle) <= 9 else [*cycle[:4], "…", *cycle[-4:]]
        raise DeclarationError(f"{what}: a cycle: {' → '.join(shown)}") from error
    place = {name: i for i, name in enumerate(uses)}
    ready: list[tuple[int, str]] = []
    order: list[str] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (place[name], name))
        order.append(heapq.heappop(ready)[1])
        sorter.done(order[-1])
    return order
