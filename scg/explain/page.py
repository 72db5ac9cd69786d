"""Page: an explanation as one HTML file, with the drawn graph beside the terms."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping

from scg.compiler.plan import Plan
from scg.draw.graph import identifiers
from scg.draw.picture import draw_plan
from scg.draw.render import Picture
from scg.explain.node import NodeExplanation

Explained = Iterable[NodeExplanation]

#: The style of the terms, also in other pages.
STYLE = """\
section { border-left: 4px solid #ddd; padding: .1rem .8rem; margin: .8rem 0; }
section h4, .surrogate h4 { font-size: 1rem; margin: .2rem 0; }
section.biased h4 { color: #c00000; }
dl { display: grid; grid-template-columns: 5.5rem 1fr; gap: .1rem .5rem; margin: .3rem 0; }
dt { color: #666; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
"""

#: A drawing that is wider, in points, stands above the terms; beside them it would be too small.
_BESIDE = 560

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 1rem; font: 15px/1.45 system-ui, sans-serif; color: #222; }}
main {{ display: flex; gap: 1.5rem; align-items: flex-start; }}
figure {{ margin: 0; flex: 1 1 55%; overflow: auto; max-height: 95vh; position: sticky; top: 0; }}
figure svg {{ max-width: 100%; height: auto; }}
article {{ flex: 1 1 45%; min-width: 0; overflow-wrap: anywhere; }}
main.wide {{ display: block; }}
.wide figure {{ position: static; max-height: none; }}
{style}
section {{ cursor: pointer; }}
section.chosen {{ border-color: #1f6fb4; background: #f1f6fb; }}
g.node {{ cursor: pointer; }}
g.chosen > :is(ellipse, polygon, path) {{ stroke: #1f6fb4; stroke-width: 3; fill: #dcebf8; }}
g.credited > :is(ellipse, polygon, path) {{ stroke: #d95f02; stroke-width: 3; fill: #fde8d7; }}
@media (max-width: 800px) {{
  main {{ display: block; }}
  figure {{ position: static; max-height: none; }}
  figure svg {{ max-width: none; }}
}}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{head}. Press a node: its term and, in orange, the costs that it is credited with.</p>
<main class="{layout}">
<figure>{svg}</figure>
<article>
{terms}
</article>
</main>
<script>
const credited = {credited};
function choose(id, scroll) {{
  for (const e of document.querySelectorAll(".chosen, .credited"))
    e.classList.remove("chosen", "credited");
  for (const e of [document.getElementById(id), ...document.getElementsByClassName("about-" + id)])
    e.classList.add("chosen");
  for (const cost of credited[id])
    document.getElementById(cost).classList.add("credited");
  const about = document.getElementsByClassName("about-" + id)[0];
  if (scroll && about) about.scrollIntoView({{ behavior: "smooth", block: "nearest" }});
}}
for (const id of Object.keys(credited)) {{
  document.getElementById(id)?.addEventListener("click", () => choose(id, true));
  for (const e of document.getElementsByClassName("about-" + id))
    e.addEventListener("click", () => choose(id, false));
}}
</script>
</body>
</html>
"""


def page(
    title: str, head: str, nodes: Explained, surrogate: Iterable[str], note: str, plan: Plan
) -> str:
    """The page as text, which loads no other file."""
    ids = identifiers(plan.influence.graph)
    svg, width = inline_svg(draw_plan(plan))
    credited: dict[str, dict[str, None]] = {}  # ordered sets
    for node in nodes:
        costs = credited.setdefault(ids[node.name], {})
        costs |= dict.fromkeys(ids[cost] for credit in node.credited for cost in credit.costs)
    return _PAGE.format(
        title=html.escape(title),
        head=html.escape(head),
        style=STYLE,
        layout="wide" if width > _BESIDE else "beside",
        svg=svg,
        terms=terms(nodes, surrogate, note, ids),
        credited=json.dumps({id: list(costs) for id, costs in credited.items()}),
    )


def fragment(
    title: str, head: str, nodes: Explained, surrogate: Iterable[str], note: str, plan: Plan
) -> str:
    """The terms as a part of a notebook, whose style they do not change."""
    shown = terms(nodes, surrogate, note, identifiers(plan.influence.graph))
    return (
        f'<div class="scg-terms"><style>.scg-terms {{ {STYLE} }}</style>'
        f"<p><b>{html.escape(title)}</b>: {html.escape(head)}</p>"
        f"{shown}</div>"
    )


def inline_svg(picture: Picture) -> tuple[str, float]:
    """A drawing as an element of a page, and its natural width in points."""
    svg = picture.render("svg").decode("utf-8")
    svg = svg[svg.index("<svg") :]  # without the prolog of a file of its own
    found = re.search(r'<svg width="([\d.]+)pt"', svg)
    assert found is not None, svg[:80]
    return svg, float(found[1])


def terms(nodes: Explained, surrogate: Iterable[str], note: str, ids: Mapping[str, str]) -> str:
    """The terms of all nodes and the surrogate as HTML, in the style of :data:`STYLE`.

    `note` says what t(n) means; `ids` maps names of nodes to identifiers in the drawing.
    """
    sections = "\n".join(_section(node, ids[node.name]) for node in nodes)
    summands = "\n".join(f"<li>{html.escape(text)}</li>" for text in surrogate)
    return (
        f'{sections}\n<div class="surrogate"><h4>surrogate S =</h4>\n<ul>\n{summands}\n</ul>\n'
        f"<p>{html.escape(note)}</p></div>"
    )


def _section(node: NodeExplanation, id: str) -> str:
    rows = "".join(
        f"<dt>{html.escape(label)}</dt><dd>{html.escape(text)}</dd>" for label, text in node.rows()
    )
    look = f"about-{id}" + ("" if node.unbiased else " biased")
    return f'<section class="{look}"><h4>{html.escape(node.head)}</h4><dl>{rows}</dl></section>'
