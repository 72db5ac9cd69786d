"""Noise: the leaves from which the estimator of one node draws, and their names."""

from __future__ import annotations

from collections.abc import Callable
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
    """The noise of one node: leaves on all plates of its sample, by tag.

    A sample may also depend on the `memory` of the estimator. `names` holds the leaves that have
    a name already, so that two leaves never share one.
    """

    graph: CoreGraph
    node: str
    plates: Plates
    plate_factory: Callable[[int], Plate] | None  #: Makes the sample plate; None without one.
    memory: NodeMemory
    names: dict[str, Any] = field(default_factory=dict)

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Expr:
        """A uniform leaf."""
        return self._leaf("uniform", shape, tag)

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Expr:
        """A normal leaf."""
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
        """The sample plate of the node's estimator."""
        assert self.plate_factory is not None
        return self.plate_factory(length)

    def on(self, plate: Plate) -> NodeNoise:
        """The same source on one more plate."""
        return replace(self, plates=ordered((*self.plates, plate)))

    def constant(self, values: np.ndarray, plate: Plate) -> Expr:
        """Fixed values along a plate."""
        return constant(self.graph, values, (plate,))
