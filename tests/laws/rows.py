"""What a row of the table of named small graphs is, and the shapes of costs that rows share.

A row holds a graph for the library and, beside it, the same model as plain callables for the
oracle.  The shapes of the costs are written once and used on both sides: they are NumPy notation.
No point is symmetric, no cost quadratic alone, and parents act on later nodes and on later costs,
so that credit given to the wrong cost shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

import scg

from . import oracle
from .oracle import Model


@dataclass(frozen=True)
class Row:
    """One named graph, where it is evaluated, and what the oracle knows about it."""

    name: str
    build: Callable[[], scg.Graph]
    params: dict[str, np.ndarray]
    model: Model
    data: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def plated(self) -> bool:
        """Whether a node lives on a plate."""
        return any(node.plates for node in self.build().stochastic.values())

    @cached_property
    def cost(self) -> float:
        return oracle.objective(self.model, self.params)

    @cached_property
    def grads(self) -> dict[str, np.ndarray]:
        return oracle.gradient(self.model, self.params)

    @cached_property
    def hessian(self) -> dict[str, dict[str, np.ndarray]]:
        return oracle.hessian(self.model, self.params)

    def __str__(self) -> str:
        return self.name


def arrays(**params: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, dtype=float) for name, value in params.items()}


def graph_with(name: str, params: dict[str, np.ndarray]) -> tuple[scg.Graph, dict[str, Any]]:
    """A graph and its parameter nodes, at other initial values than where the laws are checked."""
    graph = scg.Graph(name)
    return graph, {n: graph.parameter(n, np.zeros(value.shape)) for n, value in params.items()}


# --- shapes of costs, for nodes and for arrays alike ---------------------------------------------
def cubic(a, b):
    return (b - 0.3 + 0.5 * a) ** 3 + 0.4 * a * b


def curve(k, a):
    return np.exp(0.8 * k * a) - 0.2 * a


def bent(k, a, b):
    return np.tanh(k * (a - 1.4 * b) + 0.3) + 0.25 * a * b * k**2
