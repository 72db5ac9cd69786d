"""SVG: Graphviz' output with names for readers and scripts, and colours for dark screens."""

from __future__ import annotations

import html
import re

from scg.draw.letters import printable
from scg.draw.scene import Scene
from scg.draw.theme import darkened

_GROUP = re.compile(r'<g id="(n\d+)(?:_(n\d+))?" class="([^"]*)">\n<title>.*?</title>', re.S)


def dressed(svg: str, scene: Scene, dark: bool) -> str:
    """The picture with a ``data-node`` or ``data-from`` and ``data-to`` at each of its groups.

    ``data-node`` holds the declared names that a group stands for, one per line.
    """
    keys = {id: key for key, id in scene.ids.items()}

    def described(found: re.Match[str]) -> str:
        tail, head, look = found.groups()
        if head is None:
            mark = scene.marks[keys[tail]]
            names = "\n".join(mark.members or (keys[tail],))
            data = f'data-node="{_attribute(names)}"'
            if mark.opens:
                data += f' data-opens="{_attribute(mark.opens)}"'
            if mark.opened:
                data += ' data-opened="true"'
            label = f"{mark.title}: {mark.kind}"
        else:
            data = f'data-from="{tail}" data-to="{head}"'
            ends = (scene.marks[keys[id]].title for id in (tail, head))
            label = f"{' → '.join(ends)}: {look.removeprefix('edge ')}"
        group = "_".join(id for id in (tail, head) if id)
        title = html.escape(label)
        return f'<g id="{group}" class="{look}" {data}>\n<title>{title}</title>'

    svg = _GROUP.sub(described, svg)
    svg = re.sub(r"<title>(%\d+|cluster_\w+)</title>\n", "", svg)
    name = f'class="scg-picture" role="img" aria-label="{_attribute(printable(scene.title))}"'
    style = _STYLE + (_dark() if dark else "")
    return re.sub(
        r"(<svg [^>]*)>\n", lambda m: f"{m[1]} {name}>\n<style>{style}</style>\n", svg, count=1
    )


_STYLE = ".scg-picture g.node, .scg-picture g.edge { pointer-events: all }\n"


def _dark() -> str:
    """The colours of a dark screen."""
    rules = [
        f'.scg-picture [{what}="{light}"] {{ {what}: {dark} }}'
        for light, dark in darkened().items()
        for what in ("fill", "stroke")
    ]
    return "@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n"


def _attribute(text: str) -> str:
    return html.escape(text).replace("\n", "&#10;")
