"""Windows: consecutive parts of sequences, cut and joined along their ordered plate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.plate import Plate

Arrays = dict[str, np.ndarray]


def ordered_plate(graph: CoreGraph) -> Plate:
    """The plate over which all scans of a graph run; an error if there are several."""
    steps = {made.plate for made in graph.scans.values()}
    if len(steps) > 1:
        names = ", ".join(repr(plate.name) for plate in steps)
        raise CallError(f"windows: stream=True takes scans over one plate, not {names}")
    (plate,) = steps
    return plate


def ordered_axes(graph: CoreGraph, plate: Plate) -> dict[str, int]:
    """The axis of an ordered plate in each data array that has one."""
    nodes = graph.data_nodes.items()
    return {name: node.plates.index(plate) for name, node in nodes if plate in node.plates}


def steps_of(data: Mapping[str, np.ndarray], axes: Mapping[str, int]) -> int:
    """Number of steps of a window."""
    name, axis = next(iter(axes.items()))
    return data[name].shape[axis] if data[name].ndim > axis else 0


def cut(data: Mapping[str, Any], axes: Mapping[str, int], start: int, end: int | None) -> Arrays:
    """Some steps of data; arrays without steps stay whole."""
    return {
        name: x[(slice(None),) * axes[name] + (slice(start, end),)] if name in axes else x
        for name, x in data.items()
    }


def joined(one: Mapping[str, Any], two: Mapping[str, Any], axes: Mapping[str, int]) -> Arrays:
    """Two consecutive windows as one; arrays without steps are those of the second."""
    return {
        name: np.concatenate([one[name], x], axes[name]) if name in axes else x
        for name, x in two.items()
    }
