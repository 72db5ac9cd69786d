"""Fold: fewer boxes for large graphs. Repetitions, scopes and parameters share a box.

``h[0] h[1] h[2..98] h[99]`` stand for a chain of 100 nodes, ``encoder/{W, b}`` for two parameters,
``encoder/`` for all that the scope declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from scg.draw.letters import pretty, printable, short
from scg.draw.options import Options
from scg.draw.scene import Mark, Scene, Text
from scg.ir.origin import warn

#: Up to so many boxes nothing but parameters is folded; more are never drawn.
READABLE, LARGEST = 30, 80
#: With fold=False: boxes and arrows that are laid out within seconds.
MOST_BOXES, MOST_LINKS = 150, 400
#: Members of a repetition that folds.
_REPEATS, _NEAR, _BANDS, _LISTED = 7, 2, 10, 3
#: What stands before the number of a node's second box; such boxes are not a repetition.
AGAIN = "\u00a0("
_NUMBER = re.compile(rf"(?<![\d.])(?<!{re.escape(AGAIN)})\d+(?!\d|\.\.|\.\d)")
#: The range that boxes of one repetition share, and the signs around it.
_MIDDLE = re.compile(r"(?:^|[^\d.])\d+\.\.\d+(?:[^\d.]|$)")
Owner = dict[str, str]  #: The key of the box that takes in each box.


def folded(scene: Scene, options: Options) -> Scene:
    """The scene with as many boxes as can be read."""
    declared = sum(len(mark.members) or 1 for mark in scene.marks.values())
    if options.fold is False:
        if len(scene.marks) <= MOST_BOXES and len(scene.links) <= MOST_LINKS:
            return scene
        warn(
            f"draw: {len(scene.marks)} nodes and {len(scene.links)} arrows are too many to lay "
            "out, so that repetitions are folded in spite of fold=False; hide some nodes with "
            "hide=...",
            UserWarning,
        )
    scene = parameters_folded(scene, options)
    scene = _merged(scene, _scopes(scene, options.folds))
    before, kept = len(scene.marks), set[str]()
    steps: tuple[tuple[int, Callable[[Scene], Owner]], ...] = (
        (READABLE, _repetitions),
        (READABLE, _repetitions),
        (READABLE, _innermost),
        (2 * READABLE, lambda s: _scopes(s, _outermost)),
        (READABLE, _repetitions),
        (LARGEST, _bands),
    )
    for limit, step in steps:
        if len(scene.marks) > limit:
            owner = {key: box for key, box in step(scene).items() if key not in kept}
            open = {key for key, box in owner.items() if options.unfolds(box)}
            kept |= open
            scene = _merged(scene, {key: box for key, box in owner.items() if key not in open})
    if len(scene.marks) < before:
        shown = f"{declared} nodes in {len(scene.marks)} boxes"
        scene.caption.append(("muted", f"{shown}, repetitions folded"))
    return scene


def parameters_folded(scene: Scene, options: Options) -> Scene:
    """The scene with parameters of scopes that have the same users in one box."""
    owner = _parameters(scene)
    return _merged(scene, {key: box for key, box in owner.items() if not options.unfolds(box)})


# --- what shares a box ----------------------------------------------------------------------------
def _parameters(scene: Scene) -> Owner:
    """Parameters of scopes with the same users: one box, "encoder/{W, b}"."""
    heads: dict[str, list[str]] = {key: [] for key in scene.marks}
    for tail, head in scene.links:
        heads[tail].append(head)
    together: dict[frozenset[str], list[str]] = {}
    for key, mark in scene.marks.items():
        if mark.kind == "parameter" and "/" in key:
            together.setdefault(frozenset(heads[key]), []).append(key)
    owner: Owner = {}
    for keys in together.values():
        if len(keys) > 1:
            owner |= dict.fromkeys(keys, braced(keys))
    return owner


def braced(names: Iterable[str]) -> str:
    """Names by scope, one scope a line; of many the outermost scopes and their number."""
    scopes: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: name.rpartition("/")[0]):
        scope, _, own = name.rpartition("/")
        scopes.setdefault(scope, []).append(own)
    lines = []
    for scope, own in scopes.items():
        every = ", ".join(own)
        within = f"{{{every}}}" if scope and len(own) > 1 else every
        lines.append(f"{scope}/{within}" if scope else within)
    if len(lines) > _LISTED:
        outer: dict[str, int] = {}
        for scope, own in scopes.items():
            outer[scope.partition("/")[0]] = outer.get(scope.partition("/")[0], 0) + len(own)
        lines = [f"{scope}/: {count} parameters" for scope, count in outer.items()]
        if len(lines) > _LISTED:
            lines = [*lines[: _LISTED - 1], f"and {len(lines) - _LISTED + 1} more scopes"]
    return "\n".join(lines)


def _scopes(scene: Scene, folds: Callable[[str], bool]) -> Owner:
    """The nodes below the outermost scopes that fold."""
    owner: Owner = {}
    for key, mark in scene.marks.items():
        parts = _common(mark.members or (key,))
        for i in range(1, len(parts) + 1):
            if folds("/".join(parts[:i])):
                owner[key] = "/".join(parts[:i]) + "/"
                break
    return owner


def _outermost(scope: str) -> bool:
    return "/" not in scope


def _common(names: Iterable[str]) -> list[str]:
    """The scopes in which all names lie."""
    return common(*(name.split("/")[:-1] for name in names))


def common(first: Sequence[Any], *others: Sequence[Any]) -> Any:
    """The longest sequence with which all of some begin."""
    for other in others:
        same = [a == b for a, b in zip(first, other, strict=False)]
        first = first[: same.index(False) if False in same else len(same)]
    return first


def _repetitions(scene: Scene) -> Owner:
    """The middles of runs of boxes that differ in one number, those of one range aligned."""
    families: dict[tuple[str, str, str], dict[int, str]] = {}
    for key, mark in scene.marks.items():
        for found in _NUMBER.finditer(key):
            before, after, number = key[: found.start()], key[found.end() :], found[0]
            if "\n" in key:  # the lines of a box of parameters count together
                pattern = re.compile(rf"(?<![\d.]){number}(?!\d|\.)")
                before, after = pattern.sub("*", before), pattern.sub("*", after)
            families.setdefault((mark.kind, before, after), {})[int(number)] = key
    runs = [(lo, hi, family) for family, at in families.items() for lo, hi in _runs(at)]
    runs.sort(key=lambda run: run[0] - run[1])
    owner: Owner = {}
    while runs:
        lo, hi, _ = runs[0]
        near = [r for r in runs if abs(r[0] - lo) <= _NEAR and abs(r[1] - hi) <= _NEAR]
        runs = [r for r in runs if r not in near]
        first = max(min(r[0] for r in near) + 2, max(r[0] for r in near) + 1)
        last = min(min(r[1] for r in near), max(r[1] for r in near) - 1)
        for _, _, (kind, before, after) in near:
            at, middle = families[kind, before, after], f"{first}..{last}"
            key = (before + "*" + after).replace("*", middle) if "\n" in before + after else ""
            for i in range(first, last + 1):
                owner.setdefault(at[i], key or before + middle + after)
    return owner


def _innermost(scene: Scene) -> Owner:
    """Runs of boxes that differ in the last of several numbers: the inner one of two loops."""
    families: dict[tuple[str, str, str], dict[int, str]] = {}
    for key, mark in scene.marks.items():
        *outer, last = [None, *_NUMBER.finditer(key)]
        if len(outer) > 1 and last and "\n" not in key:
            around = mark.kind, key[: last.start()], key[last.end() :]
            families.setdefault(around, {})[int(last[0])] = key
    owner: Owner = {}
    for (_, before, after), at in families.items():
        for lo, hi in _runs(at, _LISTED):
            owner |= {at[i]: f"{before}{lo}..{hi}{after}" for i in range(lo, hi + 1)}
    return owner


def _runs(numbers: Iterable[int], least: int = _REPEATS) -> list[tuple[int, int]]:
    """The ends of long runs of consecutive numbers."""
    found, every = [], sorted(numbers)
    start = 0
    for i in range(1, len(every) + 1):
        if i == len(every) or every[i] != every[i - 1] + 1:
            if i - start >= least:
                found.append((every[start], every[i - 1]))
            start = i
    return found


def _bands(scene: Scene) -> Owner:
    """The nodes that were declared one after another; inputs and costs by kind.

    Arrows lead from bands to later ones, because nodes are declared before their users.
    """
    apart: dict[str, list[str]] = {}
    for key, mark in scene.marks.items():
        own = mark.kind in ("parameter", "data", "cost", "observed")
        apart.setdefault(mark.kind if own else "", []).append(key)
    owner: Owner = {}
    for kind, keys in apart.items():
        size = len(keys) if kind else -(-len(keys) // _BANDS)
        for i in range(0, len(keys), size):
            band = keys[i : i + size]
            if len(band) > _LISTED:
                owner |= dict.fromkeys(band, f"{band[0]} … {band[-1]}")
    return owner


# --- boxes of boxes -------------------------------------------------------------------------------
def _merged(scene: Scene, owner: Owner) -> Scene:
    """The scene with the boxes of one owner joined."""
    joined, new = {}, set(owner.values())
    for key, mark in scene.marks.items():
        joined.setdefault(owner.get(key, key), []).append(mark)
    marks = {key: _box(key, marks) if key in new else marks[0] for key, marks in joined.items()}
    return replace(scene, marks=marks, links=scene.joined(owner))


def _box(key: str, marks: list[Mark]) -> Mark:
    kinds = {mark.kind for mark in marks}
    kind = kinds.pop() if len(kinds) == 1 and not key.endswith("/") else "scope"
    titles = [Text(pretty(short(printable(line))), "title") for line in key.split("\n")]
    same = [line for line in marks[0].lines[1:] if all(line in mark.lines for mark in marks)]
    if kind == "scope":
        counts: dict[str, int] = {}
        for mark in marks:
            counts[mark.kind] = counts.get(mark.kind, 0) + len(mark.members)
        same = [Text(f"{count} × {what}") for what, count in counts.items()]
    elif kind == "parameter":
        same = []
    groups = common(*(mark.groups for mark in marks))
    middle = _MIDDLE.search(key)
    opens = f"*{middle[0]}*" if middle else key.partition("\n")[0]
    return Mark(
        kind,
        [*titles, *same],
        tuple(name for mark in marks for name in mark.members),
        groups,
        folded=".." in key or any(mark.folded for mark in marks),
        fill=marks[0].fill if len({mark.fill for mark in marks}) == 1 else "",
        opens=opens,
    )
