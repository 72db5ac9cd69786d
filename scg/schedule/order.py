"""The order of entries: what frees memory runs as soon as it may.

Fusing goes by levels: all entries of one level, then all of the next. In a long chain an array
would wait for its reader until thousands of others are written, too, and leave the caches.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from scg.ir.expr import Expr
from scg.schedule.fuse import Entry, Loop, below, reads
from scg.schedule.lower import View

#: Elements of a plate whose length is not known before a call.
USUAL = 32


class Uses(NamedTuple):
    """Which arrays an entry reads and writes."""

    read: tuple[Expr, ...]
    written: tuple[Expr, ...]


def uses(entry: Entry, views: Mapping[Expr, View]) -> Uses:
    """Return the arrays that an entry reads and writes."""
    if isinstance(entry, Loop):
        written = tuple({item.to.base: 0 for item in entry.stored})
    else:
        written = (entry.expr, *(one.expr for one in below(entry)))
    return Uses(reads(entry, views), written)


def elements(base: Expr) -> int:
    """Return the usual number of an array's elements."""
    return base.size * math.prod(plate.length or USUAL for plate in base.plates)


def order(used: Sequence[Uses], kept: Collection[Expr]) -> list[int]:
    """Return the numbers of entries in the order in which they are to run.

    An entry that is the last to read more than it writes follows what it waited for at once, later
    levels first; all others stay as they are. After no entry is more held than before.

    Parameters
    ----------
    used : sequence of Uses
        What entries use, in an order in which they may run.
    kept : collection of Expr
        Arrays that nobody frees.
    """
    waits, followers = _dependences(used)
    readers = defaultdict(list)
    for number, use in enumerate(used):
        for base in use.read:
            readers[base].append(number)
    left = {base: len(numbers) for base, numbers in readers.items()}  # who still has to read it
    turns: dict[int, None] = {}

    def frees(number: int) -> bool:
        read, written = used[number]
        freed = (b for b in read if left[b] == 1 and b.args and b not in kept)
        taken = (b for b in written if b not in kept)
        return sum(map(elements, freed)) > sum(map(elements, taken))

    for number in range(len(used)):
        ready = [number]
        while ready:
            this = ready.pop()
            if this in turns:
                continue
            turns[this] = None
            touched = list(followers[this])
            for follower in touched:
                waits[follower] -= 1
            for base in used[this].read:
                left[base] -= 1
                if left[base] == 1:
                    touched += readers[base]
            next_ones = {n for n in touched if n not in turns and not waits[n]}
            ready += sorted(filter(frees, next_ones))
    return list(turns)


def _dependences(used: Iterable[Uses]) -> tuple[Counter[int], defaultdict[int, list[int]]]:
    """Return on how many entries each waits, and which wait on each.

    Whoever writes to an array waits for who did before, and so who reads waits for the last one.
    """
    waits: Counter[int] = Counter()
    followers: defaultdict[int, list[int]] = defaultdict(list)
    writer: dict[Expr, int] = {}
    for number, use in enumerate(used):
        for other in {writer[b] for b in (*use.read, *use.written) if b in writer}:
            waits[number] += 1
            followers[other].append(number)
        writer |= dict.fromkeys(use.written, number)
    return waits, followers
