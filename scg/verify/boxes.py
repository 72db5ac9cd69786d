"""Boxes: where hard comparisons split uniforms that are coupled along a sample plate.

Coupled uniforms are a smooth function of their leaves, but comparisons cut their joint distribution
into boxes, whose probabilities the coupling computes. Here the coupled uniforms take the place of
their leaves, until a point of each box is turned back into noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.compiler.simplify import simplify
from scg.ir.expr import Expr
from scg.ir.op import NOISE, intern
from scg.ir.plate import Plate
from scg.ir.walk import rewrite, topological
from scg.verify.cells import between


@dataclass(frozen=True)
class Coupled:
    """A stand-in leaf for coupled uniforms: the coupling, its plate, and the leaves behind it."""

    law: Any
    plate: Plate
    leaves: tuple[str, ...]

    def groups(self, leaf: Expr, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of the elements that are coupled, a row for each group."""
        axis = leaf.plates.index(self.plate)
        numbers = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
        return np.moveaxis(numbers, axis, -1).reshape(-1, shape[axis])

    def boxes(self, thresholds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """A point of each box, (branches, boxes, K), and its probability, (branches, boxes)."""
        edges = [between(t, 0.0, 1.0) for t in thresholds]
        picks = np.array(list(itertools.product(*(range(low.shape[1]) for low, _ in edges))))
        low, high = (
            np.stack([edge[side][:, picks[:, k]] for k, edge in enumerate(edges)], axis=-1)
            for side in (0, 1)
        )
        mass, point = self.law.box(low, high)
        return point, mass

    def noise(self, leaf: Expr, points: np.ndarray) -> dict[str, np.ndarray]:
        """The leaves behind points of shape (branches, *plates, *event)."""
        axis = 1 + leaf.plates.index(self.plate)
        return dict(zip(self.leaves, self.law.leaves(np.moveaxis(points, axis, -1)), strict=True))


def stand_in(
    outputs: Mapping[Any, Expr], couplings: Sequence[tuple[Expr, Any, Plate]]
) -> tuple[dict[Any, Expr], dict[Expr, Coupled]]:
    """Replace uniforms by leaves of their own if their coupling has probabilities of boxes."""
    env: dict[Expr, Expr] = {}
    found: dict[Expr, Coupled] = {}
    for expr, law, plate in couplings:
        (uniforms,) = simplify([expr])
        leaves = [e.attrs["name"] for e in topological([uniforms]) if e.op is NOISE]
        if law.splits(plate.length) and uniforms not in env:
            attrs = {"name": f"{leaves[0]} coupled", "law": "uniform"}
            signature = (uniforms.shape, uniforms.plates, "float")
            env[uniforms] = intern(uniforms.graph, NOISE, (), attrs, signature)
            found[env[uniforms]] = Coupled(law, plate, tuple(leaves))
    if env:
        order = topological(outputs.values(), known=env)
        rewrite(order, env)
        outputs = {key: env[value] for key, value in outputs.items()}
    return dict(outputs), found
