"""Cells: where the hard comparisons of a program split its noise.

A sample such as 1[u < p] is constant in u between thresholds. This module finds the comparisons in
which a noise leaf occurs, and computes their thresholds on each branch of earlier leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.engine.program import Program
from scg.ir.expr import Expr
from scg.ir.op import NOISE
from scg.ir.plate import ordered
from scg.ir.walk import topological
from scg.ops.base import broadcast
from scg.ops.elementwise import COMPARISONS, add, divide, multiply, negative, subtract
from scg.ops.gradient import mark, stop
from scg.ops.reductions import expand
from scg.ops.shape import reshape, take_slice, transpose
from scg.verify.quadrature import normal_mass

_MOVES = (broadcast, reshape, transpose, take_slice, mark, stop)
_FAR = 40.0  # beyond it a normal has no probability
_AFFINE = (add, subtract, multiply, divide, negative)


class Pair(NamedTuple):
    """Two sides that are compared, `moving` affine in the leaf, and the noise that they need."""

    moving: Expr
    fixed: Expr
    needs: frozenset[Expr]


@dataclass(frozen=True)
class LeafUse:
    """How a program uses one noise leaf: in comparisons, and whether in any other way, too.

    One side of a comparison is affine in the leaf, and the other does not depend on it.
    """

    comparisons: list[Pair]
    smooth: bool

    @property
    def needs(self) -> frozenset[Expr]:
        """Other noise leaves that must be known before all thresholds are."""
        return frozenset().union(*(pair.needs for pair in self.comparisons))


def dependencies(order: Sequence[Expr]) -> dict[Expr, frozenset[Expr]]:
    """For each expression the noise leaves below it."""
    found: dict[Expr, frozenset[Expr]] = {}
    for expr in order:
        below = frozenset().union(*(found[arg] for arg in expr.args))
        found[expr] = below | {expr} if expr.op is NOISE else below
    return found


def uses(leaf: Expr, outputs: Sequence[Expr]) -> LeafUse:
    """Find how `outputs` use a noise leaf."""
    order = topological(outputs)
    below = dependencies(order)
    images = {leaf}
    comparisons: list[Pair] = []
    smooth = False
    for expr in order:
        moving = [arg for arg in expr.args if arg in images]
        if not moving:
            continue
        others = [arg for arg in expr.args if arg not in images]
        apart = not any(leaf in below[arg] for arg in others)
        if expr.op in COMPARISONS and len(moving) == 1 and apart:
            needs = (below[moving[0]] | below[others[0]]) - {leaf}
            comparisons.append(Pair(moving[0], others[0], needs))
        elif expr.op in _MOVES or (expr.op in _AFFINE and _affine(expr, images, apart)):
            images.add(expr)
        else:
            smooth = True
    return LeafUse(comparisons, smooth or any(output in images for output in outputs))


def _affine(expr: Expr, images: set[Expr], apart: bool) -> bool:
    moving = [arg in images for arg in expr.args]
    if expr.op is divide:
        return moving == [True, False] and apart
    return sum(moving) == 1 and apart


class Thresholds:
    """Computes the thresholds of one leaf for many branches at once."""

    def __init__(self, leaf: Expr, pairs: Sequence[tuple[Expr, Expr]]):
        self.leaf = leaf
        outputs: dict[Any, Expr] = {}
        for i, (moving, fixed) in enumerate(pairs):
            plates = ordered(moving.plates + fixed.plates)
            shape = np.broadcast_shapes(moving.shape, fixed.shape)
            outputs["moving", i] = expand(moving, plates, shape)
            outputs["fixed", i] = expand(fixed, plates, shape)
        self.pairs = len(pairs)
        self.program = Program(outputs)

    def __call__(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], branches: int, sizes: Sizes
    ) -> list[np.ndarray]:
        """For each element of the leaf an array (branches, thresholds), unsorted.

        The moving side of a comparison is affine in one element: its value at 0 and at 1 gives
        the line, its value at the element's number tells which element it is.
        """
        shape = full(self.leaf, sizes)
        numbers = np.arange(1, int(np.prod(shape, dtype=int)) + 1, dtype=float).reshape(shape)
        found: list[list[np.ndarray]] = [[] for _ in range(numbers.size)]
        if self.pairs:
            at0, at1, at_number = (
                self._sides(values, noise, branches, sizes, probe)
                for probe in (np.zeros(shape), np.ones(shape), numbers)
            )
            for i in range(self.pairs):
                start = at0["moving", i]
                slope = at1["moving", i] - start
                with np.errstate(divide="ignore", invalid="ignore"):
                    threshold = ((at0["fixed", i] - start) / slope).reshape(branches, -1)
                    number = ((at_number["moving", i] - start) / slope).reshape(branches, -1)
                for j in range(threshold.shape[1]):
                    known = number[np.isfinite(number[:, j]), j]
                    if len(known):
                        found[round(float(known[0])) - 1].append(threshold[:, j])
        return [
            np.stack(columns, axis=1) if columns else np.empty((branches, 0)) for columns in found
        ]

    def _sides(
        self, values: Any, noise: Any, branches: int, sizes: Sizes, probe: np.ndarray
    ) -> dict[Any, np.ndarray]:
        name = self.leaf.attrs["name"]
        sources = {**noise, name: np.broadcast_to(probe, (branches, *probe.shape))}
        return self.program.run(values, {n: sources[n] for n in self.program.noise}, sizes)


def cells(law: str, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A point in each of the cells between thresholds, and the probability of the cell."""
    low, high = between(thresholds, *((0.0, 1.0) if law == "uniform" else (-np.inf, np.inf)))
    if law == "uniform":
        return (low + high) / 2.0, high - low
    return (np.maximum(low, -_FAR) + np.minimum(high, _FAR)) / 2.0, normal_mass(low, high)


def between(thresholds: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edges, (branches, cells), of the cells between thresholds."""
    inside = np.clip(np.where(np.isnan(thresholds), low, thresholds), low, high)
    ends = np.broadcast_to([low, high], (len(thresholds), 2))
    edges = np.sort(np.concatenate([ends, inside], axis=1), axis=1)
    return edges[:, :-1], edges[:, 1:]
