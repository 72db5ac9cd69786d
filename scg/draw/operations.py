"""Programs and schedules as pictures: what is computed from what, in boxes by declared node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scg.draw.boxes import title
from scg.draw.fold import READABLE, braced, folded, parameters_folded
from scg.draw.letters import pretty, short
from scg.draw.options import Options
from scg.draw.scene import Link, Mark, Scene, Text
from scg.draw.theme import heat
from scg.engine.profile import Profile
from scg.engine.program import Program
from scg.errors import CallError
from scg.ir.expr import Expr
from scg.ir.op import NOISE, SIZED
from scg.schedule.entries import Gemm, Loop, Repeat
from scg.schedule.listing import name_of

_WORDS, _ARRAYS = 4, 3  # that are named in a line of a box, and on an arrow
_SINGLY = 20  # operations or entries that have a box each
_BEFORE = {"cost": "objective", "costs": "cost", "grads": "∂/∂", "own": "∂/∂"}
_COLORS = {Loop: "loop", Repeat: "loop", Gemm: "product"}


class Unit(NamedTuple):
    """Something that runs: an operation or an entry, with the arrays that it uses."""

    kind: str
    title: str
    detail: str
    ops: list[str]
    origins: tuple[str, ...]
    read: Sequence[Expr]
    written: Sequence[Expr]
    seconds: float = 0.0


def program_scene(program: Program, options: Options) -> Scene:
    """The scene of a program: its operations, folded by the node for which they were made."""
    units = [
        Unit("loop", e.op.name, "", [e.op.name], _origins([e]), e.args, [e])
        for e in program.operations
    ]
    return _scene("operations", units, program.outputs, options)


def schedule_scene(program: Program, options: Options) -> Scene:
    """The scene of a compiled program: the entries in the order in which they run."""
    if program.backend == "numpy":
        raise CallError('only a compiled step has a schedule: scg.compile(g, backend="numba")')
    table: Any = program.engine()
    schedule, lines = table.schedule, table.listing()
    seconds = _seconds(options.heat, lines)
    units = [
        Unit(
            _COLORS.get(type(entry), "python"),
            f"{i}: {line.kernel} {line.space}",
            f"for {short(', '.join(line.origins), 40)}" if line.origins else "",
            line.ops.split(),
            tuple(dict.fromkeys(origin.rpartition(" (")[0] or origin for origin in line.origins)),
            use.read,
            use.written,
            seconds[i],
        )
        for i, (entry, use, line) in enumerate(
            zip(schedule.entries, schedule.order, lines, strict=True)
        )
    ]
    outputs = {key: schedule.views[expr].base for key, expr in schedule.outputs.items()}
    return _scene("entries", units, outputs, options)


def _seconds(profile: Any, lines: Sequence[Any]) -> list[float]:
    """The seconds of each entry in a profile."""
    if profile is None:
        return [0.0] * len(lines)
    if not isinstance(profile, Profile) or [row[2] for row in profile.rows] != list(lines):
        raise CallError("draw: the heat of a schedule is a profile of this step: step.profile(...)")
    return [row[0] for row in profile.rows]


def _scene(name: str, units: list[Unit], outputs: Mapping[Any, Expr], options: Options) -> Scene:
    """Units and the arrays between them; many units share the box of their node."""
    singly = len(units) <= _SINGLY or (options.fold is False and len(units) <= 5 * READABLE)
    labelled = singly and options.labels != "names"
    grouped: dict[Any, list[Unit]] = {}
    for i, unit in enumerate(units):
        grouped.setdefault(i if singly else unit.origins, []).append(unit)
    together: dict[str, list[Unit]] = {}
    for key, group in grouped.items():
        words = "" if singly else ", ".join(map(title, key)) or "no node"
        together.setdefault(f"#{key}" if singly else f"for {short(words, 60)}", []).extend(group)
    most = max((sum(u.seconds for u in group) for group in together.values()), default=0.0)
    scene = Scene(name)
    writer: dict[Expr, str] = {}
    for key, group in together.items():
        scene.marks[key] = _mark(key, group, singly, most)
        writer |= {base: key for unit in group for base in unit.written}
    labels: dict[Expr, str] = {}
    between: dict[tuple[str, str], dict[str, None]] = {}
    for key, group in together.items():
        for base in (base for unit in group for base in unit.read):
            label = name_of(base, labels) if labelled else ""
            tail = writer.get(base) or _leaf(scene, base)
            if tail is not None and tail != key:
                between.setdefault((tail, key), {})[label] = None
    results: dict[tuple[str, str], list[str]] = {}
    for key, base in outputs.items():
        kind, *path = key if isinstance(key, tuple) else (str(key),)
        if base in writer:
            results.setdefault((writer[base], kind), []).append("@".join(map(str, path)))
    for (tail, kind), names in results.items():
        text = f"{_BEFORE.get(kind, kind)} {braced(names)}"
        head = f"-> {text}"
        lines = [Text(pretty(line), "detail") for line in text.split("\n")]
        scene.marks[head] = Mark("output", lines, tuple(names))
        between[tail, head] = {}
    for ends, arrays in between.items():
        several = len(arrays) > _ARRAYS
        label = f"{len(arrays)} arrays" if several else ", ".join(arrays)
        scene.links[ends] = Link(label=label if ends[0] in together else "")
    scene.marks = {k: m for k, m in scene.marks.items() if not options.hides(m.title, m.kind)}
    scene.links = {e: link for e, link in scene.links.items() if {*e} <= scene.marks.keys()}
    if options.notes:
        scene.caption = _legend(name, units, len(together))
    return parameters_folded(scene) if singly else folded(scene, options)


def _mark(key: str, group: list[Unit], singly: bool, most: float) -> Mark:
    seconds = sum(unit.seconds for unit in group)
    ops = Counter(op for unit in group for op in unit.ops)
    words = [f"{op} ×{n}" if n > 1 else op for op, n in ops.most_common(_WORDS)]
    rest = sum(ops.values()) - sum(n for _, n in ops.most_common(_WORDS))
    words += [f"{rest} more"] if rest else []
    lines = [Text(group[0].title if singly else key, "title")]
    if ops != Counter([lines[0].text]):
        lines += [Text(", ".join(some)) for some in (words[:2], words[2:]) if some]
    if singly and group[0].detail:
        lines.append(Text(group[0].detail, "note"))
    if most:
        lines.append(Text(f"{seconds * 1e6:.1f} µs", "note"))
    kinds = {unit.kind for unit in group}
    kind = kinds.pop() if len(kinds) == 1 else "loop"
    members = tuple(dict.fromkeys(origin for unit in group for origin in unit.origins))
    return Mark(kind, lines, members, fill=heat(seconds / most) if most else "")


def _leaf(scene: Scene, base: Expr) -> str | None:
    """The node of a leaf; constants and sizes of plates have none."""
    if base.value is not None or base.op in SIZED or base.args:
        return None
    kind = "stochastic" if base.op is NOISE else "parameter"
    name = base.attrs.get("name", base.op.name)
    scene.marks.setdefault(name, Mark(kind, [Text(title(name), "title")], (name,)))
    return name


def _legend(name: str, units: list[Unit], boxes: int) -> list[tuple[str, str]]:
    within = f" in {boxes} boxes, by declared node" if boxes < len(units) else ""
    lines = [("muted", f"{len(units)} {name}{within}")]
    lines.append(("muted", "○ noise   no border: input or output"))
    if any(unit.seconds for unit in units):
        lines.append(("muted", "the warmer a box, the longer it takes"))
    return lines


def _origins(exprs: Iterable[Expr]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.origin.name for e in exprs if e.origin.name))
