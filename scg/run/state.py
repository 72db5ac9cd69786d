"""The state of a step's estimators: its initial values, and checks of a given state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import numbers_of
from scg.compiler.memory import NodeMemory
from scg.errors import CallError
from scg.run.result import Nested
from scg.seeds.noise import check_seed, generator


def initial_state(memories: Iterable[NodeMemory], seed: int | tuple[int, ...]) -> Nested:
    """Initial state and own parameters of the estimators: node, then name."""
    check_seed(seed)
    state: Nested = {}
    for memory in memories:
        state[memory.node] = {}
        for name, init in memory.initial.items():
            value = init(generator(seed, f"memory:{memory.node}@{name}"))
            state[memory.node][name] = np.asarray(value, dtype=float)
    return state


def _check_bounds(what: str, value: np.ndarray, low: float, high: float) -> None:
    bad = ~((value >= low) & (value <= high))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        wanted = "a number" if np.isinf([low, high]).all() else f"numbers from {low:g} to {high:g}"
        at = f" at index {', '.join(map(str, place))}" if place else ""
        raise CallError(f"{what}: expected {wanted}, got {value[place]}{at}")


def checked_state(memories: Iterable[NodeMemory], given: Mapping[str, Mapping[str, Any]]) -> Nested:
    """The state that a call gives, as arrays: all entries, and no others."""
    if not isinstance(given, Mapping):
        raise CallError(f"state: expected a mapping from node names, got {given!r}")
    found: Nested = {}
    for memory in memories:
        entries = given.get(memory.node)
        if not isinstance(entries, Mapping | None):
            raise CallError(
                f"state of node {memory.node!r}: expected a mapping from names, got {entries!r}; "
                "start with state = step.init(seed=0)"
            )
        found[memory.node] = {}
        for name, leaf in memory.leaves.items():
            if entries is None or name not in entries:
                raise CallError(
                    f"state of node {memory.node!r} lacks {name!r}; start with "
                    "state = step.init(seed=0)"
                )
            value = numbers_of(f"state {name!r} of node {memory.node!r}", entries[name])
            value = value.astype(float, copy=False)
            if value.shape != leaf.shape:
                raise CallError(
                    f"state {name!r} of node {memory.node!r}: expected shape {leaf.shape}, "
                    f"got {value.shape}"
                )
            _check_bounds(f"state {name!r} of node {memory.node!r}", value, *memory.limits(name))
            found[memory.node][name] = value
    for node, entries in given.items():
        if node not in found:
            raise CallError(f"state of node {node!r}: its estimator keeps none; leave it out")
        for name in entries:
            if name not in found[node]:
                raise CallError(
                    f"state of node {node!r} has an unknown entry {name!r}; its estimator "
                    f"keeps {', '.join(map(repr, found[node]))}"
                )
    return found
