"""The declared graph as a picture, by itself or with the estimators and the flow of credit.

The shapes are those of Schulman et al. (2015): circles for stochastic nodes, squares for
deterministic ones, inputs without a border; costs are diamonds. Plates and observed nodes look as
in graphical models: boxes, and grey circles below their parents.
"""

from __future__ import annotations

from dataclasses import replace

from scg.compiler.plan import Plan
from scg.draw.boxes import Boxes
from scg.draw.flow import edges
from scg.draw.fold import folded
from scg.draw.networks import as_networks, networks
from scg.draw.options import Options
from scg.draw.rows import rows
from scg.draw.scene import Scene
from scg.draw.theme import WAYS
from scg.graph.core import CoreGraph

_SIGNS = {
    "stochastic": "○ stochastic",
    "observed": "● observed",
    "deterministic": "□ deterministic",
    "cost": "◇ cost",
}


def graph_scene(graph: CoreGraph, plan: Plan | None, options: Options) -> Scene:
    """The scene of a declared graph, and of the estimators of its plan."""
    shown = {n: role for n, (_, role) in graph.roles.items() if not options.hides(n, role)}
    made = networks(graph, options)
    layers = {output: layer for output, (layer, _) in made.items()}
    flow = edges(graph, plan, graph.roles.keys() - shown.keys(), layers)
    boxes = Boxes(graph, plan, options, shown, layers)
    links = {ends: link for ends, link in flow.items() if boxes.marks.keys() >= {*ends}}
    for tail, head in links:
        if links[tail, head].density:
            boxes.marks[tail].fill = boxes.marks[tail].fill or "guide"
    scene = as_networks(Scene(graph.name, boxes.marks, links, boxes.groups), made, options)
    scene = folded(observed(graph, scene), options)
    scene.rows = rows(scene) if options.direction is None else []
    if options.notes:
        scene.caption = [*_legend(scene), *scene.caption]
    return scene


def identifiers(graph: CoreGraph) -> dict[str, str]:
    """The identifier of each declared node's box, in pictures without options."""
    scene = graph_scene(graph, None, Options())
    ids = scene.ids
    return {name: ids[key] for key, mark in scene.marks.items() for name in mark.members}


def observed(graph: CoreGraph, scene: Scene) -> Scene:
    """The scene with data that is nothing but the value of one observation in its node."""
    heads: dict[str, list[str]] = {}
    for tail, head in scene.links:
        heads.setdefault(tail, []).append(head)
    values = {seen.value: name for name, seen in graph.observations.items()}
    merged = {
        name: values[node]
        for name, node in graph.data_nodes.items()
        if node in values and heads.get(name) == [values[node]]
    }
    for data, name in merged.items():
        scene.marks[name].members += (data,)
        del scene.marks[data]
    return replace(scene, links=scene.joined(merged))


def _legend(scene: Scene) -> list[tuple[str, str]]:
    """The shapes, fills and colours in use."""
    kinds = {mark.kind for mark in scene.marks.values()}
    links = scene.links.values()
    shapes = [sign for kind, sign in _SIGNS.items() if kind in kinds]
    shapes += ["no border: parameter"] if "parameter" in kinds else []
    shapes += ["grey box: data"] if "data" in kinds else []
    shapes += ["box with depth: a network"] if "network" in kinds else []
    lines = [("muted", "   ".join(shapes))] if shapes else []
    for kind, way in WAYS.items():
        if way.text and any(kind in link.kinds for link in links):
            lines.append((kind, f"━ {way.text}"))
    if any(link.blocked for link in links):
        lines.append(("blocked", "┅ no credit passes"))
    colored = any(link.kinds - {"open"} for link in links)
    if colored and any(not link.kinds and not link.blocked for link in links):
        lines.append(("neutral", "━ a value, no credit"))
    if any(link.density for link in links):
        lines.append(("muted", "green: guide; ring: the head uses its density"))
    drawn = {key for mark in scene.marks.values() for key in mark.groups}
    if any(style == "dashed" for key, (_, style) in scene.groups.items() if key in drawn):
        lines.append(("muted", "dashed box: evaluated once for each sample"))
    if any(mark.folded for mark in scene.marks.values()):
        lines.append(("muted", "double border: a repetition"))
    return lines
