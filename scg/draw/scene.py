"""Scenes: what a picture shows, before DOT or TikZ writes it down."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple


class Text(NamedTuple):
    """A line of a label, which looks like a "title", "detail", "note" or "warning"."""

    text: str
    look: str = "detail"


@dataclass
class Mark:
    """A node of a picture.

    Attributes
    ----------
    kind : str
        Its look: "parameter", "data", "deterministic", "stochastic", "cost", "observed", "scope",
        or the use of a colour that fills a box.
    lines : list of Text
        Its label.
    members : tuple of str
        The declared names that it stands for.
    groups : tuple
        The boxes that it lies in, outermost first.
    folded : bool
        Whether it stands for a repetition.
    fill : str
        The use of a colour that fills it.
    opens : str
        The pattern of the folded box that it is, or that it was taken from; empty if there is none.
    opened : bool
        Whether it was taken from that box.
    """

    kind: str
    lines: list[Text]
    members: tuple[str, ...] = ()
    groups: tuple[Hashable, ...] = ()
    folded: bool = False
    fill: str = ""
    opens: str = ""
    opened: bool = False

    @property
    def title(self) -> str:
        """The first line."""
        return self.lines[0].text if self.lines else ""


@dataclass(frozen=True)
class Link:
    """An arrow of a picture.

    Attributes
    ----------
    kinds : frozenset of str
        The ways in which credit flows back along it; see :data:`scg.draw.theme.WAYS`.
    blocked : tuple of str
        If none does: the ops that cut credit off.
    density : bool
        Whether the head uses the distribution of the tail as well as, or instead of, its value.
    label : str
        Text beside it.
    later : bool
        Whether it leads to the next element of an ordered plate.
    """

    kinds: frozenset[str] = frozenset()
    blocked: tuple[str, ...] = ()
    density: bool = False
    label: str = ""
    later: bool = False

    def __or__(self, other: Link) -> Link:
        kinds = self.kinds | other.kinds
        blocked = () if kinds else tuple(dict.fromkeys((*self.blocked, *other.blocked)))
        density, later = self.density or other.density, self.later and other.later
        labels = (link.label for link in (self, other) if later or not link.later)
        label = next(filter(None, labels), "")
        return Link(kinds, blocked, density, label, later)


@dataclass
class Scene:
    """Nodes, arrows, boxes and rows of a picture.

    `groups` are the labels and line styles of boxes around nodes; `rows` are nodes side by side,
    the first one left; `caption` are lines below the picture. `upward` are the nodes of a second
    column, in which arrows point up; each is drawn beside another node, if it has one.
    """

    title: str
    marks: dict[str, Mark] = field(default_factory=dict)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    groups: dict[Hashable, tuple[str, str]] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    caption: list[tuple[str, str]] = field(default_factory=list)  #: (use of a colour, text)
    upward: dict[str, str | None] = field(default_factory=dict)

    @property
    def ids(self) -> dict[str, str]:
        """The identifier of each node."""
        return {key: f"n{i}" for i, key in enumerate(self.marks)}

    def joined(self, owner: dict[str, str]) -> dict[tuple[str, str], Link]:
        """The arrows between the owners of their ends."""
        found: dict[tuple[str, str], Link] = {}
        for (tail, head), link in self.links.items():
            ends = owner.get(tail, tail), owner.get(head, head)
            if ends[0] != ends[1] or link.later:
                found[ends] = found[ends] | link if ends in found else link
        return found
