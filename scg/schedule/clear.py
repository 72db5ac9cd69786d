"""Arrays that stay zero between calls, but for rows that a call adds to and then clears again.

The gradient of a large table is a scatter of few rows to many zeros. If no caller receives it,
because an update reads those rows alone, its array keeps its zeros from call to call: the last
entry of a schedule sets the touched rows to zero, and no entry fills the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from scg.ir.expr import Expr
from scg.schedule.entries import Entry, Item, Loop, Uses
from scg.schedule.rewritten import add_at, clearing

#: Least elements of an array that is cleared and not filled.
LARGE = 1 << 16


def keep_zeros(entries: Iterable[Entry], results: Collection[Expr]) -> list[tuple[Loop, Uses]]:
    """Entries that clear large scatters, but for those of `results`; the scatters fill no more."""
    found = []
    for entry in entries:
        for item in entry.items if isinstance(entry, Loop) else ():
            base = item.to.base
            if item.expr.op is add_at and base.size >= LARGE and base not in results:
                item.is_kept = True
                found.append(_clear(item))
    return found


def _clear(item: Item) -> tuple[Loop, Uses]:
    index = item.args[1]
    clear = replace(item, expr=clearing(item.expr), args=(index,))
    uses = Uses((index.base, item.to.base), ())  # nothing reads what it writes
    return Loop(item.space, [clear], [clear]), uses
