"""Page: an explanation as one HTML file, with the drawn graph beside the derivation."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from scg.compiler.plan import Plan
from scg.draw.graph import identifiers
from scg.draw.openable import HEAD
from scg.draw.picture import draw_plan
from scg.draw.render import Picture
from scg.explain.lines import DerivationLine
from scg.explain.matrix import CreditMatrix
from scg.explain.node import NodeExplanation
from scg.explain.notation import mathml
from scg.explain.template import PAGE, PAGE_STYLE, SCRIPT, STYLE

Explained = Iterable[NodeExplanation]

#: A drawing that is wider, in points, stands above the terms; beside them it would be too small.
_BESIDE = 620
_SHORTEST = (12, 12, 24, 36)  # pieces between which a line may end, by depth in brackets


class Contents(NamedTuple):
    """What a page shows; for the parts see :class:`scg.explain.explanation.Explanation`.

    `alike` are the nodes that are told by another one, by its name.
    """

    title: str
    head: str
    nodes: tuple[NodeExplanation, ...]
    lines: tuple[DerivationLine, ...]
    matrix: CreditMatrix
    surrogate: tuple[str, ...]
    note: str
    plan: Plan
    alike: Mapping[str, Sequence[str]] = MappingProxyType({})


def page(shown: Contents) -> str:
    """The page as text, which loads no other file."""
    graph = shown.plan.influence.graph
    ids = identifiers(graph)
    picture = draw_plan(shown.plan)
    width = inline_svg(picture)[1]
    nodes: dict[str, dict[str, None]] = {}  # ordered sets
    for node in shown.nodes:
        costs = nodes.setdefault(ids[node.name], {})
        costs |= dict.fromkeys(ids[cost] for credit in node.credited for cost in credit.costs)
    names: dict[str, list[str]] = {}
    for name in [*(node.name for node in shown.nodes), *graph.costs]:
        names.setdefault(ids[name], []).append(name)
    credit = {
        "nodes": {id: list(costs) for id, costs in nodes.items()},
        "names": {id: _told(own) for id, own in names.items()},
        "members": {name: id for id, own in names.items() for name in own},
    }
    boxes = _Boxes(ids, set(graph.costs))
    return PAGE.format(
        head=HEAD.format(title=html.escape(shown.title)),
        title=html.escape(shown.title),
        numbers=html.escape(shown.head),
        style=STYLE + PAGE_STYLE,
        layout="wide" if width > _BESIDE else "beside",
        picture=picture.to_html(),
        derivation=boxes.steps(shown.lines),
        matrix=boxes.table(shown.matrix),
        terms=terms(shown.nodes, shown.surrogate, shown.note, ids, shown.alike),
        credit=json.dumps(credit).replace("<", r"\u003c"),
        script=SCRIPT,
    )


def _told(names: list[str]) -> str:
    """The names of a box; of a folded one the ends."""
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, …, {names[-1]}"


def fragment(shown: Contents) -> str:
    """The terms and the derivation as a part of a notebook, whose style they do not change."""
    graph = shown.plan.influence.graph
    ids = identifiers(graph)
    text = terms(shown.nodes, shown.surrogate, shown.note, ids, shown.alike)
    steps = _Boxes({}, set()).steps(shown.lines)
    return (
        f'<div class="scg-terms"><style>.scg-terms {{ {STYLE} }}</style>'
        f"<p><b>{html.escape(shown.title)}</b>: {html.escape(shown.head)}</p>"
        f"{text}<details><summary>derivation</summary>{steps}</details></div>"
    )


def inline_svg(picture: Picture) -> tuple[str, float]:
    """A drawing as an element of a page, and its natural width in points."""
    svg = picture.render("svg").decode("utf-8")
    svg = svg[svg.index("<svg") :]  # without the prolog of a file of its own
    found = re.search(r'<svg width="([\d.]+)pt"', svg)
    assert found is not None, svg[:80]
    return svg, float(found[1])


def terms(
    nodes: Explained,
    surrogate: Iterable[str],
    note: str,
    ids: Mapping[str, str],
    alike: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """The terms of all nodes and the surrogate as HTML, in the style of :data:`STYLE`.

    `note` says what t(n) means; `ids` maps names of nodes to identifiers in the drawing. The nodes
    that are `alike` another one are folded behind it.
    """
    each = {node.name: _section(node, ids[node.name]) for node in nodes}
    inside = {name for names in alike.values() for name in names}
    parts = []
    for name, section in each.items():
        if name not in inside:
            parts.append(section)
        if names := alike.get(name):
            head = html.escape(f"{names[0]} to {names[-1]}: {len(names)} nodes like {name}")
            folded = "\n".join(each[name] for name in names)
            parts.append(f"<details><summary>{head}</summary>{folded}</details>")
    sections = "\n".join(parts)
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


class _Boxes:
    """Derivation and credit as HTML in which names point to boxes of the drawing.

    Without identifiers they point nowhere, and nothing can be pressed.
    """

    def __init__(self, ids: Mapping[str, str], costs: set[str]):
        self.ids, self.costs = ids, costs

    def steps(self, lines: Sequence[DerivationLine]) -> str:
        """The steps as a numbered list, in which steps can be pressed."""
        items = []
        for number, line in enumerate(lines, start=1):
            parts = " ".join(map(self._math, _pieces(line.formula)))
            formula = f"<p>{parts}</p>" if line.formula else ""
            data = self._data("nodes", line.nodes) + self._data("costs", line.costs)
            label = f"step {number}, {line.kind}: light its nodes and costs"
            button = self._button(str(number), f"line line{number}", label)
            words = f"<p>{self._words(line.words)}</p>"
            items.append(f'<li id="line{number}"{data}>{button}<div>{formula}{words}</div></li>')
        return f"<ol>{''.join(items)}</ol>"

    def table(self, matrix: CreditMatrix) -> str:
        """The credit as a table, in which names can be pressed."""
        head, *rows = matrix.table()
        first = "".join(f'<th scope="col">{self._name(name)}</th>' for name in head)
        body = "".join(
            f'<tr><th scope="row">{self._name(row[0])}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        caption = "<caption>how each cost credits each node, and on which plates</caption>"
        return f"<table>{caption}<thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>"

    def _name(self, name: str) -> str:
        if name not in self.ids:
            return html.escape(name)
        kind = "cost" if name in self.costs else "node"
        return self._button(name, f"{kind} {self.ids[name]}", f"{kind} {name}")

    def _button(self, text: str, press: str, label: str) -> str:
        if not self.ids:
            return html.escape(text)
        return (
            f'<button type="button" data-press="{press}" aria-pressed="false" '
            f'aria-label="{html.escape(label)}">{html.escape(text)}</button>'
        )

    def _data(self, key: str, names: Iterable[str]) -> str:
        found = dict.fromkeys(self.ids[name] for name in names if name in self.ids)
        return f' data-{key}="{" ".join(found)}"' if found else ""

    def _look(self, name: str) -> str:
        if name not in self.ids:
            return ""
        look = "name cost" if name in self.costs else "name"
        return f' class="{look}" data-box="{self.ids[name]}"'

    def _math(self, formula: str) -> str:
        return mathml(formula, self._look)

    def _words(self, words: str) -> str:
        """Words, in which names and formulas are marked."""
        found, place = [], 0
        for part in re.finditer(r"⟦(?P<formula>[^⟧]*)⟧|‹(?P<name>[^›]*)›", words):
            found.append(html.escape(words[place : part.start()]))
            name, formula = part["name"], part["formula"]
            found.append(
                f"<b{self._look(name)}>{html.escape(name)}</b>"
                if formula is None
                else self._math(formula)
            )
            place = part.end()
        return "".join([*found, html.escape(words[place:])])


def _pieces(formula: str) -> list[str]:
    """A formula cut at spaces that are not deep in brackets, so that lines may end there."""
    cuts, depth, name = [0], 0, False
    for place, sign in enumerate(formula):
        name = sign == "‹" or (name and sign != "›")
        depth += 0 if name else (sign in "([{") - (sign in ")]}")
        if sign == " " and not name and depth < 4 and place - cuts[-1] >= _SHORTEST[depth]:
            cuts.append(place + 1)
    return [formula[a:b].strip() for a, b in pairwise([*cuts, len(formula)])]
