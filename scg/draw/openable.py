"""Openable: pictures in HTML whose folded boxes open and close by pressing, without any request."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

_STYLE = """\
.scg-openable [hidden] { display: none }
.scg-openable .bar { margin: .3rem 0; font: 14px/1.6 system-ui, sans-serif }
.scg-openable .bar button { font: inherit; color: inherit; background: none; cursor: pointer;
  border: 1px solid #8888; border-radius: 4px; padding: 0 .5rem; margin: .1rem .3rem .1rem 0;
  max-width: 100%; overflow-wrap: anywhere; white-space: normal; text-align: left }
.scg-openable .bar button::before { content: "▸ " }
.scg-openable .bar button[aria-expanded="true"]::before { content: "▾ " }
.scg-openable g[data-opens] { cursor: pointer }
.scg-openable :is(button, g.node):focus-visible { outline: 3px solid #1766a8; outline-offset: 2px }
.scg-openable .view { overflow-x: auto }
.scg-openable .view svg { max-width: max(100%, 36rem); height: auto }
.scg-openable .view:not([data-open=""]) svg { max-width: none }
"""

#: A pressed box that lights something in a page has the attribute ``data-press``.
_SCRIPT = """\
for (const root of document.querySelectorAll(".scg-openable:not([data-ready])")) {
  root.dataset.ready = "";
  const views = [...root.querySelectorAll(".view")];
  const key = set => [...set].sort((a, b) => a - b).join(" ");
  const shown = () => new Set(views.find(v => !v.hidden).dataset.open.split(" ").filter(Boolean));
  function toggle(box, from) {
    const open = shown();
    open.delete(box) || open.add(box);
    const has = views.some(v => v.dataset.open == key(open));
    const next = has ? key(open) : box;
    for (const v of views) v.hidden = v.dataset.open != next;
    for (const b of root.querySelectorAll(".bar button"))
      b.setAttribute("aria-expanded", next.split(" ").includes(b.dataset.opens));
    if (from.closest(".view")) {
      const view = views.find(v => !v.hidden);
      const same = [...view.querySelectorAll("g[data-opens][tabindex]")];
      same.find(g => g.dataset.opens == box)?.focus();
    }
  }
  for (const g of root.querySelectorAll("g[data-opens]")) {
    if (g.dataset.press) continue;
    g.setAttribute("role", "button");
    g.setAttribute("tabindex", "0");
    g.setAttribute("aria-expanded", g.dataset.opened ?? "false");
  }
  for (const svg of root.querySelectorAll("svg")) svg.setAttribute("role", "group");
  root.addEventListener("click", event => {
    const own = event.target.closest("[data-opens]");
    if (own && !own.dataset.press) toggle(own.dataset.opens, own);
  });
  root.addEventListener("keydown", event => {
    const own = event.target.closest?.("g[data-opens]");
    if (own && !own.dataset.press && (event.key == "Enter" || event.key == " ")) {
      event.preventDefault();
      toggle(own.dataset.opens, own);
    }
  });
}
"""

#: The beginning of a page that loads no other file.
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
"""
_PAGE = """{head}<style>
:root {{ color-scheme: light dark }}
body {{ margin: 1rem; color: #1a1a1a; background: #fff }}
{dark}</style>
</head>
<body>
{body}
</body>
</html>
"""
_DARK = "@media (prefers-color-scheme: dark) { body { color: #ececec; background: #16181d } }\n"


def openable(views: Mapping[tuple[str, ...], str], boxes: Mapping[str, str]) -> str:
    """The SVGs of a picture as a part of a page, which shows one of them.

    Parameters
    ----------
    views : mapping
        The SVG by the names of the boxes that are open in it; in the first one none is.
    boxes : mapping
        Label of each folded box by its name, which is ``data-opens`` in the SVGs.
    """
    turn = {name: str(i) for i, name in enumerate(boxes)}
    buttons = "".join(
        f'<button type="button" data-opens="{turn[name]}" aria-expanded="false">'
        f"{html.escape(title)}</button>"
        for name, title in boxes.items()
    )
    bar = f'<div class="bar" role="group" aria-label="folded boxes">Open: {buttons}</div>'
    parts = []
    for number, (opened, svg) in enumerate(views.items()):
        own = _inside(svg, turn, f"v{number}-" if number else "")
        key = " ".join(sorted((turn[name] for name in opened), key=int))
        hidden = " hidden" if number else ""
        parts.append(f'<div class="view" data-open="{key}"{hidden}>{own}</div>')
    if not boxes:
        return "\n".join(parts)
    return (
        f'<div class="scg-openable">\n<style>{_STYLE}</style>\n{bar}\n'
        + "\n".join(parts)
        + f"\n<script>{_SCRIPT}</script>\n</div>"
    )


def document(title: str, body: str, dark: bool) -> str:
    """A page that loads no other file."""
    head = HEAD.format(title=html.escape(title))
    return _PAGE.format(head=head, body=body, dark=_DARK if dark else "")


def _inside(svg: str, turn: Mapping[str, str], prefix: str) -> str:
    """An SVG as a part of a page: numbers for boxes that open, and ids of its own."""
    svg = svg[svg.index("<svg") :]  # without the prolog of a file of its own

    def numbered(found: re.Match[str]) -> str:
        name = html.unescape(found[1])
        return f'data-opens="{turn[name]}"' if name in turn else ""

    svg = re.sub(r'data-opens="([^"]*)"', numbered, svg)
    return re.sub(r'( (?:id|data-from|data-to)=")', rf"\1{prefix}", svg) if prefix else svg
