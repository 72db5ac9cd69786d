"""Tables as text, and as HTML for notebooks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

_LEFT, _RIGHT = 'style="text-align:left"', 'style="text-align:right"'


def aligned(rows: Sequence[Sequence[str]], left: int = 0) -> str:
    """Cells in columns, all but the first `left` of them aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for column in range(max(map(len, rows), default=0)):
        table.add_column(justify="left" if column < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    endless = Console(file=io.StringIO(), width=10**6, markup=False, highlight=False, emoji=False)
    with endless.capture() as text:
        endless.print(table)
    return "\n".join(line.rstrip() for line in text.get().splitlines())


def listing(rows: Mapping[str, str], caption: str = "") -> str:
    """Table of labels and texts; empty texts are left out."""
    lines = (
        f"<tr><th {_LEFT}>{_escaped(label)}</th><td {_LEFT}>{_escaped(text)}</td></tr>"
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
    summary = f"<summary>{_escaped(title)}</summary>"
    return f"<details>{summary}<pre>{_escaped(text)}</pre></details>"


def _escaped(text: str) -> str:
    import html  # with a large table of names

    return html.escape(text)


def _cell(tag: str, column: int, text: str) -> str:
    return f"<{tag} {_RIGHT if column else _LEFT}>{_escaped(text)}</{tag}>"


def _caption(text: str) -> str:
    return f'<caption style="caption-side:bottom">{_escaped(text)}</caption>' if text else ""
