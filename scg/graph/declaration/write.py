"""Write a graph as JSON: its named nodes and the operations between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.distributions.bijections import Bijection
from scg.errors import DeclarationError
from scg.graph import init
from scg.graph.carry import Scan
from scg.graph.core import CoreGraph
from scg.graph.declaration.parts import CONSTRAINTS, SCHEMA
from scg.graph.init import INITIALIZERS
from scg.graph.parameters import ImageOfZeros, Parameter
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import PARAMETER, PLATE_SIZE
from scg.ir.operation import Operation
from scg.ir.plate import Plate, Time, as_plates
from scg.ir.walk import topological


def write(graph: CoreGraph) -> str:
    """The declaration of a graph as JSON text, one node per line.

    Raises
    ------
    DeclarationError
        If an initializer, a constraint or an op has no name, or a number is not finite.
    """
    tokens = _Tokens(graph)
    nodes = list(tokens.nodes())
    plates = as_plates(plate for expr in tokens.known for plate in expr.plates)
    head = {"schema": SCHEMA, "name": graph.name, "plates": {p.name: _plate(p) for p in plates}}
    if graph.scans:
        head["scans"] = {name: tokens.scan(scan) for name, scan in graph.scans.items()}
    lines = [f"{_text(key)}: {_text(value)}" for key, value in head.items()]
    body = ",\n  ".join(f"{_text(token)}: {_text(record)}" for token, record in nodes)
    return "{" + ",\n ".join([*lines, f'"nodes": {{\n  {body}}}']) + "}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plate(plate: Plate) -> dict[str, Any]:
    options = {"length": plate.length, "size": plate.size, "reduce": plate.reduce}
    if isinstance(plate, Time):
        options["ordered"] = True
    return {key: value for key, value in options.items() if value is not None}


class _Tokens:
    """Gives each expression a token: its name, or # and a number."""

    def __init__(self, graph: CoreGraph):
        self.graph = graph
        self.known: dict[Expr, str] = {}
        self.custom: dict[str, Operation] = {}

    def nodes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Nodes in the order of declaration, each after those that it refers to."""
        for name, (node, role) in self.graph.roles.items():
            if role == "parameter":
                parameter = self.graph.parameters[name]
                self.known[node] = name
                yield name, {"parameter": self._parameter(name, parameter)}
                continue
            for expr in topological([node], known=self.known):
                if expr is not node or role not in ("data", "stochastic"):
                    self.known[expr] = token = f"#{len(self.known)}"
                    yield token, self._expression(expr, name)
            if role in ("data", "stochastic"):
                self.known[node] = name
                yield name, _data(node) if role == "data" else self._sample(node, name)
            else:
                yield name, {role: {"node": self.known[node]}}

        for scan in self.graph.scans.values():
            for expr in topological((*scan.carries, *scan.news), known=self.known):
                self.known[expr] = token = f"#{len(self.known)}"
                yield token, self._expression(expr, scan.name)

    def scan(self, scan: Scan) -> dict[str, Any]:
        """A scan: its plate, and what each carry is before and after a step."""
        return {
            "over": scan.plate.name,
            "reverse": scan.reverse,
            "carries": [self.known[expr] for expr in scan.carries],
            "news": [self.known[expr] for expr in scan.news],
            **({"discounted": True} if scan.discounted else {}),
        }

    def _parameter(self, name: str, parameter: Parameter) -> dict[str, Any]:
        start = parameter.init
        entry: dict[str, Any] = {}
        if isinstance(start, init.GivenValues):
            entry = {"value": start.value.tolist()}
        if not isinstance(start, init.GivenValues) or start.value.size == 0:
            entry = {"shape": list(parameter.node.shape)}
            if start is not init.zeros and not isinstance(start, (init.GivenValues, ImageOfZeros)):
                entry["init"] = _initializer(name, start)
        if parameter.constraint is not None:
            entry["constraint"] = _constraint(name, parameter.constraint)
        return entry

    def _sample(self, node: Expr, name: str) -> dict[str, Any]:
        assert isinstance(node, StochasticNode)
        dist = {
            "family": node.attrs["family"].__name__,
            "static": _attribute(node.attrs["static"], name),
            "args": [self.known[arg] for arg in node.args],
        }
        inside = sorted(self.graph.homes.get(node, ()))
        return {"sample": dist} | _on(node) | ({"in": inside} if inside else {})

    def _expression(self, expr: Expr, name: str) -> dict[str, Any]:
        if expr.value is not None:
            if np.any(np.isnan(expr.value)):
                raise DeclarationError(f"node {name!r} uses a constant that is not a number (NaN)")
            shape = {"shape": list(expr.value.shape)} if expr.value.size == 0 else {}
            value = _with_words(expr.value.tolist())
            return {"constant": value, "kind": expr.kind} | shape
        if expr.op is PARAMETER:
            return {"unconstrained": expr.attrs["name"]}
        if expr.op is PLATE_SIZE:
            return {"plate_size": expr.attrs["plate"].name}
        args = [self.known[arg] for arg in expr.args]
        if expr.op.label:
            return {"custom": self._custom(expr), "args": args}
        attrs = {key: _attribute(value, name) for key, value in expr.attrs.items()}
        return {"op": expr.op.name, "args": args} | ({"attrs": attrs} if attrs else {})

    def _custom(self, expr: Expr) -> str:
        label = expr.op.label
        if not label.isidentifier() or self.custom.setdefault(label, expr.op) is not expr.op:
            raise DeclarationError(
                f"{describe(expr)}: a custom op is written by its name, so it needs one of its "
                f'own: scg.op(..., name="..."), got {label!r}'
            )
        return label


def _with_words(value: Any) -> Any:
    """Nested lists of numbers with words for the infinities, which JSON lacks."""
    if isinstance(value, list):
        return [_with_words(part) for part in value]
    return value if np.isfinite(value) else "inf" if value > 0 else "-inf"


def _data(node: Expr) -> dict[str, Any]:
    return {"data": {"shape": list(node.shape), "kind": node.kind} | _on(node)}


def _on(expr: Expr) -> dict[str, Any]:
    return {"plates": [plate.name for plate in expr.plates]} if expr.plates else {}


def _constraint(parameter: str, constraint: Any) -> str:
    for name, known in CONSTRAINTS.items():
        if known is constraint:
            return name
    raise DeclarationError(
        f"parameter {parameter!r}: only scg's own constraints are written, not {constraint!r}"
    )


def _initializer(name: str, start: Any) -> Any:
    for word, known in INITIALIZERS.items():
        if start is known:
            return word
        if isinstance(known, type) and isinstance(start, known):
            return {word: asdict(start)}
    word = getattr(start, "__name__", "")
    if not word.isidentifier():
        raise DeclarationError(
            f"parameter {name!r}: an initializer is written by its name, which {start!r} lacks; "
            "make it a function with a name and hand it to from_json(custom={...})"
        )
    return word


def _attribute(value: Any, name: str) -> Any:
    match value:
        case bool() | int() | str() | None:
            return value
        case float() if np.isfinite(value):
            return value
        case np.generic() if np.isfinite(value):
            return value.item()
        case tuple():
            return [_attribute(part, name) for part in value]
        case Plate():
            return {"plate": value.name}
        case type() if issubclass(value, (Distribution, Bijection)):
            return {"family": value.__name__}
    raise DeclarationError(f"node {name!r}: {value!r} cannot be written as JSON")
