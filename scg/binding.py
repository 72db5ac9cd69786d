"""Check what a call brings - parameters, data, state, noise - against what was declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.interpreter import full
from scg.errors import CallError
from scg.expr import Expr, Plate
from scg.graph import Graph
from scg.guard import check_given


def bind(
    graph: Graph,
    params: Mapping[str, Any],
    data: Mapping[str, Any] | None,
    dtype: Any,
    needed: set[str] | None = None,
) -> tuple[dict[str, np.ndarray], dict[Plate, int]]:
    """Return parameters and data as checked arrays, and the size of every plate.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    params, data : mapping
        Arrays by name.
    dtype : numpy dtype
        Type of all floats.
    needed : set of str, optional
        Names that must be there; all declared ones by default.
    """
    values: dict[str, np.ndarray] = {}
    declared = {name: p.node for name, p in graph.parameters.items()}
    for name, node in _matched("parameter", declared, params, needed).items():
        values[name] = _array(f"parameter {name!r}", params[name], node, dtype)
        if values[name].shape != node.shape:
            raise CallError(
                f"parameter {name!r}: expected shape {node.shape}, got {values[name].shape}"
            )
        if graph.parameters[name].constraint is not None:
            values[name] = graph.unconstrained({name: params[name]})[name].astype(dtype)
    sizes = {plate: plate.length for plate in graph.plates if plate.length is not None}
    origin = {plate: "its declared length" for plate in sizes}
    for name, node in _matched("data", graph.data_nodes, data or {}, needed).items():
        array = _array(f"data {name!r}", (data or {})[name], node, dtype)
        if array.ndim != len(node.plates) + node.ndim or (
            array.shape[len(node.plates) :] != node.shape
        ):
            axes = [*(plate.name for plate in node.plates), *map(str, node.shape)]
            raise CallError(f"data {name!r}: expected shape ({', '.join(axes)}), got {array.shape}")
        for plate, n in zip(node.plates, array.shape, strict=False):
            if sizes.setdefault(plate, n) != n:
                raise CallError(
                    f"data {name!r} has {n} elements on plate {plate.name!r}, but "
                    f"{origin[plate]} has {sizes[plate]}"
                )
            origin.setdefault(plate, f"data {name!r}")
        values[name] = array
    for plate in graph.plates:
        if plate not in sizes and needed is None:
            raise CallError(
                f"plate {plate.name!r} has no size: no data lie on it. "
                f"Write scg.Plate({plate.name!r}, length=...)"
            )
    check_given(graph, values)
    return values, sizes


def _matched(
    what: str, declared: Mapping[str, Expr], given: Mapping[str, Any], needed: set[str] | None
) -> dict[str, Expr]:
    if not isinstance(given, Mapping):
        raise CallError(
            f"{what}: expected a mapping from names to arrays, got {type(given).__name__}"
        )
    known = ", ".join(map(repr, declared)) or "none"
    for name in given:
        if name not in declared:
            raise CallError(f"unknown {what} {name!r}; the graph declares {known}")
    wanted = {name: node for name, node in declared.items() if needed is None or name in needed}
    for name in wanted:
        if name not in given:
            raise CallError(f"{what} {name!r} is missing; the graph declares {known}")
    return {name: node for name, node in declared.items() if name in given}


def _array(what: str, value: Any, node: Expr, dtype: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise CallError(f"{what}: expected an array of numbers, got {value!r}") from error
    if array.dtype.kind not in "fiub":
        raise CallError(f"{what}: expected numbers, got an array of dtype {array.dtype}")
    if node.kind == "int":
        if array.dtype.kind == "f":
            raise CallError(f"{what}: declared as integers, got an array of dtype {array.dtype}")
        return array.astype(np.int64, copy=False)
    return array.astype(dtype, copy=False)


def bind_noise(
    given: Mapping[str, Any], leaves: Mapping[str, Expr], sizes: Mapping[Plate, int], dtype: Any
) -> dict[str, np.ndarray]:
    """Return noise as checked arrays of shape (runs, plates, event)."""
    checked: dict[str, np.ndarray] = {}
    runs: int | None = None
    for name, leaf in leaves.items():
        if name not in given:
            raise CallError(f"noise {name!r} is missing; step.noise(seed=...) returns all of it")
        array = np.asarray(given[name], dtype=dtype)
        expected = full(leaf, sizes)
        if array.shape[1:] != expected or array.ndim != len(expected) + 1:
            raise CallError(
                f"noise {name!r}: expected shape ({', '.join(['runs', *map(str, expected)])}), "
                f"got {array.shape}"
            )
        if runs is not None and len(array) != runs:
            raise CallError(f"noise {name!r} has {len(array)} runs, other leaves have {runs}")
        runs = len(array)
        checked[name] = array
    for name in given:
        if name not in leaves:
            raise CallError(
                f"unknown noise {name!r}; the program uses {', '.join(map(repr, leaves)) or 'none'}"
            )
    return checked
