"""Stack matrix products that share their right-hand factor into one.

A mean-field pass multiplies mean rows by the same weights as the sampled rows. If the rows lie
below each other in memory, one product of twice the rows takes less than twice the time. The arrays
are *placed* next to each other, so that nothing is copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scg.ir.expr import Expr
from scg.schedule.entries import Entry, Gemm, uses
from scg.schedule.views import View

Group = tuple[Expr, ...]


def stack(
    entries: Sequence[Entry], outputs: Mapping[Any, Expr], views: Mapping[Expr, View]
) -> list[Entry]:
    """Entries in which products of one right-hand factor are joined, in place of the last."""
    first_use: dict[Expr, int] = {}
    for at, entry in enumerate(entries):
        for base in uses(entry, views).read:
            first_use.setdefault(base, at)
    apart = {views[expr].base for expr in outputs.values()}  # these lie outside of the arena
    alike: dict[Any, list[list[tuple[int, Gemm]]]] = {}
    for at, entry in enumerate(entries):
        if not isinstance(entry, Gemm) or not _by_rows(entry):
            continue
        left, result = entry.operands[0], entry.expr
        if not left.args or left in apart or result in apart:
            continue
        key = (entry.operands[1], entry.product, tuple(sorted(entry.lengths.items())))
        clusters = alike.setdefault(key, [[]])
        if any(first_use[one.expr] <= at for _, one in clusters[-1]):
            clusters.append([])
        clusters[-1].append((at, entry))
    placed: dict[Expr, Group] = {}
    out: list[Entry | None] = list(entries)
    for cluster in (c for clusters in alike.values() for c in clusters):
        whole = _joined([entry for _, entry in cluster], placed)
        if whole is not None:
            for at, _ in cluster:
                out[at] = None
            out[cluster[-1][0]] = whole
    return [entry for entry in out if entry is not None]


def _by_rows(entry: Gemm) -> bool:
    """Whether rows of the left factor and of the result follow each other in memory."""
    left_by_columns, _, by_columns = entry.product.transposed
    apart = entry.product.loop or entry.product.turn
    return not (apart or left_by_columns or by_columns)


def _joined(cluster: list[Gemm], placed: dict[Expr, Group]) -> Gemm | None:
    """One entry for several products, or None where their operands lie elsewhere."""
    of = {entry.operands[0]: entry for entry in cluster}
    lefts = next((placed[left] for left in of if left in placed), tuple(of))
    if len(of) < max(2, len(cluster)) or set(lefts) != set(of):
        return None
    if any(placed.get(left, lefts) != lefts for left in of):
        return None
    first, *below = (of[left] for left in lefts)
    results = tuple(entry.expr for entry in (first, *below))
    placed |= dict.fromkeys(lefts, lefts) | dict.fromkeys(results, results)
    return Gemm(first.expr, first.product, first.lengths, first.sides, tuple(below))


def groups(entries: Sequence[Entry]) -> list[Group]:
    """Arrays that follow each other in memory without a gap."""
    found: dict[Group, None] = {}
    for entry in entries:
        if isinstance(entry, Gemm) and entry.below:
            found[tuple(one.operands[0] for one in (entry, *entry.below))] = None
            found[entry.exprs] = None
    return list(found)
