"""Hessians: the gradient's derivative in one direction, run for every basis direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scg.compiler.differentiate import gradients
from scg.errors import DeclarationError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import DATA, intern
from scg.ops.linalg import dot


def directional(graph: CoreGraph, grads: Mapping[str, Expr]) -> dict[Any, Expr]:
    """Return the derivative of Σ_a ⟨grads[a], direction[a]⟩ in every parameter.

    The direction is a data leaf, so that one sweep serves all rows of the Hessian.
    """
    params = {name: parameter.node for name, parameter in graph.parameters.items()}
    total: Expr | None = None
    for name, node in params.items():
        signature = (node.shape, (), "float")
        direction = intern(graph, DATA, (), {"name": _leaf(name)}, signature)
        part = dot(grads[name], direction)
        total = part if total is None else total + part
    if total is None:
        raise DeclarationError(f"graph {graph.name!r} has no parameter; order=2 needs one")
    rows = gradients(total, list(params.values()))
    return {("hessian", name): row for name, row in zip(params, rows, strict=True)}


def shapes_of(graph: CoreGraph) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters, in the order of the directions."""
    return {name: parameter.node.shape for name, parameter in graph.parameters.items()}


def _leaf(name: str) -> str:
    return f"@direction/{name}"  # no node of an empty name has a state


def directions(graph: CoreGraph) -> Iterator[dict[str, np.ndarray]]:
    """Yield every basis direction as values of the direction leaves."""
    shapes = shapes_of(graph)
    for chosen in shapes:
        for k in np.ndindex(shapes[chosen]):
            basis = {_leaf(name): np.zeros(shape) for name, shape in shapes.items()}
            basis[_leaf(chosen)][k] = 1.0
            yield basis


def assemble(
    shapes: Mapping[str, tuple[int, ...]], rows: Mapping[Any, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Arrange rows, one for each direction on the first axis, as hessian[a][b]."""
    hessian: dict[str, dict[str, np.ndarray]] = {}
    start = 0
    for a, first in shapes.items():
        stop = start + math.prod(first)
        hessian[a] = {
            b: rows["hessian", b][start:stop].reshape(first + second)
            for b, second in shapes.items()
        }
        start = stop
    return hessian
