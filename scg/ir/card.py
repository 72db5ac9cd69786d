"""A node as a small table of HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scg.ir.tables import listing

_SHOWN = 8  # names in a row


def card(node: Any) -> str:
    """Table of HTML: what a node is, and from which named nodes it is made."""
    role = next((role for other, role in node.graph.roles.values() if other is node), None)
    rows = {
        "node": node.name or f"{node.op.name}(…)",
        "role": role or "deterministic, without a name",
        "event shape": str(node.shape),
        "values": node.kind,
        "made from": _listed(sources(node)),
    }
    if node.op.stochastic:
        rows["distribution"] = (
            f"{type(node.declared).__name__}({', '.join(node.declared.parameters)})"
        )
    if node.plates:
        rows["on plates"] = _listed(plate.name for plate in node.plates)
    return listing(rows)


def sources(node: Any) -> list[str]:
    """Names of the nearest named nodes below a node, from left to right."""
    found: dict[str, None] = {}
    seen, waiting = {node}, list(reversed(node.args))
    while waiting:
        expr = waiting.pop()
        if expr in seen:
            continue
        seen.add(expr)
        if expr.name:
            found[expr.name] = None
        else:
            waiting.extend(reversed(expr.args))
    return list(found)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
