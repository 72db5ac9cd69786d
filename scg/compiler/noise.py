"""Noise: the leaves from which the estimator of one node draws, and their names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scg.compiler.memory import NodeMemory
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import NOISE, constant, intern
from scg.ir.plate import Plate, Plates, ordered


@dataclass(frozen=True)
class NodeNoise:
    """The noise of one node: leaves on all plates of its draw, by tag.

    The draw may also depend on what the estimator keeps: that is `memory`. `names` holds what
    the names of leaves stand for, so that two leaves never share one.
    """

    graph: CoreGraph
    node: str
    plates: Plates
    plate_factory: Any
    memory: NodeMemory
    names: dict[str, Any] = field(default_factory=dict)

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Expr:
        """Return a uniform leaf."""
        return self._leaf("uniform", shape, tag)

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Expr:
        """Return a normal leaf."""
        return self._leaf("normal", shape, tag)

    def _leaf(self, law: str, shape: tuple[int, ...], tag: str) -> Expr:
        leaf, name = (law, tuple(shape), self.plates), self._name(tag)
        if self.names.setdefault(name, leaf) != leaf:
            name += f"[{', '.join([*(plate.name for plate in self.plates), *map(str, shape)])}]"
        return intern(
            self.graph, NOISE, (), {"name": name, "law": law}, (leaf[1], self.plates, "float")
        )

    def _name(self, tag: str) -> str:
        """Join node and tag; a tag with a slash must not look like another node's name."""
        name = f"{self.node}/{tag}"
        inner = name.rpartition("/")[0]
        taken = inner != self.node and inner in self.graph.stochastic
        return f"{self.node}#{tag}" if taken else name

    def plate(self, length: int) -> Plate:
        """Return the sample plate of the node's estimator."""
        return self.plate_factory(length)

    def on(self, plate: Plate) -> NodeNoise:
        """Return the same source on one more plate."""
        return replace(self, plates=ordered((*self.plates, plate)))

    def constant(self, values: np.ndarray, plate: Plate) -> Expr:
        """Return fixed values along a plate."""
        return constant(self.graph, values, (plate,))
