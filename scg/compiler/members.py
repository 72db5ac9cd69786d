"""Members: sets of the nodes or of the costs of one graph, each stored as the bits of an integer.

A set of thousands of members costs a few hundred bytes, and unions are as fast as integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from scg.common.lazy import cached_property

T = TypeVar("T")
Item = TypeVar("Item")

#: Longer lists of names are abbreviated to the first three names and the last.
LONGEST = 8


class Universe(tuple[T, ...]):
    """All nodes or all costs of a graph in order; sets of them are :class:`Members`.

    Items are named: they are strings, or have an attribute ``name``.
    """

    @cached_property
    def none(self) -> Members[T]:
        """The empty set."""
        return Members(self, 0)

    @cached_property
    def every(self) -> Members[T]:
        """The set of all items."""
        return Members(self, (1 << len(self)) - 1)

    @cached_property
    def position(self) -> dict[T, int]:
        """Positions of the items."""
        return {item: i for i, item in enumerate(self)}

    @cached_property
    def named(self) -> Universe[str]:
        """The names of all items, in the same order."""
        return Universe(map(name_of, self))

    def only(self, item: T) -> Members[T]:
        """The set of one item."""
        return Members(self, 1 << self.position[item])

    def union(self, sets: Iterable[Members[T]]) -> Members[T]:
        """All items of several sets."""
        bits = 0
        for members in sets:
            bits |= members.bits
        return Members(self, bits)


class Members(Sequence[T]):
    """A set of items of a :class:`Universe`, iterated in its order; bit i stands for item i.

    It equals any sequence of the same items.
    """

    __slots__ = ("bits", "universe")

    def __init__(self, universe: Universe[T], bits: int):
        self.universe, self.bits = universe, bits

    def __or__(self, other: Members[T]) -> Members[T]:
        return Members(self.universe, self.bits | other.bits)

    def __and__(self, other: Members[T]) -> Members[T]:
        return Members(self.universe, self.bits & other.bits)

    def __sub__(self, other: Members[T]) -> Members[T]:
        return Members(self.universe, self.bits & ~other.bits)

    def __bool__(self) -> bool:
        return self.bits != 0

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __iter__(self) -> Iterator[T]:
        rest = self.bits
        while rest:
            low = rest & -rest
            yield self.universe[low.bit_length() - 1]
            rest ^= low

    def __contains__(self, item: object) -> bool:
        position = self.universe.position.get(item)  # pyright: ignore[reportArgumentType]
        return position is not None and bool(self.bits >> position & 1)

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Members) and other.universe is self.universe:
            return other.bits == self.bits
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.bits)

    def __repr__(self) -> str:
        return f"Members({names(self)})"

    @property
    def first(self) -> T:
        """The first item."""
        return self.universe[(self.bits & -self.bits).bit_length() - 1]

    @property
    def last(self) -> T:
        """The last item."""
        return self.universe[self.bits.bit_length() - 1]

    def runs(self) -> Iterator[Sequence[T]]:
        """The longest stretches of items that follow each other in the universe."""
        start, rest = 0, self.bits
        while rest:
            zeros = (rest & -rest).bit_length() - 1
            rest >>= zeros
            ones = (~rest & (rest + 1)).bit_length() - 1
            rest >>= ones
            yield self.universe[start + zeros : start + zeros + ones]
            start += zeros + ones

    def stretch(self, item: T) -> Members[T]:
        """The members that follow each other in the universe around one of them."""
        at = self.universe.position[item]
        above = self.bits >> at
        start = (~self.bits & ((1 << at) - 1)).bit_length()
        end = at + (~above & (above + 1)).bit_length() - 1
        return Members(self.universe, (1 << end) - (1 << start))

    @property
    def names(self) -> Members[str]:
        """The set of the items' names."""
        return Members(self.universe.named, self.bits)


def shared_sum(
    known: dict[Any, Any],
    key: Any,
    members: Members[T],
    pick: Callable[[Members[T]], T],
    value: Callable[[T], Any],
) -> Any:
    """Sum of values over members, made from the sum over all but the one that `pick` returns.

    If that sum is not known, all but the stretch of that member: sets of a grid share the stretches
    of its rows. `known` holds sums by (key, members) and is extended in place; a value may be None.
    """
    pending = []
    while members and (key, members) not in known:
        part = members.universe.only(pick(members))
        if (key, members - part) not in known:
            stretch = members.stretch(pick(members))
            part = part if stretch == members else stretch
        pending.append((members, part))
        members = members - part
    total = known.get((key, members))
    for more, part in reversed(pending):
        item = pick(part)
        own = value(item) if len(part) == 1 else shared_sum(known, key, part, pick, value)
        if own is not None:
            total = own if total is None else total + own
        known[key, more] = total
    return total


def name_of(item: Any) -> str:
    """The name of an item; a string is its own name."""
    return item if isinstance(item, str) else item.name or ""


def names(items: Iterable[Any]) -> str:
    """Names in a list, the middle of a long one left out."""
    every = items if isinstance(items, Members) else tuple(items)
    if len(every) <= LONGEST:
        return ", ".join(map(name_of, every))
    last = every.last if isinstance(every, Members) else every[-1]
    return ", ".join([*map(name_of, islice(every, 3)), "…", name_of(last)])


def added(members: Members[T], kind: str, word: Callable[[T], str] = name_of) -> str:
    """Words for members as a sum; of a long sum only the ends and the number of summands."""
    if len(members) <= LONGEST:
        return " + ".join(map(word, members))
    first, second = map(word, islice(members, 2))
    return f"{first} + {second} + … + {word(members.last)}, {len(members)} {kind}"
