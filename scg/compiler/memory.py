"""Memory: the own parameters and the state of an estimator at a node, as leaves of the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from scg.errors import CompilerError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import STATE, constant, intern


@dataclass
class NodeMemory:
    """The memory of the estimator at one node."""

    graph: CoreGraph
    node: str
    #: Own parameters and state by name, and what makes their initial values.
    leaves: dict[str, Expr] = field(default_factory=dict)
    initial: dict[str, Callable[[np.random.Generator], Any]] = field(default_factory=dict)
    #: Least and greatest number of a state, by name.
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: What own parameters learn on: the "loss", the "variance" or the "objective".
    parameters: dict[str, str] = field(default_factory=dict)
    #: New values of states, one for each step of an unrolled scan, and auxiliary losses.
    changes: dict[str, list[Expr]] = field(default_factory=dict)
    losses: list[Expr] = field(default_factory=list)
    nodes: int = 0  #: How many nodes share the memory: the steps of an unrolled scan.

    @property
    def updates(self) -> dict[str, Expr]:
        """New values of states: the means over the steps."""
        return {
            k: x[0] if len(x) == 1 else reduce(add, x) / len(x) for k, x in self.changes.items()
        }

    @property
    def mean_loss(self) -> list[Expr]:
        """The losses, as means over the nodes that share the memory."""
        return [x if self.nodes == 1 else x / self.nodes for x in self.losses]

    def limits(self, name: str) -> tuple[float, float]:
        """Least and greatest number of a state or own parameter."""
        return self.bounds.get(name, (-np.inf, np.inf))

    def parameter(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], learn: str = "loss"
    ) -> Expr:
        """An own parameter of the estimator."""
        self.parameters[name] = learn
        return self._leaf(name, shape, lambda rng: init(rng, shape))

    def state(
        self,
        name: str,
        initial: float,
        shape: tuple[int, ...] = (),
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> Expr:
        """A state, as it was before this call."""
        self.bounds[name] = bounds
        return self._leaf(name, shape, lambda rng: np.full(shape, initial))

    def update(self, name: str, value: Expr | float) -> None:
        """Set the value of a state after this call."""
        new = value if isinstance(value, Expr) else constant(self.graph, value)
        self.changes.setdefault(name, []).append(new)

    def loss(self, value: Expr) -> None:
        """Add an auxiliary loss."""
        self.losses.append(value)

    def _leaf(
        self, name: str, shape: tuple[int, ...], init: Callable[[np.random.Generator], Any]
    ) -> Expr:
        if name in self.leaves and self.leaves[name].shape != shape:
            raise CompilerError(
                f"the estimator of node {self.node!r} keeps {name!r} of shape "
                f"{self.leaves[name].shape} and of shape {shape}"
            )
        if name not in self.leaves:
            attrs = {"name": f"{self.node}@{name}"}
            self.leaves[name] = intern(self.graph, STATE, (), attrs, (shape, (), "float"))
            self.initial[name] = init
        return self.leaves[name]
