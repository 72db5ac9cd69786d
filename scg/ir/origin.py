"""Origins: the declaration for which an expression was first made, for profiles and drawings."""

from __future__ import annotations

import functools
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


@dataclass
class Origin:
    """A declaration; expressions that are built while it is under way belong to it.

    A pass that builds expressions from another one first sets ``graph.origin`` to its origin.

    Attributes
    ----------
    name : str or None
        The declared name; None while the declaration is under way.
    line : str
        Where the user declared it: "file.py:12".
    """

    name: str | None = None
    line: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.line})" if self.line else str(self.name)


def caller() -> str:
    """Line outside of scg, or in one of its models, that is being executed: "file.py:12"."""
    frame = _user_frame()
    return f"{_name(frame.f_code.co_filename)}:{frame.f_lineno}"


@functools.cache
def _name(path: str) -> str:
    return Path(path).name


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line outside of scg that is being executed."""
    frame = _user_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__", "")  # of None Python would drop the warning
    place = (frame.f_code.co_filename, frame.f_lineno, module)
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
