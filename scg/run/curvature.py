"""Second derivatives: the Hessian times a direction, and all its rows at once."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.common.arguments import numbers_of
from scg.compiler.differentiate import gradients
from scg.errors import CallError, DeclarationError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import DATA, constant, intern
from scg.ir.plate import Plate
from scg.ir.walk import rewrite, topological
from scg.ops.gather import _one_hot
from scg.ops.linalg import dot
from scg.ops.reductions import REDUCTIONS, expand, zeros
from scg.ops.shape import reshape

_sum = REDUCTIONS[0]


def directional(
    graph: CoreGraph, leaves: Mapping[str, Expr], grads: Mapping[str, Expr]
) -> dict[Any, Expr]:
    """Derivative of Σ_a ⟨grads[a], direction[a]⟩ in each leaf, with the direction as data."""
    if not graph.parameters:
        raise DeclarationError(f"graph {graph.name!r} has no parameter; order=2 needs one")
    parts = []
    for name, leaf in leaves.items():
        part = dot(grads[name], _direction(graph, name, leaf))
        parts.append(_sum(part, axes=(), over=part.plates) if part.plates else part)
    rows = gradients(functools.reduce(operator.add, parts), list(leaves.values()))
    return {("hessian", name): row for name, row in zip(leaves, rows, strict=True)}


def hessian(graph: CoreGraph, products: Mapping[Any, Expr]) -> dict[Any, Expr]:
    """Rows of the parameters' Hessian, on a plate of directions: products with all of a basis."""
    nodes = {name: parameter.node for name, parameter in graph.parameters.items()}
    size = sum(node.size for node in nodes.values())
    length = max(size, 1)  # no plate is empty
    plate = Plate.internal("directions", length, rank=0)
    rows = np.arange(length)
    env: dict[Expr, Expr] = {}
    start = 0
    for name, node in nodes.items():
        if node.size:
            unit = _one_hot(constant(graph, rows - start, (plate,)), depth=node.size)
            env[_direction(graph, name, node)] = reshape(unit, shape=node.shape)
        start += node.size
    wanted = {key: products[key] for key in (("hessian", name) for name in nodes)}
    order = topological(wanted.values())
    env |= {e: zeros(e) for e in order if e not in env and _is_direction(e)}  # those of data
    rewrite(order, env)
    return {key: expand(env[e], (*env[e].plates, plate), e.shape) for key, e in wanted.items()}


def _direction(graph: CoreGraph, name: str, leaf: Expr) -> Expr:
    return intern(graph, DATA, (), {"name": _leaf(name)}, (leaf.shape, leaf.plates, "float"))


def _is_direction(e: Expr) -> bool:
    return e.op is DATA and e.attrs["name"].startswith(_leaf(""))


def _leaf(name: str) -> str:
    return f"@direction/{name}"  # no node of an empty name has a state


def as_direction(
    shapes: Mapping[str, tuple[int, ...]], vector: Mapping[str, Any], dtype: Any
) -> dict[str, np.ndarray]:
    """A direction, which a user gives as arrays by name, as values of its leaves.

    Raises
    ------
    CallError
        If an array is missing, unknown, masked, or has another shape than its parameter.
    """
    for name in [*shapes, *vector]:
        if name not in vector or name not in shapes:
            wrong = "lacks" if name in shapes else "has an unknown"
            raise CallError(
                f"vector {wrong} {name!r}; it has the names and shapes of params and of data_grads"
            )
        found = numbers_of(f"vector {name!r}", vector[name]).shape
        if found != shapes[name]:
            raise CallError(
                f"vector {name!r}: expected an array of shape {shapes[name]}, got {found}"
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
