"""Networks: layers that follow each other are one box, with their parameters.

A layer is drawn if it is applied once and its output has no name of its own. A single layer is no
network: its parameters stay beside the node that uses them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from scg.draw.boxes import title
from scg.draw.fold import common
from scg.draw.options import Options
from scg.draw.scene import Mark, Scene, Text
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.walk import named_below, topological

_LISTED = 3  #: Scopes that a title names.


def networks(graph: CoreGraph, options: Options) -> dict[Expr, tuple[str, str]]:
    """The outputs of layers: the names of the layer and of its network, both ending in "/"."""
    nodes = [node for node, _ in graph.roles.values()]
    declared = {*nodes}
    used = {*topological([*nodes, *(new for s in graph.scans.values() for new in s.news)])}
    outputs = {
        outs[0]: name
        for name, outs in graph.layers.items()
        if len(outs) == 1 and outs[0] in used and outs[0] not in declared
        if not options.hides(f"{name}/", "network")
    }
    if options.fold is False or not outputs:
        return {}
    owner = {name: [name] for name in outputs.values()}  # the layers of a network, one list
    turn = {name: i for i, name in enumerate(owner)}
    known = declared | outputs.keys()
    for output, name in outputs.items():
        for before in named_below(output, known):
            if before in outputs and owner[outputs[before]] is not owner[name]:
                short, long = sorted([owner[outputs[before]], owner[name]], key=len)
                long += short
                owner |= dict.fromkeys(short, long)
    several = {id(own): sorted(own, key=turn.__getitem__) for own in owner.values() if len(own) > 1}
    every = Counter(scope for name in graph.layers for scope in _scopes(name))
    titles = {key: _title(own, every) for key, own in several.items()}
    return {
        output: (f"{name}/", titles[id(owner[name])])
        for output, name in outputs.items()
        if id(owner[name]) in titles
    }


def _scopes(name: str) -> list[str]:
    """The scopes of a layer, the outermost first, and the layer itself."""
    parts = name.split("/")
    return ["/".join(parts[:i]) + "/" for i in range(1, len(parts) + 1)]


def _title(own: list[str], every: Mapping[str, int]) -> str:
    """The outermost scopes of some layers in which no others lie, a line each."""
    inside = Counter(scope for name in own for scope in _scopes(name))
    found: dict[str, None] = {}
    for name in own:
        found[next(scope for scope in _scopes(name) if inside[scope] == every[scope])] = None
    lines = list(found)
    if len(lines) > _LISTED:
        lines = [*lines[: _LISTED - 1], f"and {len(lines) - _LISTED + 1} more scopes"]
    return "\n".join(lines)


def as_networks(scene: Scene, made: Mapping[Expr, tuple[str, str]], options: Options) -> Scene:
    """The scene in which layers have taken in their parameters, and networks their layers."""
    heads: dict[str, set[str]] = {}
    for tail, head in scene.links:
        heads.setdefault(tail, set()).add(head)
    owner: dict[str, str] = {}
    layers: dict[str, list[Mark]] = {}
    for layer, network in made.values():
        home = layer if options.unfolds(network) else network
        layers.setdefault(home, []).append(scene.marks[layer])
        owner[layer] = home
    for key, users in heads.items():
        user = next(iter(users))
        if len(users) == 1 and user in owner and scene.marks[key].kind == "parameter":
            owner[key] = owner[user]
    boxes = {home: _box(home, inside) for home, inside in layers.items()}
    marks: dict[str, Mark] = {}
    for key, mark in scene.marks.items():
        home = owner.get(key, key)
        marks.setdefault(home, boxes.get(home, mark))
        if home in boxes:
            boxes[home].members += mark.members
    for home, inside in layers.items():
        count = len(boxes[home].members)
        words = [f"{len(inside)} layers"] if len(inside) > 1 else []
        words += [f"{count} parameter{'s' * (count != 1)}"] if count else []
        boxes[home].lines.append(Text(", ".join(words)))
    return replace(scene, marks=marks, links=scene.joined(owner))


def _box(home: str, layers: list[Mark]) -> Mark:
    lines = [Text(title(line), "title") for line in home.split("\n")]
    groups = common(*(mark.groups for mark in layers))
    opens = home.partition("\n")[0] if len(layers) > 1 else ""
    return Mark("network", lines, (), groups, opens=opens)
