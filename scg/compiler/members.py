"""Sets of names, as bits: a large one costs no more than a small one until it is listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from scg.compiler.analyse import bits

#: Names that are listed; of more the first three and the last.
LONGEST = 8


class Members(Sequence[str]):
    """Some of many names, in their order.

    Parameters
    ----------
    word : callable
        From the number of a member to its name.
    members : int
        The set, one bit for each.
    """

    def __init__(self, word: Callable[[int], str], members: int):
        self.word, self.members = word, members

    def __len__(self) -> int:
        return self.members.bit_count()

    def __iter__(self) -> Iterator[str]:
        return map(self.word, bits(self.members))

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.members)

    def __or__(self, other: Members) -> Members:
        return Members(self.word, self.members | other.members)

    def __repr__(self) -> str:
        return f"Members({names(self)})"

    def ends(self, first: int) -> list[str]:
        """Return the first names, and the last one."""
        return [*islice(self, first), self.word(self.members.bit_length() - 1)]


def names(every: Iterable[str]) -> str:
    """Join names, the middle of a long list left out."""
    words = every if isinstance(every, Members) else tuple(every)
    if len(words) > LONGEST:
        ends = words.ends(3) if isinstance(words, Members) else [*words[:3], words[-1]]
        words = [*ends[:3], "…", ends[3]]
    return ", ".join(words)


def added(every: Members, kind: str) -> str:
    """Join names to a sum, the middle of a long one left out, and say of how many."""
    if len(every) > LONGEST:
        first, second, last = every.ends(2)
        return f"{first} + {second} + … + {last}, {len(every)} {kind}"
    return " + ".join(every)
