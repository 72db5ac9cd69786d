"""Binding: the arguments of a call as arrays, checked against the declared graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.common.arguments import numbers_of
from scg.engine.interpreter import Interpreter, full
from scg.errors import CallError, did_you_mean
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.run.checks import check_empty, check_given, check_steps, checks_of, checks_of_recorded

#: Most runs of one seed.
MOST_RUNS = 2**32


class Binder:
    """Checks calls against a graph as it is now; all floats become `dtype`.

    `recorded` are leaves of data beside those that the graph declares.
    """

    def __init__(self, graph: CoreGraph, dtype: Any, recorded: Mapping[str, Expr] | None = None):
        self.graph, self.dtype = graph, np.dtype(dtype)
        self.declared = len(graph.roles)
        self._params = {name: p.node for name, p in graph.parameters.items()}
        self._data = {**graph.data_nodes, **(recorded or {})}
        self.constrained = [n for n, p in graph.parameters.items() if p.constraint is not None]
        self._plates = graph.plates
        self._sizes = {p: p.length for p in self._plates if p.length is not None}
        checks = checks_of(graph)
        self._given = [*checks.given, *checks_of_recorded(graph, recorded or {})]
        self._computed = checks.computed
        #: Whether values are checked.
        self.checks = bool(self._given or self._computed)
        self._computes = Interpreter(dict(enumerate(c.node for c in checks.computed)), dtype)

    def bind(
        self,
        params: Mapping[str, Any],
        data: Mapping[str, Any] | None,
        needed: set[str] | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[Plate, int]]:
        """Parameters and data as checked arrays, and the size of each plate.

        The names in `needed` must be there; by default all declared ones.
        """
        values, sizes = self.arrays(params, data, needed)
        for name in self.constrained:
            if name in values:
                numbers = self.graph.unconstrained({name: params[name]})
                values[name] = numbers[name].astype(self.dtype)
        if self.checks:
            self.check(values)
        return values, sizes

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise unless the values of parameters and data are valid."""
        check_given(self._given, values)
        if self._computed:
            self._check_computed(values)

    def arrays(
        self,
        params: Mapping[str, Any],
        data: Mapping[str, Any] | None,
        needed: set[str] | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[Plate, int]]:
        """The same before values are checked: only names, kinds and shapes."""
        dtype, plain = self.dtype, np.ndarray
        values: dict[str, np.ndarray] = {}
        for name, node in _matched("parameter", self._params, params, needed).items():
            values[name] = array = params[name]
            if type(array) is plain and array.dtype is dtype and array.shape == node.shape:
                continue  # almost always, and a call of `_array` takes as long
            values[name] = array = as_array("parameter", name, array, node, dtype)
            if array.shape != node.shape:
                raise CallError(
                    f"parameter {name!r}: expected shape {node.shape}, got {array.shape}"
                )
        sizes: dict[Plate, int] = self._sizes.copy()
        given = {} if data is None else data
        has_data = self._data or data is not None
        if has_data and (found := _matched("data", self._data, given, needed)):
            origin = dict.fromkeys(sizes, "its declared length")
            for name, node in found.items():
                values[name] = array = as_array("data", name, given[name], node, dtype)
                _measure(name, node, array, sizes, origin)
        if self.graph.scans:
            check_steps(self.graph, sizes)
        if needed is None:
            for plate in self._plates:
                if plate not in sizes:
                    raise CallError(
                        f"plate {plate.name!r} has no size: no data lie on it. "
                        f"Write scg.{type(plate).__name__}({plate.name!r}, length=...)"
                    )
            if 0 in sizes.values():
                check_empty(self.graph, sizes)
        return values, sizes

    def _check_computed(self, values: Mapping[str, np.ndarray]) -> None:
        """Check arguments such as the scale of Normal(0, s − 3), if all parameters are there.

        Where data or samples decide arguments, or many operations, they are checked if a cost is
        NaN, and with ``check_finite``.
        """
        leaves = {leaf: values.get(leaf.attrs["name"]) for leaf in self._computes.leaves}
        if all(x is not None for x in leaves.values()):
            found = self._computes.run(leaves, {})
            for i, check in enumerate(self._computed):
                check(found[i])


def _measure(
    name: str, node: Expr, array: np.ndarray, sizes: dict[Plate, int], origin: dict[Plate, str]
) -> None:
    """Check the shape of data, and add the sizes of their plates to `sizes`."""
    plates = node.plates
    if array.ndim != len(plates) + node.ndim or array.shape[len(plates) :] != node.shape:
        axes = [*(plate.name for plate in plates), *map(str, node.shape)]
        raise CallError(f"data {name!r}: expected shape ({', '.join(axes)}), got {array.shape}")
    for plate, n in zip(plates, array.shape, strict=False):
        if sizes.setdefault(plate, n) != n:
            raise CallError(
                f"data {name!r} has {n} elements on plate {plate.name!r}, but "
                f"{origin[plate]} has {sizes[plate]}"
            )
        origin.setdefault(plate, f"data {name!r}")


