"""Options of pictures, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from scg.engine.profile import Profile
from scg.errors import CallError, did_you_mean
from scg.graph.core import CoreGraph

_CHOICES = {
    "direction": (None, "down", "right"),
    "labels": ("names", "shapes", "formulas"),
    "style": ("screen", "paper"),
}

_ROLES = ("parameter", "data", "deterministic", "stochastic", "cost", "network")
_LISTED = 8  #: Scopes that an error names.


@dataclass(frozen=True)
class Options:
    """How a picture is drawn.

    Attributes
    ----------
    direction : {None, "down", "right"}
        Where arrows point. By default down, and time, if there is any, runs to the right.
    labels : {"names", "shapes", "formulas"}
        Names and distributions; with shapes; or with what nodes compute and estimators estimate.
    hide : str or sequence of str
        Names, patterns such as ``"decoder*"``, or roles ("parameter", "data", ...) to leave out.
        Arrows through hidden deterministic nodes remain.
    fold : None, bool, str or sequence of str
        Patterns of scopes that become one box each, or True for all outermost scopes. By default
        parameters are folded by scope, and large graphs further; with False nothing is.
    notes : bool or mapping
        Whether nodes show their estimators and a legend is drawn; or other notes by name.
    size : None, float, or (width, height)
        Size in inches that the picture does not exceed.
    style : {"screen", "paper"}
        For screens, light or dark as the reader's system is; or for print.
    heat : mapping or None
        Numbers by name of a node, shown as warm colours; for a schedule, a profile of the step.
    unfold : str or sequence of str
        Patterns of networks and scopes that are not folded; a network then shows its layers.
    opened : tuple of str
        Patterns of boxes that were pressed: of scopes, networks, parameters and repetitions.
    """

    direction: str | None = None
    labels: str = "names"
    hide: str | Sequence[str] = ()
    fold: bool | str | Sequence[str] | None = None
    notes: bool | Mapping[str, str] = True
    size: float | tuple[float, float] | None = None
    style: str = "screen"
    heat: Mapping[str, float] | Profile | None = None
    unfold: str | Sequence[str] = ()
    opened: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                expected = ", ".join(f'"{k}"' for k in known if k)
                raise CallError(f"draw: {name} must be one of {expected}, got {value!r}")
        for name in ("hide", "fold", "unfold"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, (value,))
            elif name != "fold" or not (isinstance(value, bool) or value is None):
                several = value if isinstance(value, (tuple, list, set, frozenset)) else (value,)
                if wrong := [item for item in several if not isinstance(item, str)]:
                    raise CallError(f"draw: {name} takes names or patterns, got {wrong[0]!r}")
        sizes = self.size if isinstance(self.size, (tuple, list)) else (self.size,)
        numbers = all(isinstance(n, (int, float)) and 0 < n < 1e4 for n in sizes)
        if self.size is not None and not (numbers and len(sizes) <= 2):
            raise CallError(
                f"draw: size is a width in inches or (width, height), got {self.size!r}"
            )
        if self.heat is not None and not isinstance(self.heat, (Mapping, Profile)):
            raise CallError(f"draw: heat is a number by name of a node, got {self.heat!r}")
        if isinstance(self.heat, Mapping):
            for name, value in self.heat.items():
                if not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
                    raise CallError(f"draw: the heat of {name!r} must be a number, got {value!r}")
        if not isinstance(self.notes, (bool, Mapping)):
            raise CallError(
                f"draw: notes are True, False or texts by name of a node, got {self.notes!r}"
            )

    def hides(self, name: str, role: str) -> bool:
        """Whether a node is left out."""
        return any(matches(name, pattern) or pattern == role for pattern in self.hide)

    def check_names(self, graph: CoreGraph) -> None:
        """Raise if an option names a node or a scope that a graph does not have."""
        self.check_hidden(graph.roles)
        for option in ("notes", "heat"):
            given = getattr(self, option)
            for name in given if isinstance(given, Mapping) else ():
                if name not in graph.roles:
                    near = did_you_mean(name, graph.roles)
                    raise CallError(f"draw: {option} names {name!r}, which is not a node{near}")
        self.check_scopes(graph)

    def check_hidden(self, names: Collection[str]) -> None:
        """Raise an error if a pattern of ``hide=`` is not a role and matches no name."""
        for pattern in self.hide:
            if pattern not in _ROLES and not any(matches(name, pattern) for name in names):
                near = did_you_mean(pattern, names)
                raise CallError(f"draw: hide names {pattern!r}, which is not a node{near}")

    def check_scopes(self, graph: CoreGraph) -> None:
        """Raise an error if a pattern of ``fold=`` or ``unfold=`` matches no scope."""
        inner = (name.split("/")[:-1] for name in (*graph.roles, *(f"{n}/" for n in graph.layers)))
        scopes = {"/".join(parts[:i]): None for parts in inner for i in range(1, len(parts) + 1)}
        for option in ("fold", "unfold"):
            given = getattr(self, option)
            for pattern in given if isinstance(given, Collection) else ():
                if not any(matches(scope, pattern.rstrip("/")) for scope in scopes):
                    most = [*scopes][:_LISTED]
                    known = ", ".join(most) + (", …" if len(scopes) > len(most) else "")
                    raise CallError(
                        f"draw: {option} names {pattern!r}, which is not a scope"
                        f"{did_you_mean(pattern, scopes)}; "
                        + (f"scopes are {known}" if scopes else "the graph has no scopes")
                    )

    def folds(self, scope: str) -> bool:
        """Whether the options fold a scope to one box."""
        if self.unfolds(scope):
            return False
        if self.fold is None or isinstance(self.fold, bool):
            return self.fold is True and "/" not in scope
        return any(matches(scope, pattern.rstrip("/")) for pattern in self.fold)

    def unfolds(self, scope: str) -> bool:
        """Whether a scope, or another box, stays unfolded by the user's wish."""
        names = [name.rstrip("/") for name in scope.split("\n")]
        patterns = [pattern.rstrip("/") for pattern in (*self.unfold, *self.opened)]
        return any(matches(name, pattern) for name in names for pattern in patterns)

    @property
    def inches(self) -> str:
        """The size as DOT writes it."""
        if self.size is None:
            return ""
        pair = self.size if isinstance(self.size, (tuple, list)) else (self.size, 1e3)
        return ",".join(f"{n:g}" for n in pair)


def matches(name: str, pattern: str) -> bool:
    """Whether a name is a pattern, or fits it; brackets in a name are not a pattern."""
    return name == pattern or fnmatchcase(name, pattern.replace("[", "[[]"))
