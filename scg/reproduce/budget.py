"""Budget of a page: pieces of work that are done and planned, their seconds, and what is left out.

"Left out" are the missing pieces of the longest training that a page has; shorter ones were trials.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from statistics import median
from typing import Any

from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.paper import Conditions, Paper

HOURS = 24  # that the pieces of a page may take in all
_Group = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Budget:
    """The work of a paper, by the ledger in a folder.

    Attributes
    ----------
    paper : Paper
        The experiment.
    ledger : Ledger
        Its finished pieces of work.
    """

    paper: Paper
    ledger: Ledger

    @property
    def lengths(self) -> list[int]:
        """Updates of the training runs that were begun; 0 if the paper trains nothing."""
        return sorted({r.get("updates", 0) for r in self.ledger.records if "cell_seconds" in r})

    def planned(self, updates: int) -> list[Record]:
        """The keys of all pieces of work with runs of this length."""
        under = Conditions("", self.ledger.path.parent, updates)
        pieces = self.paper.pieces(under, self.ledger)
        return list({tuple(piece.key.items()): piece.key for piece in pieces}.values())

    def missing(self) -> list[Record]:
        """The keys of the pieces that the longest runs lack."""
        longest = self.lengths[-1:]
        keys = [key for updates in longest for key in self.planned(updates)]
        return [key for key in keys if not self.ledger.find(**key)]

    def timed(self, kind: str, updates: int) -> list[Record]:
        """The finished pieces whose seconds are known."""
        found = self.ledger.find(kind=kind)
        return [r for r in found if r.get("updates", 0) == updates and "cell_seconds" in r]

    def rows(self) -> Iterator[tuple[str, int, int, int, float, float, float]]:
        """By length and kind: pieces done and planned, seconds of one, hours spent and left.

        Seconds are those of the processor; where older records lack them, those of the clock. Where
        no finished piece was timed, the seconds are not a number, and the hours are 0.
        """
        for updates in self.lengths:
            keys = self.planned(updates)
            for kind in dict.fromkeys(key["kind"] for key in keys):
                planned = [key for key in keys if key["kind"] == kind]
                done = sum(bool(self.ledger.find(**key)) for key in planned)
                records = self.timed(kind, updates)
                spent = [r.get("cell_cpu", r["cell_seconds"]) for r in records]
                each = median([r["cell_cpu"] for r in records if "cell_cpu" in r] or spent or [nan])
                left = len(planned) - done if updates == self.lengths[-1] else 0
                hours = sum(spent) / 3600, left * each / 3600 if spent else 0.0
                yield kind, updates, done, len(planned), each, *hours

    def left_out(self) -> str:
        """The missing pieces, those that differ in one entry on one line."""
        groups: list[_Group] = []
        for key in self.missing():
            # Rates are chosen, so that those of missing runs may change.
            shown = {name: (v,) for name, v in key.items() if name not in ("rate", "updates")}
            if shown not in groups:
                _insert(groups, shown)
        return "\n".join(f"- {_line(group)}" for group in groups)


def _insert(groups: list[_Group], new: _Group) -> None:
    """Add a group, and merge groups while two of them differ in the values of one entry."""
    for old in groups:
        differ = [name for name in old | new if old.get(name) != new.get(name)]
        if len(differ) == 1 and old.keys() == new.keys():
            groups.remove(old)
            (name,) = differ
            both = tuple(dict.fromkeys(old[name] + new[name]))
            _insert(groups, {**old, name: both})
            return
    groups.append(new)


def _line(group: _Group) -> str:
    kinds, *rest = ((name, _joined(values)) for name, values in group.items())
    return " · ".join([kinds[1], *(f"{name} {values}" for name, values in rest)])


def _joined(values: tuple[Any, ...]) -> str:
    words = list(map(str, values))
    return ("; " if any("," in word for word in words) else ", ").join(words)
