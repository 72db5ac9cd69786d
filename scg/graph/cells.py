"""Cells: what a scan's cell declares lives on the plate of the scan, and stays inside."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from scg.errors import DeclarationError
from scg.graph.carry import CARRY, OUT, is_output
from scg.ir.expr import Expr, describe
from scg.ir.plate import Plate
from scg.ir.walk import named_below, topological
from scg.ops.elementwise import logical_and
from scg.ops.gradient import gate, observed
from scg.ops.reductions import expand

#: What stays when a declaration fails: interned expressions, and what the next one is built for.
_KEPT = ("table", "origin")


def atomic(declare: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of a graph that calls a user's function leave it as it was if it fails."""

    @functools.wraps(declare)
    def declared(graph: Any, *args: Any, **options: Any) -> Any:
        before = {
            name: dict(value) if isinstance(value, dict) else value
            for name, value in vars(graph).items()
            if name not in _KEPT
        }
        try:
            return declare(graph, *args, **options)
        except BaseException:
            vars(graph).update(before)
            raise

    return declared


def on_cells(graph: Any, node: Expr) -> Expr:
    """A node of a cell on the plates of its scans."""
    plates = (*node.plates, *(cell.plate for cell in graph.cells))
    return expand(node, plates, node.shape)


def present_in(graph: Any, mask: Expr | None) -> Expr | None:
    """A mask of a node in a cell, false at padded steps."""
    for cell in graph.cells:
        if cell.mask is not None:
            mask = cell.mask if mask is None else logical_and(cell.mask, mask)
    return mask


def discounted(graph: Any, cost: Expr) -> Expr:
    """A cost that a cell declares, with the discount of its scans; an observation stays one."""
    inner = cost.args[0] if cost.op is observed else cost
    for cell in graph.cells:
        inner = inner if cell.weight is None else cell.weight * inner
    return observed(inner) if cost.op is observed else inner


def gated(graph: Any, node: Expr) -> Expr:
    """What a cell names, or gives a distribution, without credit at padded steps."""
    for cell in graph.cells:
        if cell.mask is not None and node.value is None:
            node = gate(node, cell.mask)
    return node


# --- what stays inside ---------------------------------------------------------------------------
def homes_of(graph: Any, nodes: Any) -> None:
    """Find in the cells of which scans expressions live; raise where one mixes steps."""
    homes = graph.homes
    for expr in topological(nodes, known=homes):
        found = frozenset().union(*(homes[arg] for arg in expr.args))
        if expr.op is CARRY:
            found |= {expr.attrs["scan"]}
        if is_output(expr):
            found -= {expr.attrs["label"].removeprefix(OUT)}
        for name in found:
            plate = _plate_of(graph, name)
            if plate not in expr.plates:
                raise DeclarationError(
                    f"scan {name!r}: {describe(expr)} reduces plate {plate.name!r}, but a cell "
                    "sees one step; return what it reduces as an output, and reduce that"
                )
        homes[expr] = found


def _plate_of(graph: Any, name: str) -> Plate:
    """The plate of a scan, declared or being declared."""
    return next(s.plate for s in (*graph.scans.values(), *graph.cells) if s.name == name)


def check_homes(graph: Any, what: str, node: Expr) -> None:
    """Raise unless a node may use what it does: cells keep what they do not return."""
    if not graph.scans and not graph.cells:
        return
    homes_of(graph, [node])
    for name in sorted(graph.homes[node] - {cell.name for cell in graph.cells}):
        named = {e: n for n, (e, _) in graph.roles.items() if name in graph.homes.get(e, ())}
        used = next((named[e] for e in named_below(node, named)), named.get(node, "the carry"))
        raise DeclarationError(
            f"{what} uses {used!r} of scan {name!r} outside of its cell. Return it as an output: "
            "return carry, outputs"
        )
