"""DOT: a declared graph, or the plan of a compiled one, as Graphviz text.

The shapes are those of Schulman et al. (2015): circles for stochastic nodes, squares for
deterministic ones, diamonds for costs; parameters have no frame, data are filled.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from scg.compiler.plan import Plan
from scg.draw.boxes import Box, boxes
from scg.draw.flow import Edge, edges, recurrences
from scg.draw.render import Picture
from scg.graph.core import CoreGraph
from scg.ir.plate import Plate

if TYPE_CHECKING:
    import graphviz

FONT = "DejaVu Sans,Verdana,sans-serif"
_SHAPES = {
    "parameter": {"shape": "plaintext"},
    "data": {"shape": "box", "style": "filled", "fillcolor": "#e8e8e8"},
    "deterministic": {"shape": "box"},
    "stochastic": {"shape": "ellipse"},
    "cost": {"shape": "diamond"},
}
_COLORS = {
    "derivative": ("#1f6fb4", "a derivative flows back"),
    "score": ("#d95f02", "credit by the score"),
    "weight": ("#7b5fb0", "credit by weights"),
    "along": ("#2a8a4a", "credit by an injected estimate"),
    "open": ("#333333", ""),
}
_BLOCKED, _NEUTRAL, _BIASED = "#a00000", "#b0b0b0", "#c00000"


def draw_graph(graph: CoreGraph, path: str | PathLike[str] | None = None) -> Picture:
    """Draw a declared graph; ``step.draw()`` adds the estimators.

    Parameters
    ----------
    graph : Graph
        The graph.
    path : str or path, optional
        A file to write: .svg, .png, .pdf, or .dot for the text.

    Returns
    -------
    Picture
        Its ``source`` is the DOT text.

    Raises
    ------
    ScgError
        If the suffix is unknown, or no program that draws is installed.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", b)
    >>> print(g.draw().source)  # doctest: +ELLIPSIS
    digraph {
    ...
    """
    return finished(_sketch(graph, None), path)


def draw_plan(plan: Plan, path: str | PathLike[str] | None = None) -> Picture:
    """Draw the declared graph with the estimator of each node and the flow of credit.

    The arguments, the picture and the errors are those of :func:`draw_graph`.
    """
    return finished(_sketch(plan.influence.graph, plan), path)


def identifiers(graph: CoreGraph) -> dict[str, str]:
    """The identifier of each named node's box in drawings."""
    shown, owner = boxes(graph, {})
    ids = _numbered(shown)
    return {name: ids[key] for name, key in owner.items()}


def _numbered(shown: Mapping[str, Box]) -> dict[str, str]:
    return {key: f"n{i}" for i, key in enumerate(shown)}


def finished(dot: graphviz.Digraph, path: str | PathLike[str] | None) -> Picture:
    """A drawing as a picture, saved if a path is given."""
    picture = Picture(dot.source)
    if path is not None:
        picture.save(path)
    return picture


def _sketch(graph: CoreGraph, plan: Plan | None) -> graphviz.Digraph:
    import graphviz

    estimators = plan.estimators if plan else None
    flow = edges(graph, estimators)
    shown, owner = boxes(graph, estimators or {})
    ids = _numbered(shown)
    joined: dict[tuple[str, str], Edge] = {}
    for (tail, head), edge in flow.items():
        ends = owner[tail], owner[head]
        if ends[0] != ends[1]:
            joined[ends] = joined[ends] | edge if ends in joined else edge

    dot = graphviz.Digraph()
    dot.attr(fontname=FONT, fontsize="11", labeljust="l", nodesep="0.35", ranksep="0.45")
    dot.attr("node", fontname=FONT, fontsize="12", margin="0.08,0.04", height="0.4")
    dot.attr("edge", fontname=FONT, fontsize="10", arrowsize="0.7")
    dot.attr(label=_legend(graph, joined.values() if plan else ()), labelloc="b")
    _place(dot, shown, ids, plan, ())
    for (tail, head), edge in joined.items():
        dot.edge(ids[tail], ids[head], **_edge_style(edge))
    for tail, head, plate in recurrences(graph):
        label = plain([f"next {plate}"])
        dot.edge(ids[owner[tail]], ids[owner[head]], label=label, style="dashed", color=_NEUTRAL)
    return dot


def _place(
    dot: graphviz.Digraph,
    shown: Mapping[str, Box],
    ids: Mapping[str, str],
    plan: Plan | None,
    inside: tuple[Any, ...],
) -> None:
    """Add the boxes of one cluster, then the clusters in it."""
    import graphviz

    depth = len(inside)
    inner: dict[Any, None] = {}
    for name, box in shown.items():
        if box.groups == inside:
            style = _SHAPES.get(box.role, {"shape": "folder"})
            dot.node(ids[name], plain(box.lines), id=ids[name], **style)
            if plan is not None and box.role == "stochastic":
                _note(dot, ids[name], box.node, plan)
        elif box.groups[:depth] == inside:
            inner[box.groups[depth]] = None
    for group in inner:
        number = next(i for i, box in enumerate(shown.values()) if group in box.groups)
        plate = isinstance(group, Plate)
        label = _plate_label(group) if plate else f"{group}/"
        cluster = graphviz.Digraph(f"cluster_{depth}_{number}")
        cluster.attr(label=plain([label]), labelloc="t", color="#888888")
        cluster.attr(style="rounded" if plate else "dashed")
        _place(cluster, shown, ids, plan, (*inside, group))
        dot.subgraph(cluster)


def _note(dot: graphviz.Digraph, id: str, node: Any, plan: Plan) -> None:
    """Put the estimator of a node and its formula under the node."""
    estimator = plan.estimators.get(node)
    if estimator is None:
        lines, color = ["no cost depends on it"], _NEUTRAL
    else:
        lines = [*textwrap.wrap(repr(estimator), 60), *textwrap.wrap(estimator.formula, 60)]
        color = "#555555"
        if not estimator.unbiased:
            lines, color = ["BIASED", *lines], _BIASED
    dot.node(
        f"{id}t", plain(lines), id=f"{id}t", shape="plaintext", fontsize="9.5", fontcolor=color
    )
    dot.edge(id, f"{id}t", style="dotted", arrowhead="none", color=color, weight="20")


# --- words and looks ------------------------------------------------------------------------------
def _plate_label(plate: Plate) -> str:
    return plate.name if plate.length is None else f"{plate.name}: {plate.length}"


def _edge_style(edge: Edge) -> dict[str, str]:
    if edge.kinds:
        colors = [color for kind, (color, _) in _COLORS.items() if kind in edge.kinds]
        return {"color": ":".join(colors)}
    if edge.blocked:
        label = ", ".join(edge.blocked)
        return {"color": _BLOCKED, "style": "dashed", "arrowhead": "tee", "label": plain([label])}
    return {"color": _NEUTRAL}


def _legend(graph: CoreGraph, drawn: Iterable[Edge]) -> str:
    """The name of the graph, and the colours in use."""
    drawn = list(drawn)
    name = _printable(graph.name).strip()
    words = [f"<b>{html.escape(name)}</b>"] if name else []
    for kind, (color, text) in _COLORS.items():
        if any(kind in edge.kinds for edge in drawn):
            words.append(f'<font color="{color}">━ {text}</font>')
    if any(edge.blocked and not edge.kinds for edge in drawn):
        words.append(f'<font color="{_BLOCKED}">┅ no credit</font>')
    return f"<{'   '.join(words)}>" if words else ""


def plain(lines: Iterable[str]) -> str:
    """A label of plain lines, in which markup, escapes and entities are text."""
    from graphviz import escape, nohtml

    escaped = (escape(_printable(line).replace("&", "&amp;")) for line in lines)
    return nohtml("\\n".join(escaped))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
