"""Results by name, which say what names there are."""

from __future__ import annotations

from typing import Any

from scg.errors import CallError, did_you_mean


class NameNotFound(CallError, KeyError):
    """No result has this name."""

    __str__ = Exception.__str__  # that of a KeyError puts the message in quotes


class Named(dict[str, Any]):
    """A dict whose error for an unknown name lists the names.

    Results that are keyed by parameter are plain dicts, because JAX takes a subclass for one leaf.
    """

    def __missing__(self, name: object) -> Any:
        raise not_found(name, self)


def not_found(name: object, names: Any) -> NameNotFound:
    """The error for an unknown name."""
    known = ", ".join(map(repr, names)) or "none"
    return NameNotFound(f"no {name!r}{did_you_mean(name, names)}; there are: {known}")
