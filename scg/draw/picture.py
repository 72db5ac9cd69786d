"""Pictures of the products of the pipeline, by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

from scg.compiler.surrogate import Surrogate
from scg.draw.dot import written
from scg.draw.graph import graph_scene
from scg.draw.influence import influence_scene
from scg.draw.operations import program_scene, schedule_scene
from scg.draw.options import Options
from scg.draw.render import Picture
from scg.draw.scene import Scene
from scg.draw.surrogate import surrogate_scene
from scg.engine.profile import Profile
from scg.engine.program import Program
from scg.errors import CallError
from scg.graph.core import CoreGraph

Path = str | PathLike[str] | None

#: The scene of each product of a step.
LEVELS: Mapping[str, Callable[[Surrogate, Program, Options], Scene]] = {
    "graph": lambda s, p, options: graph_scene(s.graph, None, options),
    "influence": lambda s, p, options: influence_scene(s.influence, options),
    "plan": lambda s, p, options: graph_scene(s.graph, s.plan, options),
    "surrogate": lambda s, p, options: surrogate_scene(s, options),
    "program": lambda s, p, options: program_scene(p, options),
    "schedule": lambda s, p, options: schedule_scene(p, options),
}


def draw_graph(graph: CoreGraph, options: Options, path: Path = None) -> Picture:
    """Draw a declared graph."""
    options.check_names(graph)
    return _finished(lambda own: graph_scene(graph, None, own), options, path)


def draw_step(
    level: str, surrogate: Surrogate, program: Program, options: Options, path: Path = None
) -> Picture:
    """Draw a product of a step."""
    if level not in LEVELS:
        raise CallError(f"draw: level must be one of {', '.join(LEVELS)}, got {level!r}")
    if level != "schedule" and isinstance(options.heat, Profile):
        raise CallError('draw: a profile is the heat of a schedule: level="schedule"')
    if level in ("program", "schedule"):
        options.check_scopes(surrogate.graph)  # the rest names boxes of the picture
    else:
        options.check_names(surrogate.graph)
    return _finished(lambda own: LEVELS[level](surrogate, program, own), options, path)


def _finished(scene: Callable[[Options], Scene], options: Options, path: Path) -> Picture:
    """A scene as a picture, saved if a path is given."""

    def drawn(own: Options) -> Picture:
        made = scene(own)

        def again(box: str) -> Picture:
            return drawn(replace(own, opened=(*own.opened, box)))

        return Picture(written(made, own), made, own.style, again)

    picture = drawn(options)
    if path is not None:
        picture.save(path)
    return picture


def draw_plan(plan: Any, options: Options | None = None) -> Picture:
    """Draw the declared graph with the estimator of each node and the flow of credit."""
    options = options or Options()
    options.check_names(plan.influence.graph)
    return _finished(lambda own: graph_scene(plan.influence.graph, plan, own), options, None)
