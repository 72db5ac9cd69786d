"""Memory: the own parameters and the state of an estimator at a node, as leaves of the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from scg.errors import CompilerError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, describe
from scg.ir.op import STATE, constant, intern
from scg.ops.elementwise import maximum, where

#: What own parameters may learn on.
LEARN = ("loss", "variance", "objective")


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
    #: Number of elements that are not padded, or None without a mask, for each node that shares the
    #: memory: the steps of an unrolled scan.
    present: list[Expr | None] = field(default_factory=list)
    #: Position in `present` of the node that each change and each loss comes from.
    _of_change: dict[str, list[int]] = field(default_factory=dict)
    _of_loss: list[int] = field(default_factory=list)

    def begin(self, present: Expr | None) -> None:
        """Let a further node share the memory."""
        self.present.append(present)

    @property
    def updates(self) -> dict[str, Expr]:
        """New values of states: the means over the steps."""
        return {name: self._mean(x, self._of_change[name]) for name, x in self.changes.items()}

    @property
    def mean_loss(self) -> list[Expr]:
        """The losses, as parts of the mean over the nodes that share the memory."""
        every = range(len(self.present))
        return [self._share(i, every, x) for i, x in zip(self._of_loss, self.losses, strict=True)]

    def _mean(self, values: list[Expr], nodes: Sequence[int]) -> Expr:
        parts = (self._share(i, nodes, x) for i, x in zip(nodes, values, strict=True))
        return reduce(add, parts)

    def _share(self, node: int, nodes: Sequence[int], value: Expr) -> Expr:
        """What a node's value adds to the mean over some nodes; padded elements do not count."""
        if len(nodes) == 1:
            return value
        counts = [count for i in nodes if (count := self.present[i]) is not None]
        if len(counts) < len(nodes):
            return value / len(nodes)
        every, own = reduce(add, counts), self.present[node]
        return value * where(every > 0.0, own / maximum(every, 1.0), 1.0 / len(nodes))

    def limits(self, name: str) -> tuple[float, float]:
        """Least and greatest number of a state or own parameter."""
        return self.bounds.get(name, (-np.inf, np.inf))

    def parameter(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], learn: str = "loss"
    ) -> Expr:
        """An own parameter of the estimator."""
        if learn not in LEARN:
            known = ", ".join(map(repr, LEARN))
            raise self._error(f"learns {name!r} on {learn!r}; it may learn on {known}")
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
        if name not in self.bounds:
            raise self._error(f"updates {name!r}, but declares no such state")
        if new.plates or new.shape != self.leaves[name].shape:
            raise self._error(
                f"updates {name!r} of shape {self.leaves[name].shape} with {describe(new)}"
            )
        self.changes.setdefault(name, []).append(new)
        self._of_change.setdefault(name, []).append(len(self.present) - 1)

    def loss(self, value: Expr) -> None:
        """Add an auxiliary loss."""
        self.losses.append(value)
        self._of_loss.append(len(self.present) - 1)

    def _error(self, what: str) -> CompilerError:
        return CompilerError(f"the estimator of node {self.node!r} {what}")

    def _leaf(
        self, name: str, shape: tuple[int, ...], init: Callable[[np.random.Generator], Any]
    ) -> Expr:
        if name in self.leaves and self.leaves[name].shape != shape:
            own = self.leaves[name].shape
            raise self._error(f"keeps {name!r} of shape {own} and of shape {shape}")
        if name not in self.leaves:
            attrs = {"name": f"{self.node}@{name}"}
            self.leaves[name] = intern(self.graph, STATE, (), attrs, (shape, (), "float"))
            self.initial[name] = init
        return self.leaves[name]
