"""Order the entries so that memory is freed early.

Fusing orders by levels: all entries of one level precede the next. In a long chain an array would
wait for its reader until thousands of others are written, and would leave the caches.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from scg.ir.expr import Expr
from scg.schedule.entries import Uses

#: Assumed elements of a plate whose length is only known in a call.
USUAL = 32


def elements(base: Expr) -> int:
    """The usual number of an array's elements."""
    return base.size * math.prod(plate.length or USUAL for plate in base.plates)


def order(used: Sequence[Uses], kept: Collection[Expr]) -> list[int]:
    """Numbers of entries in the order in which they run.

    An entry that frees more than it writes runs as soon as what it waits for is done, later levels
    first; the others keep their order. At no time is more memory held than before. `used` has the
    entries' uses in a possible order, `kept` the arrays that are never freed.
    """
    waits, followers = _dependences(used)
    readers = defaultdict(list)
    for number, use in enumerate(used):
        for base in use.read:
            readers[base].append(number)
    left = {base: len(numbers) for base, numbers in readers.items()}  # reads that are still to come
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
    """How many entries each entry waits for, and the entries that wait for it.

    Writes to one array are ordered; a read depends on the last write.
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
