"""Boxes: the text that a drawing shows for each named node, and its clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scg.compiler.paths import Estimators
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate

SCOPES_FROM, COLLAPSE_FROM = 40, 160  # named nodes


@dataclass
class Box:
    """The box of a named node, or of a scope of a large graph."""

    role: str
    lines: list[str]
    groups: tuple[Any, ...] = ()  # its clusters, outermost first
    node: Expr | None = None
    counts: dict[str, int] = field(default_factory=dict)


def boxes(graph: CoreGraph, estimators: Estimators) -> tuple[dict[str, Box], dict[str, str]]:
    """The boxes by key, and for each named node the key of its box."""
    scopes = any("/" in name for name in graph.roles)
    if len(graph.roles) >= COLLAPSE_FROM and scopes:
        return _collapsed(graph, estimators)
    by_scope = len(graph.roles) >= SCOPES_FROM and scopes
    homes = {} if by_scope else _homes(graph)
    shown = {}
    for name, (node, role) in graph.roles.items():
        *outer, last = name.split("/")
        box = Box(role, [last if by_scope else name, *_details(node, role)], node=node)
        if by_scope:
            box.groups = tuple("/".join(outer[: i + 1]) for i in range(len(outer)))
            elsewhere = node.plates
        else:
            box.groups = homes[name]
            elsewhere = tuple(plate for plate in node.plates if plate not in box.groups)
        if elsewhere:
            box.lines.append(f"on {', '.join(plate.name for plate in elsewhere)}")
        shown[name] = box
    return shown, {name: name for name in shown}


def _collapsed(graph: CoreGraph, estimators: Estimators) -> tuple[dict[str, Box], dict[str, str]]:
    """One box for each outermost scope of a very large graph."""
    shown: dict[str, Box] = {}
    owner = {}
    for name, (node, role) in graph.roles.items():
        scope, inside, _ = name.partition("/")
        owner[name] = scope + inside
        if inside:
            box = shown.setdefault(scope + inside, Box("scope", [scope + inside]))
            what = role
            if isinstance(node, StochasticNode) and node in estimators:
                what = f"{role}: {_short(estimators[node])}"
            box.counts[what] = box.counts.get(what, 0) + 1
        else:
            shown[name] = Box(role, [name, *_details(node, role)], node=node)
    for box in shown.values():
        box.lines += [f"{count} × {what}" for what, count in box.counts.items()]
    return shown, owner


def _homes(graph: CoreGraph) -> dict[str, tuple[Plate, ...]]:
    """The nested plates in which each named node is drawn, outermost first.

    A plate is nested in the smallest one that contains all its nodes. A node on crossing plates is
    drawn in the one declared last.
    """
    members = {
        plate: {name for name, (node, _) in graph.roles.items() if plate in node.plates}
        for plate in graph.plates
    }
    outer: dict[Plate, Plate | None] = {}
    for i, plate in enumerate(graph.plates):
        around = [
            other
            for j, other in enumerate(graph.plates)
            if members[plate] < members[other] or (members[plate] == members[other] and j < i)
        ]
        outer[plate] = min(around, key=lambda p: (len(members[p]), -p.serial), default=None)

    def chain(plate: Plate | None) -> tuple[Plate, ...]:
        return () if plate is None else (*chain(outer[plate]), plate)

    return {
        name: max((chain(p) for p in node.plates), key=lambda c: (len(c), c[-1].serial), default=())
        for name, (node, _) in graph.roles.items()
    }


def _details(node: Expr, role: str) -> list[str]:
    family = node.attrs["family"].__name__ if role == "stochastic" else ""
    shape = str(node.shape) if node.shape else ""
    line = f"{family} {shape}".strip()
    return [line] if line else []


def _short(estimator: Estimator) -> str:
    return type(estimator).__name__ + ("" if estimator.unbiased else " (BIASED)")