def _matched(
    what: str, declared: dict[str, Expr], given: Mapping[str, Any], needed: set[str] | None
) -> dict[str, Expr]:
    _check_mapping(what, given)
    if given.keys() == declared.keys():
        return declared
    known = ", ".join(map(repr, declared)) or "none"
    for name in given:
        if name not in declared:
            near = did_you_mean(name, declared)
            raise CallError(f"unknown {what} {name!r}{near}; the graph declares {known}")
    wanted = {name: node for name, node in declared.items() if needed is None or name in needed}
    for name in wanted:
        if name not in given:
            write = f"; write data={{{name!r}: ...}}" if what == "data" else ""
            raise CallError(f"{what} {name!r} is missing; the graph declares {known}{write}")
    return {name: node for name, node in declared.items() if name in given}


def _check_mapping(what: str, given: Any) -> None:
    if not isinstance(given, (dict, Mapping)):  # which know a dict at once
        raise CallError(
            f"{what}: expected a mapping from names to arrays, got {type(given).__name__}"
        )


def as_array(what: str, name: str, value: Any, node: Expr, dtype: np.dtype) -> np.ndarray:
    """A value as an array of its node's type; no copy if it is one."""
    if type(value) is np.ndarray and value.dtype is dtype and node.kind == "float":
        return value
    array = numbers_of(f"{what} {name!r}", value)
    if node.kind == "int":
        if array.dtype.kind == "f":
            raise CallError(
                f"{what} {name!r}: declared as integers, got an array of dtype {array.dtype}"
            )
        if array.dtype == np.uint64 and np.any(array > np.iinfo(np.int64).max):
            raise CallError(
                f"{what} {name!r}: {np.max(array)} does not fit 64 bits with a sign, of which "
                "integers of a model are"
            )
        return array.astype(np.int64, copy=False)
    return array.astype(dtype, copy=False)


def bind_noise(
    given: Mapping[str, Any], leaves: Mapping[str, Expr], sizes: Mapping[Plate, int], dtype: Any
) -> dict[str, np.ndarray]:
    """Noise as checked arrays of shape (runs, plates, event)."""
    _check_mapping("noise", given)
    checked: dict[str, np.ndarray] = {}
    runs: int | None = None
    for name, leaf in leaves.items():
        if name not in given:
            raise CallError(f"noise {name!r} is missing; step.noise(seed=...) returns all of it")
        array = as_array("noise", name, given[name], leaf, np.dtype(dtype))
        expected = full(leaf, sizes)
        if array.shape[1:] != expected or array.ndim != len(expected) + 1:
            raise CallError(
                f"noise {name!r}: expected shape ({', '.join(['runs', *map(str, expected)])}), "
                f"got {array.shape}"
            )
        if runs is not None and len(array) != runs:
            raise CallError(
                f"noise {name!r} has {len(array)} runs, other leaves have {runs}; all leaves need "
                "the same number"
            )
        inside = (array > 0) & (array < 1) if leaf.attrs["law"] == "uniform" else np.isfinite(array)
        if not np.all(inside):
            wanted = "in (0, 1)" if leaf.attrs["law"] == "uniform" else "finite"
            raise CallError(
                f"noise {name!r} must be {wanted}, got {array[~inside][0]}; step.noise(seed=...) "
                "returns noise that may be changed by hand"
            )
        if not len(array):
            raise CallError(f"noise {name!r} has no runs; step.noise(seed=..., runs=1) has one")
        runs = len(array)
        checked[name] = array
    for name in given:
        if name not in leaves:
            raise CallError(
                f"unknown noise {name!r}; the program uses {', '.join(map(repr, leaves)) or 'none'}"
            )
    return checked


def check_noise_sizes(leaves: Mapping[str, Expr], sizes: Mapping[Plate, int]) -> None:
    """Raise if noise lies on a plate whose size is not known."""
    for name, leaf in leaves.items():
        for plate in leaf.plates:
            if plate not in sizes and plate.length is None:
                raise CallError(
                    f"noise {name!r} lies on plate {plate.name!r}, whose size comes from data: "
                    "step.noise(seed=1, data={...})"
                )


def as_runs(runs: Any) -> int:
    """A number of runs, checked."""
    if type(runs) is int and 0 < runs <= MOST_RUNS:
        return runs
    if not isinstance(runs, (int, np.integer)) or isinstance(runs, bool) or runs < 1:
        raise CallError(f"runs must be a positive integer, got {runs!r}")
    if runs > MOST_RUNS:
        raise CallError(
            f"one seed has 2**32 runs, got runs={runs}; take several seeds, e.g. seed=(1, 0)"
        )
    return int(runs)
