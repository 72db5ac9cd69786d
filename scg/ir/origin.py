"""Origins: which declaration an expression was first made for, for profiles and drawings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Origin:
    """A declaration that is under way, or done: what is built meanwhile belongs to it.

    A pass that builds expressions from an expression gives them its origin: it sets
    ``graph.origin`` first.

    Attributes
    ----------
    name : str or None
        The declared name, once there is one.
    line : str
        Where it was declared: "file.py:12".
    """

    name: str | None = None
    line: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.line})" if self.line else str(self.name)


def caller() -> str:
    """Return the line outside of scg, or in one of its models, that is being executed."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("scg.") or module.startswith("scg.models"):
            break
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
