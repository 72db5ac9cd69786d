"""Second derivatives: the Hessian times a direction, and all its rows at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.arguments import masked
from scg.compiler.differentiate import gradients
from scg.errors import CallError, DeclarationError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import DATA, constant, intern
from scg.ir.plate import Plate
from scg.ir.walk import rewrite, topological
from scg.ops.elementwise import equal, where
from scg.ops.linalg import dot
from scg.ops.reductions import expand


def directional(graph: CoreGraph, grads: Mapping[str, Expr]) -> dict[Any, Expr]:
    """Derivative of Σ_a ⟨grads[a], direction[a]⟩ in each parameter, with the direction as data."""
    params = {name: parameter.node for name, parameter in graph.parameters.items()}
    total: Expr | None = None
    for name, node in params.items():
        part = dot(grads[name], _direction(graph, name, node))
        total = part if total is None else total + part
    if total is None:
        raise DeclarationError(f"graph {graph.name!r} has no parameter; order=2 needs one")
    rows = gradients(total, list(params.values()))
    return {("hessian", name): row for name, row in zip(params, rows, strict=True)}


def hessian(graph: CoreGraph, products: Mapping[Any, Expr]) -> dict[Any, Expr]:
    """The products of :func:`directional` with all basis directions, on a plate of directions."""
    nodes = {name: parameter.node for name, parameter in graph.parameters.items()}
    size = sum(node.size for node in nodes.values())
    plate = Plate.internal("directions", size, rank=0)
    row = constant(graph, np.arange(size), (plate,))
    env: dict[Expr, Expr] = {}
    start = 0
    for name, node in nodes.items():
        own = constant(graph, start + np.arange(node.size).reshape(node.shape))
        env[_direction(graph, name, node)] = where(equal(row, own), 1.0, 0.0)
        start += node.size
    rewrite(topological(products.values()), env)
    return {key: expand(env[e], (*env[e].plates, plate), e.shape) for key, e in products.items()}


def _direction(graph: CoreGraph, name: str, node: Expr) -> Expr:
    return intern(graph, DATA, (), {"name": _leaf(name)}, (node.shape, (), "float"))


def _leaf(name: str) -> str:
    return f"@direction/{name}"  # no node of an empty name has a state


def as_direction(
    shapes: Mapping[str, tuple[int, ...]], vector: Mapping[str, Any], dtype: Any
) -> dict[str, np.ndarray]:
    """A direction, which a user gives as arrays by parameter, as values of its leaves.

    Raises
    ------
    CallError
        If an array is missing, unknown, masked, or has another shape than its parameter.
    """
    for name in [*shapes, *vector]:
        if name not in vector or name not in shapes:
            wrong = "lacks" if name in shapes else "has an unknown"
            raise CallError(f"vector {wrong} {name!r}; it has the names and shapes of params")
        value = vector[name]
        if masked(value) or np.shape(value) != shapes[name]:
            raise CallError(
                f"vector {name!r}: expected an array of shape {shapes[name]}, got "
                f"{'a masked array' if masked(value) else np.shape(value)}"
            )
    return {_leaf(name): np.asarray(vector[name], dtype) for name in shapes}


def shapes_of(graph: CoreGraph) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters, in the order of the directions."""
    return {name: parameter.node.shape for name, parameter in graph.parameters.items()}


def assemble(
    shapes: Mapping[str, tuple[int, ...]], rows: Mapping[Any, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Rows, one for each direction on the first axis, arranged as hessian[a][b]."""
    found: dict[str, dict[str, np.ndarray]] = {}
    start = 0
    for a, first in shapes.items():
        stop = start + math.prod(first)
        found[a] = {
            b: rows["hessian", b][start:stop].reshape(first + second)
            for b, second in shapes.items()
        }
        start = stop
    return found
