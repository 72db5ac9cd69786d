"""DOT: a scene as Graphviz text, in which users' names are nothing but text."""

from __future__ import annotations

import html
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from scg.draw.letters import printable, short
from scg.draw.options import Options
from scg.draw.scene import Link, Mark, Scene, Text
from scg.draw.theme import FONTS, USES, WAYS, color

if TYPE_CHECKING:
    import graphviz

_BARE = {"shape": "plaintext", "margin": "0.04,0.02", "height": "0.25", "width": "0.2"}
_ROUND = {"shape": "ellipse", "margin": "0.02,0.02", "height": "0.55", "width": "0.55"}
_SHAPES = {
    **dict.fromkeys(("parameter", "sample", "output"), _BARE),
    "data": _BARE | {"shape": "box", "margin": "0.08,0.03"},
    "deterministic": {"shape": "box"},
    **dict.fromkeys(("stochastic", "observed"), _ROUND),
    "cost": {"shape": "diamond", "margin": "0.0,0.0"},
    "network": {"shape": "box3d", "margin": "0.12,0.1"},
    "scope": {"shape": "folder"},
}
_POINTS = {"title": 13, "detail": 10, "note": 9, "warning": 9}
#: Ends a line of a label that is aligned on the left.
LEFT = '<br align="left"/>'
_INKS = {"title": "ink", "detail": "ink", "note": "muted", "warning": "blocked"}


def written(scene: Scene, options: Options) -> str:
    """The DOT text of a scene."""
    import graphviz

    font, across = FONTS[options.style], options.direction == "right"
    dot = graphviz.Digraph()
    dot.attr(fontname=font, fontsize="10", labeljust="l", labelloc="b", nodesep="0.25")
    dot.attr(ranksep="0.5" if across else "0.4", bgcolor=color("background"), newrank="true")
    dot.attr(rankdir="LR" if across else "TB", nslimit="4", nslimit1="4", mclimit="0.5")
    if options.inches:
        dot.attr(size=options.inches)
    dot.attr("node", fontname=font, fontsize="13", color=color("ink"), margin="0.08,0.05")
    dot.attr("edge", fontname=font, fontsize="9", arrowsize="0.65", fontcolor=color("muted"))
    if caption := _caption(scene):
        dot.attr(label=caption)
    _place(dot, scene)
    ids = scene.ids
    for row in scene.rows:
        beside = graphviz.Digraph(graph_attr={"rank": "same"})
        for key in row:
            beside.node(ids[key])
        dot.subgraph(beside)
    below = _below(scene)
    turn = {key: i for row in scene.rows for i, key in enumerate(row)}
    under: dict[str, str] = {}  # what the rows lead to, and from which node first
    for tail, head in scene.links:
        if tail in turn and head not in turn:
            under[head] = min(tail, under.get(head, tail), key=turn.__getitem__)
    for (tail, head), link in scene.links.items():
        look = _link_look(link) | {"id": f"{ids[tail]}_{ids[head]}"}
        if under.get(head) == tail:
            look["weight"] = "8"
        elif (tail in turn and head in under) or (tail in under and head in turn):
            look["constraint"] = "false"  # for the order of the row, and below it
        if head in scene.upward and tail not in scene.upward:
            look |= {"minlen": "0"} if scene.upward[head] == tail else {"constraint": "false"}
        if (
            tail in below or tail in scene.upward
        ):  # written from the head to the tail, drawn from the tail to the head
            ends = {"dir": "back", "arrowtail": look.pop("arrowhead", "normal")}
            dot.edge(ids[head], ids[tail], **look | ends)
        else:
            dot.edge(ids[tail], ids[head], **look)
    return dot.source


def _below(scene: Scene) -> set[str]:
    """Inputs that are drawn below their many users, because nothing else is there."""
    heads: dict[str, list[str]] = {}
    for tail, head in scene.links:
        heads.setdefault(tail, []).append(head)
    return {
        tail
        for tail, users in heads.items()
        if scene.rows and scene.marks[tail].kind == "parameter" and len(users) > 2
        if not any(user in heads for user in users)
    }


