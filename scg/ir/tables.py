"""Tables of HTML, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_LEFT, _RIGHT = 'style="text-align:left"', 'style="text-align:right"'


def listing(rows: Mapping[str, str], caption: str = "") -> str:
    """Table of labels and texts; empty texts are left out."""
    lines = (
        f"<tr><th {_LEFT}>{html.escape(label)}</th><td {_LEFT}>{html.escape(text)}</td></tr>"
        for label, text in rows.items()
        if text
    )
    return f"<table>{_caption(caption)}{''.join(lines)}</table>"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Table with a row of heads; the first column is aligned to the left."""
    body = "".join(
        f"<tr>{''.join(_cell('td', k, text) for k, text in enumerate(row))}</tr>" for row in rows
    )
    heads = "".join(_cell("th", k, text) for k, text in enumerate(head))
    return f"<table>{_caption(caption)}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def folded(title: str, text: str) -> str:
    """A title that opens to show a text."""
    summary = f"<summary>{html.escape(title)}</summary>"
    return f"<details>{summary}<pre>{html.escape(text)}</pre></details>"


def _cell(tag: str, column: int, text: str) -> str:
    return f"<{tag} {_RIGHT if column else _LEFT}>{html.escape(text)}</{tag}>"


def _caption(text: str) -> str:
    return f'<caption style="caption-side:bottom">{html.escape(text)}</caption>' if text else ""
