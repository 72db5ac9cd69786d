"""Prefetch arrays that short entries read again after a long time.

A processor predicts reads within a page of memory, but not the next page. An entry that reads a
page or two would wait for each of them; requested while earlier entries run, they arrive in time.
Measured on chains of 3 000 and 10 000 nodes (benchmarks/growth.py; float32, one thread, medians of
175 and 63 bound calls a side, alternating), a call without prefetching takes 1.12 times as long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scg.engine.codegen import native
from scg.engine.codegen.layout import kernel
from scg.engine.table.parts import At, Call
from scg.ir.expr import Expr
from scg.schedule.entries import Uses


class Ask(NamedTuple):
    """Words of the kernel that requests an array: its address, its lines of memory, and one."""

    line: At
    count: int
    one: int = 1


#: The multiplication by one spends cycles between two requests, because a processor seems to drop
#: requests that come too fast.
SOURCE = kernel(
    Ask,
    """    line, one = table.line, table.one
    for _ in range(table.count):
        prefetch(line)
        line = (line + u8(64)) * one
""",
)
LINE = 64
#: Most bytes of all arrays of a short entry, which fit the nearest cache.
SHORT = 1 << 15
#: Bytes that caches cannot hold: used since an array's last use, they make it far away.
FAR = 1 << 23
#: Entries between a request and its use.
AHEAD = 2
#: Least entries of a program that prefetches.
FEWEST = FAR // SHORT


def foresee(
    order: Sequence[Uses], lengths: Mapping[Expr, int], offsets: Mapping[Expr, int]
) -> dict[int, list[Expr]]:
    """Arrays to request before an entry, by its number, from their bytes and offsets."""
    found: dict[int, list[Expr]] = {}
    last: dict[int, int] = {}  # when the bytes from an offset on were in use
    clock = short = 0
    for number, use in enumerate(order if len(order) >= FEWEST else ()):
        used = dict.fromkeys((*use.read, *use.written))
        short = short + 1 if sum(lengths[base] for base in used) <= SHORT else 0
        placed = {offsets[base]: lengths[base] for base in used if base in offsets}
        far = {at: n for at, n in placed.items() if clock - last.get(at, -math.inf) > FAR}
        again = far.keys() & last.keys()
        if again and short > AHEAD:  # the entries in between are short, too
            found[number - AHEAD] = [base for base in use.read if offsets.get(base) in again]
        clock += sum(far.values())
        last |= dict.fromkeys(placed, clock)
    return found


def row(base: Expr, length: int) -> Call:
    """Row that requests an array of some bytes."""
    return Call(native.address(SOURCE), Ask(At(base, 0), -(-length // LINE)))
