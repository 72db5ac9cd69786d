"""Origins: which declaration an expression was first made for, for profiles and drawings."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


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
    frame = _user_frame()
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line outside of scg that is being executed."""
    frame = _user_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    place = (frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__"))
    warnings.warn_explicit(message, category, *place, registry)


def _user_frame() -> FrameType:
    frame = sys._getframe(2)
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        ours = module.startswith("scg.") and not module.startswith("scg.models")
        if not ours and module != "contextlib":  # whose decorators lie between two of ours
            break
        frame = frame.f_back
    return frame
