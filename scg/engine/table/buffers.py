"""Place the arrays of a program in memory, for given plate sizes.

Arrays that callers bring or receive have a slot each; a call supplies their addresses. All others
share one arena, in which arrays overlap that are never needed at the same time.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from scg.engine.interpreter import full
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.schedule.entries import Uses
from scg.schedule.sources import type_of

ALIGNMENT = 64


def bytes_of(expr: Expr, sizes: Mapping[Plate, int], real: np.dtype) -> int:
    """Bytes of an expression's array."""
    return math.prod(full(expr, sizes)) * type_of(expr, real).itemsize


def address(array: np.ndarray) -> int:
    """Address of an array; `ndarray.ctypes` takes three times as long."""
    return array.__array_interface__["data"][0]


def aligned(length: int) -> int:
    """A length in bytes rounded up to the alignment, which an empty array takes, too."""
    return -(-max(length, 1) // ALIGNMENT) * ALIGNMENT


def place(
    order: Sequence[Uses],
    outside: Iterable[Expr],
    lengths: Mapping[Expr, int],
    groups: Sequence[tuple[Expr, ...]] = (),
) -> tuple[dict[Expr, int], int]:
    """Offsets of the arrays in the arena, and the size of the arena.

    The arrays of `outside` do not lie there. Those of a group have one length, and follow each
    other without a gap.
    """
    elsewhere = set(outside)
    group_of = {base: group for group in groups for base in group}
    rounded = {
        base: aligned(length * len(group_of.get(base, (base,)))) for base, length in lengths.items()
    }
    last: dict[Expr, int] = {}  # of a group: of its first array
    for i, entry in enumerate(order):
        for base in (*entry.read, *entry.written):
            last[group_of.get(base, (base,))[0]] = i
    dying: dict[int, list[Expr]] = {}
    for base, i in last.items():
        dying.setdefault(i, []).append(base)
    offsets: dict[Expr, int] = {}
    free: list[tuple[int, int]] = []  # (bytes, offset), sorted
    end = 0
    for i, entry in enumerate(order):
        for base in entry.written:
            if base in elsewhere or base in offsets:
                continue
            need = rounded[base]
            at = bisect.bisect_left(free, (need, 0))
            if at < len(free):
                found, offset = free.pop(at)
                if found > need:
                    bisect.insort(free, (found - need, offset + need))
            else:
                offset, end = end, end + need
            for one in group_of.get(base, (base,)):
                offsets[one] = offset
                offset += lengths[base]
        for base in dying.get(i, ()):
            if base in offsets:
                bisect.insort(free, (rounded[base], offsets[base]))
    return offsets, end
