"""Joint: exact second moments of a gradient: covariances, and the shares of nodes and terms."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.compiler.entries import entries
from scg.engine.interpreter import Sizes
from scg.run.finish import finish
from scg.run.runner import Runner
from scg.verify.attribution import Attribution
from scg.verify.by_step import by_step
from scg.verify.quadrature import Integral
from scg.verify.walk import Branches, Walk, converged


# --- covariances ----------------------------------------------------------------------------------
class _Pairs(Walk):
    """Integrates the products of all pairs of components, too."""

    def extended(self, out: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
        flat = _flat([out["grads", name] for name in self.step.graph.parameters])
        return {**out, ("pairs",): flat[:, :, None] * flat[:, None, :]}


def covariance(walk: Walk, mean: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The covariances of a gradient, as nested arrays by the names of two parameters."""
    again = _Pairs(walk.step, walk.values, walk.sizes, False, walk.limit)
    found, _ = again.named(converged(again).value[0])
    centre = _flat([value[None] for value in mean.values()])[0]
    matrix = found["pairs",] - np.outer(centre, centre)
    ends = np.cumsum([value.size for value in mean.values()], dtype=int)[:-1]
    rows = zip(mean, np.split(matrix, ends), strict=True)
    return {
        a: {
            b: block.reshape(mean[a].shape + mean[b].shape)
            for b, block in zip(mean, np.split(row, ends, axis=1), strict=True)
        }
        for a, row in rows
    }


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays with a leading axis of runs as one matrix."""
    return np.concatenate(
        [array.reshape(len(array), array[0].size) for array in arrays], axis=1, dtype=float
    )


# --- nodes and terms ------------------------------------------------------------------------------
class Parts:
    """The parts of a step's gradient as a program of their own, and the nodes in order.

    Each part is flat over all parameters.
    """

    def __init__(self, step: Runner):
        every, surrogate = entries(step.surrogate)
        known = step.graph.parameters  # gradients in data are left out
        slopes = {part: {n: s for n, s in own.items() if n in known} for part, own in every.items()}
        found = {part: own for part, own in slopes.items() if own}
        self.step, self.parts = step, tuple(found)
        self.nodes = tuple(node.name or "" for node in step.plan.influence.nodes)
        self._ranks = {name: i for i, name in enumerate(self.nodes)}
        outputs = {
            ("grads", name, i): slope
            for i, own in enumerate(found.values())
            for name, slope in own.items()
        }
        program = finish(outputs, str(step.program.dtype))
        self.runner = by_step(Runner(step.graph, surrogate.plan, surrogate, program))
        self.size, self._places = 0, {}
        for name, parameter in step.graph.parameters.items():
            self._places[name] = np.s_[self.size : self.size + parameter.node.size]
            self.size += parameter.node.size

    def rank(self, leaf: str) -> int:
        """The position of the node to which a noise leaf belongs, by its name."""
        ends = [i for i, letter in enumerate(leaf) if letter in "/#"]  # of names, the longest last
        return next(self._ranks[leaf[:end]] for end in ends[::-1] if leaf[:end] in self._ranks)

    def stacked(self, out: Mapping[Any, np.ndarray]) -> np.ndarray:
        """Outputs as an array (runs, parts, components)."""
        runs = max([1, *map(len, out.values())])
        found = np.zeros((runs, len(self.parts), self.size))
        for (_, name, i), value in out.items():
            found[:, i, self._places[name]] = value.reshape(
                len(value), int(np.prod(value.shape[1:], dtype=int))
            )
        return found


class _Nested(Walk):
    """Integrates Σ_p E[g_s | n]_p E[g | n]_p for each part s and each node n.

    The conditional means are given the noise of nodes up to n. Where an integral over all later
    noise ends, it takes the place of what was integrated for this node.
    """

    def __init__(self, parts: Parts, values: Mapping[str, Any], sizes: Sizes, limit: int):
        self.parts = parts
        super().__init__(parts.runner, values, sizes, squares=False, limit=limit)
        ranks = [parts.rank(level.leaf.attrs["name"]) for level in self.levels]
        counts = np.searchsorted(ranks, np.arange(len(parts.nodes)), side="right")
        self.ends = [int(count) for count in counts]  # levels up to each node
        self.stops = frozenset(self.ends)

    def __call__(self) -> Integral:
        branches, origin = Branches(np.ones(1)), np.zeros(1, int)
        for level in itertools.takewhile(lambda level: level.element is None, self.levels):
            branches, origin = self._split(level, branches, origin)  # refuses too many outcomes
        return super().__call__()

    def rank(self, name: str) -> int:
        return self.parts.rank(name)

    def extended(self, out: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
        product = _product(self.parts.stacked(out))
        joint = np.repeat(product[:, None], len(self.parts.nodes), axis=1)
        return {**out, ("joint",): joint}

    def integral(self, k: int, noise: dict[str, np.ndarray], weight: np.ndarray) -> Integral:
        found = super().integral(k, noise, weight)
        given = [n for n, end in enumerate(self.ends) if end == k < len(self.levels)]
        if given:
            mean, _, doubt = (self.columns(part) for part in found)
            product = _product(mean)
            wrong = _product(np.abs(mean), doubt) + _product(doubt, np.abs(mean))
            for part, own in zip(found, (product, np.abs(product), wrong), strict=True):
                self.joint(part)[:, given] = own[:, None]
        return found

    def columns(self, rows: np.ndarray) -> np.ndarray:
        """The parts in rows of all numbers, (rows, parts, components)."""
        out, start = {}, 0
        for key, shape, count in self.keys[:-1]:
            out[key] = rows[:, start : start + count].reshape(len(rows), *shape)
            start += count
        return self.parts.stacked(out)

    def joint(self, rows: np.ndarray) -> np.ndarray:
        """A view of the last numbers in rows, (rows, nodes, parts)."""
        shape = (len(self.parts.nodes), len(self.parts.parts))
        return rows[:, rows.shape[1] - shape[0] * shape[1] :].reshape(len(rows), *shape)


def _product(parts: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Σ_p g_s g over components, with g the sum of the other parts, (runs, parts)."""
    whole = np.sum(parts if others is None else others, axis=1)
    return np.einsum("rsp,rp->rs", parts, whole)


def attributed(step: Runner, values: Mapping[str, Any], sizes: Sizes, limit: int) -> Attribution:
    """The variance of a step's gradient by node and term, by enumeration and quadrature."""
    parts = Parts(step)
    if not parts.parts:  # no parameter has a gradient
        none = np.zeros((len(parts.nodes), 0))
        return Attribution(parts.nodes, (), none, np.zeros(np.add(none.shape, 1)), step.plan)
    walk = _Nested(parts, values, sizes, limit)
    row = converged(walk).value
    start = _product(walk.columns(row))
    joint = np.concatenate([start, walk.joint(row)[0]])
    shares = np.diff(joint, axis=0)
    return Attribution(
        parts.nodes, parts.parts, shares, np.zeros(np.add(shares.shape, 1)), step.plan
    )