def _place(dot: graphviz.Digraph, scene: Scene) -> None:
    """Add the nodes, in their boxes."""
    import graphviz

    ids, columns = scene.ids, _columns(scene)
    numbers = {group: i for i, group in enumerate(scene.groups)}

    def place(dot: graphviz.Digraph, depth: int, keys: Iterable[str]) -> None:
        """Add the nodes of one box, then the boxes in it."""
        inner: dict[Hashable, list[str]] = {}
        for key in keys:
            mark = scene.marks[key]
            if len(mark.groups) > depth:
                inner.setdefault(mark.groups[depth], []).append(key)
                continue
            look = _look(mark) | columns.get(key, {})
            dot.node(ids[key], _label(mark.lines), id=ids[key], **look)
        for group, inside in inner.items():
            box = graphviz.Digraph(f"cluster_{depth}_{numbers[group]}")
            label, style = scene.groups[group]
            box.attr(label=_label([Text(label)]), labelloc="b", labeljust="r", style=style)
            box.attr(color=color("plate"), fontcolor=color("ink"), margin="10")
            place(box, depth + 1, inside)
            dot.subgraph(box)

    place(dot, 0, scene.marks)


def _columns(scene: Scene) -> dict[str, dict[str, str]]:
    """The columns of time: the nodes of a row, and those below each of them."""
    column = {key: i for row in scene.rows for i, key in enumerate(row)}
    for tail, head in scene.links:
        if tail in column:
            column.setdefault(head, column[tail])
    return {key: {"group": f"t{i}"} for key, i in column.items()}


# --- looks ----------------------------------------------------------------------------------------
def _look(mark: Mark) -> dict[str, str]:
    look = dict(_SHAPES.get(mark.kind, {"shape": "box"}))
    fill = mark.fill or (mark.kind if mark.kind in USES else "")
    words = [mark.kind, *(["folded"] if mark.folded else [])]
    if fill:
        look |= {"style": "filled", "fillcolor": color(fill)}
        words.append(fill)
    if mark.kind == "data":
        look |= {"style": "filled,rounded", "color": color(fill)}
    if mark.kind == "cost" and len(mark.lines) > 1:
        look["margin"] = "0.02,0.04"
    if mark.folded and look["shape"] != "plaintext":
        look["peripheries"] = "2"
    return look | {"class": " ".join(dict.fromkeys(words))}


def _link_look(link: Link) -> dict[str, str]:
    look = {"class": " ".join(sorted(link.kinds)) or ("blocked" if link.blocked else "neutral")}
    if link.density:
        look |= {"dir": "both", "arrowtail": "odot"}
        look["class"] += " density"
    if link.kinds:
        look["color"] = ":".join(way.light for kind, way in WAYS.items() if kind in link.kinds)
    elif link.blocked:
        look |= {"color": color("blocked"), "style": "dashed", "arrowhead": "tee"}
        look |= {"fontcolor": color("blocked")}
    else:
        look["color"] = color("neutral")
    if link.later:
        look |= {"style": "dashed", "constraint": "false"}
    label = link.label or ", ".join(link.blocked)
    beside = f"\u00a0{short(label, 40)}"  # away from the arrow
    return look | ({"label": _label([Text(beside, "note")])} if label else {})


def _label(lines: list[Text]) -> str:
    """Lines as markup in which all that users wrote is text."""
    return f"<{'<br/>'.join(_line(text, _INKS[look], _POINTS[look]) for text, look in lines)}>"


def _line(text: str, use: str, points: int) -> str:
    shown = html.escape(printable(text)) or " "
    if shown.startswith("]"):  # Graphviz waits for "]]>", and finds no text before the next tag
        shown = f"&#93;{shown[1:]}"
    return f'<font point-size="{points}" color="{color(use)}">{shown}</font>'


def _caption(scene: Scene) -> str:
    """The title, and the lines below the picture."""
    name = short(printable(scene.title).strip(), 80)
    lines = [_line(text, use, 9) for use, text in scene.caption]
    if name:
        lines.insert(0, f"<b>{_line(name, 'ink', 11)}</b>")
    return f"<{''.join(line + LEFT for line in lines)}>" if lines else ""
