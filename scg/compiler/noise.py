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
from scg.ops.steps import at_steps


@dataclass(frozen=True)
class NodeNoise:
    """The noise of one node: leaves on all plates of its sample, by tag.

    Where the node is one step of an unrolled graph, the leaves are those of the declared node, on
    the plates of its scans, and the step reads its slice.

    A sample may also depend on the `memory` of the estimator. `names` holds the leaves that have
    a name already, so that two leaves never share one.
    """

    graph: CoreGraph
    node: str
    plates: Plates
    plate_factory: Callable[[int], Plate] | None  #: Makes the sample plate; None without one.
    memory: NodeMemory
    names: dict[str, Any] = field(default_factory=dict)
    at: tuple[tuple[Plate, int], ...] = ()

    @classmethod
    def of(
        cls,
        node: Expr,
        plates: Plates,
        factory: Callable[[int], Plate] | None,
        memories: dict[str, NodeMemory],
        names: dict[str, dict[str, Any]],
    ) -> NodeNoise:
        """The noise of a node; all steps of a declared node share `memories` and `names`."""
        graph: Any = node.graph
        name, at = graph.steps.get(node.name, (node.name or "", ()))
        memory = memories.setdefault(name, NodeMemory(graph, name))
        return cls(graph, name, plates, factory, memory, names.setdefault(name, {}), at)

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Expr:
        """A uniform leaf."""
        return self._leaf("uniform", shape, tag)

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Expr:
        """A normal leaf."""
        return self._leaf("normal", shape, tag)

    def _leaf(self, law: str, shape: tuple[int, ...], tag: str) -> Expr:
        plates = ordered((*self.plates, *(plate for plate, _ in self.at)))
        leaf, name = (law, tuple(shape), plates), self._name(tag)
        if self.names.setdefault(name, leaf) != leaf:
            name += f"[{', '.join([*(plate.name for plate in self.plates), *map(str, shape)])}]"
        attrs, signature = {"name": name, "law": law}, (leaf[1], plates, "float")
        return at_steps(intern(self.graph, NOISE, (), attrs, signature), self.at)

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
