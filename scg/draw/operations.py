"""Programs and schedules as pictures: what is computed from what, in boxes by declared node."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scg.draw.boxes import title
from scg.draw.fold import AGAIN, READABLE, braced, folded, parameters_folded
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
_WIDE = 24  # letters of what a box reads and returns
_TITLE = 20  # letters of a line of a title
_SINGLY = 20  # operations or entries that have a box each
_BEFORE = {"cost": "objective", "costs": "cost", "grads": "∂/∂", "own": "∂/∂"}
_PARTS = {"program": "operations", "schedule": "entries"}
_COSTS = ("cost", "costs")  #: Outputs that are values.
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
    return _scene("program", units, program.outputs, options)


def schedule_scene(program: Program, options: Options) -> Scene:
    """The scene of a compiled program: the entries in the order in which they run."""
    if program.backend == "numpy":
        raise CallError('only a compiled step has a schedule: scg.compile(g, backend="numba")')
    if program.windows is not None:
        raise CallError(
            "a step with checkpoint= has a schedule for each sweep over windows: print "
            'step.stages["sweeps"], or draw level="program"'
        )
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
    return _scene("schedule", units, outputs, options)


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
    boxes = _singly(units) if singly else _by_node(units, outputs)
    most = max((sum(u.seconds for u in group) for group in boxes.values()), default=0.0)
    scene = Scene(name)
    for key, group in boxes.items():
        scene.marks[key] = _mark(key, group, singly, most)
    scene.links = _arrows(scene, boxes, outputs, singly, options.labels != "names")
    if not singly:
        scene.links = _reduced(scene.links)
    options.check_hidden([word for m in scene.marks.values() for word in (m.title, m.kind)])
    scene.marks = {k: m for k, m in scene.marks.items() if not options.hides(m.title, m.kind)}
    scene.links = {e: link for e, link in scene.links.items() if {*e} <= scene.marks.keys()}
    if not singly and options.direction is None:
        beside = {f"∂ {key}": key for key in boxes}
        scene.upward = {key: beside.get(key) for key in boxes if key.startswith("∂ ")}
    scene = parameters_folded(scene, options) if singly else folded(scene, options)
    drawn = len(boxes) if singly else len(scene.marks)
    noise = any(mark.kind == "stochastic" for mark in scene.marks.values())
    scene.caption = _legend(name, units, drawn, noise) if options.notes else []
    return scene


def _singly(units: list[Unit]) -> dict[str, list[Unit]]:
    return {f"#{i}": [unit] for i, unit in enumerate(units)}


def _by_node(units: list[Unit], outputs: Mapping[Any, Expr]) -> dict[str, list[Unit]]:
    """The units by node: those of its value, and those of derivatives, which no cost needs.

    Arrows lead from earlier boxes to later ones: a node has another box where they would not.
    """
    needed = {base for key, base in outputs.items() if _kind(key) in _COSTS}
    forward: list[bool] = []
    for unit in reversed(units):
        forward.append(not needed.isdisjoint(unit.written))
        if forward[-1]:
            needed.update(unit.read)
    boxes: dict[str, list[Unit]] = {}
    writer: dict[Expr, str] = {}
    turn: dict[str, int] = {}
    last: dict[str, str] = {}
    copies: Counter[str] = Counter()
    for unit, ahead in zip(units, reversed(forward), strict=True):
        words = _several(unit.origins)
        words = words if ahead else f"∂ {words}"
        key = last.get(words, words)
        if any(turn[writer[b]] > turn.get(key, len(turn)) for b in unit.read if b in writer):
            copies[words] += 1
            key = f"{words}{AGAIN}{1 + copies[words]})"
        last[words] = key
        boxes.setdefault(key, []).append(unit)
        turn.setdefault(key, len(turn))
        writer |= dict.fromkeys(unit.written, key)
    return boxes


def _several(origins: Sequence[str]) -> str:
    """The first names of some, and how many others there are."""
    shown = [title(origin) for origin in origins[: _WORDS if len(origins) <= _WORDS else 2]]
    more = len(origins) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") or "no node"


def _arrows(
    scene: Scene,
    boxes: Mapping[str, list[Unit]],
    outputs: Mapping[Any, Expr],
    singly: bool,
    labelled: bool,
) -> dict[tuple[str, str], Link]:
    """The arrays between boxes. Leaves and outputs are nodes, or else lines of the boxes."""
    writer = {base: key for key, group in boxes.items() for unit in group for base in unit.written}
    labels: dict[Expr, str] = {}
    between: dict[tuple[str, str], dict[str, None]] = {}
    used: dict[str, dict[str, None]] = {}
    for key, group in boxes.items():
        for base in (base for unit in group for base in unit.read):
            label = name_of(base, labels) if singly and labelled else ""
            tail = writer.get(base)
            if tail is None and _is_leaf(base):
                if singly:
                    tail = _leaf(scene, base)
                else:
                    used.setdefault(key, {})[base.attrs.get("name", base.op.name)] = None
            if tail is not None and tail != key:
                between.setdefault((tail, key), {})[label] = None
    made: dict[tuple[str, str], list[str]] = {}
    for key, base in outputs.items():
        path = key[1:] if isinstance(key, tuple) else ()
        if base in writer:
            made.setdefault((writer[base], _kind(key)), []).append("@".join(map(str, path)))
    for (tail, kind), names in made.items():
        words = f"{_BEFORE.get(kind, kind)} {braced(names)}".rstrip()
        if singly:
            lines = [Text(pretty(line)) for line in words.split("\n")]
            head = f"-> {kind} {' '.join(names)}"
            scene.marks[head] = Mark("output", lines, tuple(names))
            between[tail, head] = {}
        else:
            scene.marks[tail].lines += _listed("→", words)
    for key, names in used.items():
        lines = scene.marks[key].lines
        place = sum(line.look == "title" for line in lines)
        lines[place:place] = _listed("←", braced(names))
    links = {}
    for ends, arrays in between.items():
        several = len(arrays) > _ARRAYS
        label = f"{len(arrays)} arrays" if several else ", ".join(arrays)
        links[ends] = Link(label=label if ends[0] in boxes else "")
    return links


def _reduced(links: dict[tuple[str, str], Link]) -> dict[tuple[str, str], Link]:
    """The arrows that do not follow from others: those of networkx' `transitive_reduction`.

    Sets of boxes are bits of integers, because that function takes cubic time.
    """
    import networkx

    graph = networkx.DiGraph([*links])
    order = list(networkx.topological_sort(graph))
    turn = {key: i for i, key in enumerate(reversed(order))}
    below, least = dict.fromkeys(order, 0), set()
    for key in turn:
        for after in sorted(graph[key], key=turn.__getitem__, reverse=True):  # the nearest first
            if not below[key] >> turn[after] & 1:
                least.add((key, after))
                below[key] |= below[after] | 1 << turn[after]
    return {ends: link for ends, link in links.items() if ends in least}


def _listed(sign: str, words: str) -> list[Text]:
    """What a box reads or returns, in lines of some width."""
    lines = textwrap.wrap(f"{sign} {', '.join(words.splitlines())}", _WIDE, break_on_hyphens=False)
    return [Text(pretty(line), "note") for line in lines]


def _kind(key: Any) -> str:
    """What an output is: the objective, a cost, a gradient."""
    return str(key[0] if isinstance(key, tuple) else key)


def _mark(key: str, group: list[Unit], singly: bool, most: float) -> Mark:
    seconds = sum(unit.seconds for unit in group)
    ops = Counter(op for unit in group for op in unit.ops)
    words = [f"{op}\u00a0×{n}" if n > 1 else op for op, n in ops.most_common(_WORDS)]
    rest = sum(ops.values()) - sum(n for _, n in ops.most_common(_WORDS))
    words += [f"{rest}\u00a0more"] if rest else []
    names = [group[0].title] if singly else textwrap.wrap(key, _TITLE, break_long_words=False)
    lines = [Text(name, "title") for name in names]
    if ops != Counter([lines[0].text]):
        lines += [Text(line) for line in textwrap.wrap(", ".join(words), _WIDE)]
    if singly and group[0].detail:
        lines.append(Text(group[0].detail, "note"))
    if most:
        lines.append(Text(f"{seconds * 1e6:.1f} µs", "note"))
    kinds = {unit.kind for unit in group}
    kind = kinds.pop() if len(kinds) == 1 else "loop"
    members = tuple(dict.fromkeys(origin for unit in group for origin in unit.origins))
    return Mark(kind, lines, members, fill=heat(seconds / most) if most else "")


def _is_leaf(base: Expr) -> bool:
    """Whether an array is data, a parameter or noise, not a constant or the size of a plate."""
    return base.value is None and base.op not in SIZED and not base.args


def _leaf(scene: Scene, base: Expr) -> str:
    """The node of a leaf."""
    kind = "stochastic" if base.op is NOISE else "parameter"
    name = base.attrs.get("name", base.op.name)
    scene.marks.setdefault(name, Mark(kind, [Text(title(name), "title")], (name,)))
    return name


def _legend(name: str, units: list[Unit], boxes: int, noise: bool) -> list[tuple[str, str]]:
    within = f" in {boxes} boxes, by declared node" if boxes < len(units) else ""
    lines = [("muted", f"{len(units)} {_PARTS[name]}{within}")]
    if boxes < len(units):
        lines.append(("muted", "∂ derivatives   ← what a box reads   → what it returns"))
        lines.append(("muted", "arrows that follow from others are left out"))
    else:
        lines.append(("muted", f"{'○ noise   ' if noise else ''}no border: input or output"))
    if any(unit.seconds for unit in units):
        lines.append(("muted", "the warmer a box, the longer it takes"))
    return lines


def _origins(exprs: Iterable[Expr]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.origin.name for e in exprs if e.origin.name))
