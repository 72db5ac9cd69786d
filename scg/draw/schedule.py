"""The schedule as DOT: entries in the order in which they run, and the arrays between them."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

from scg.draw.dot import FONT, finished, plain
from scg.draw.render import Picture
from scg.engine.program import Program
from scg.engine.walk.executable import Executable
from scg.errors import CallError
from scg.ir.expr import Expr
from scg.ir.op import SIZED
from scg.schedule.entries import Gemm, Loop
from scg.schedule.listing import Line, name_of
from scg.schedule.schedule import Schedule

if TYPE_CHECKING:
    import graphviz


#: Up to so many entries each has a box; of more, those of one kernel share one, without leaves.
SINGLY = 150
_WORDS, _ARRAYS = 6, 4  # that are named in a line of a box, and on an arrow
_COLORS = {Loop: "#e3eefa", Gemm: "#fbe8d3"}
_OWN = "#f6d5d5"  # the user's own ops, in Python


def draw_schedule(program: Program, path: str | PathLike[str] | None = None) -> Picture:
    """Draw the table of a compiled step: entries, their kernels, and the arrays between them.

    The path, the picture and the errors are those of :func:`scg.draw.dot.draw_graph`; a step with
    ``backend="numpy"`` has no table, and raises a CallError.
    """
    if program.backend == "numpy":
        raise CallError('only a compiled step has a schedule: scg.compile(g, backend="numba")')
    return finished(_sketch(program.engine()), path)


def _sketch(executable: Executable) -> graphviz.Digraph:
    import graphviz

    dot = graphviz.Digraph()
    dot.attr(fontname=FONT, fontsize="11", nodesep="0.3", ranksep="0.4")
    dot.attr("node", fontname=FONT, fontsize="11", margin="0.1,0.05", height="0.3")
    dot.attr("edge", fontname=FONT, fontsize="9", arrowsize="0.6", color="#555555")
    described, schedule = executable.listing(), executable.schedule
    singly = len(schedule.entries) <= SINGLY
    box_of = (_boxes if singly else _shared)(dot, schedule, described)
    names: dict[Expr, str] = {}
    for use in schedule.order:  # numbers as in the printed table
        for base in (*use.read, *use.written):
            name_of(base, names)
    writer: dict[Expr, str] = {}
    arrows: dict[tuple[str, str], dict[str, None]] = {}  # from, to: what is handed over
    for i, use in enumerate(schedule.order):
        for base in use.read:
            if base in writer:
                if writer[base] != box_of[i]:
                    arrows.setdefault((writer[base], box_of[i]), {})[names[base]] = None
            elif singly and base.value is None and base.op not in SIZED:
                leaf = f"l{schedule.slots[base]}"
                style = {"shape": "ellipse"} if base in schedule.noise else {"shape": "plaintext"}
                dot.node(leaf, plain([names[base]]), **style)
                arrows[leaf, box_of[i]] = {}
        for base in use.written:
            writer[base] = box_of[i]
    for k, (key, expr) in enumerate(schedule.outputs.items()):
        base = schedule.views[expr].base
        if base in writer:
            dot.node(f"o{k}", plain([_output(key)]), shape="diamond", margin="0.02,0.02")
            arrows[writer[base], f"o{k}"] = {}
    for (tail, head), labels in arrows.items():
        lines = list(labels) if len(labels) <= _ARRAYS else [f"{len(labels)} arrays"]
        dot.edge(tail, head, label=plain(lines) if lines else "")
    return dot


def _boxes(dot: graphviz.Digraph, schedule: Schedule, described: list[Line]) -> dict[int, str]:
    """Add a box for each entry; return the identifiers of the boxes by entry."""
    for i, (entry, row) in enumerate(zip(schedule.entries, described, strict=True)):
        lines = [f"{i}: {row.kernel} {row.space}", _short(row.ops.split())]
        lines += [f"for {origin}" for origin in row.origins]
        dot.node(f"e{i}", plain(lines), **_style(entry))
    return {i: f"e{i}" for i in range(len(described))}


def _shared(dot: graphviz.Digraph, schedule: Schedule, described: list[Line]) -> dict[int, str]:
    """Add a box for each kernel; return the identifiers of the boxes by entry."""
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(described):
        groups.setdefault(row.kernel, []).append(i)
    box_of = {}
    for k, (kernel, members) in enumerate(groups.items()):
        ops = dict.fromkeys(op for i in members for op in described[i].ops.split())
        origins = dict.fromkeys(origin for i in members for origin in described[i].origins)
        lines = [f"{kernel}: {len(members)} entries", _short(ops), f"for {_short(origins)}"]
        dot.node(f"g{k}", plain(lines), **_style(schedule.entries[members[0]]))
        box_of |= dict.fromkeys(members, f"g{k}")
    return box_of


def _style(entry: Any) -> dict[str, str]:
    return {"shape": "box", "style": "filled", "fillcolor": _COLORS.get(type(entry), _OWN)}


def _short(words: Iterable[str]) -> str:
    every = list(words)
    rest = len(every) - _WORDS
    return ", ".join(every[:_WORDS]) + (f" and {rest} more" if rest > 0 else "")


def _output(key: Any) -> str:
    """The output of a key, in words."""
    before = {"cost": "objective", "costs": "cost ", "grads": "∂/∂", "own": "∂/∂"}
    kind, *names = key
    return before.get(kind, f"{kind} ") + "@".join(map(str, names))
