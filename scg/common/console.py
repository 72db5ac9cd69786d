"""Console: where progress bars are shown."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def progress_console() -> Console:
    """The standard error stream: as a widget in notebooks, or as a terminal without ipywidgets."""
    from rich.console import Console

    found = Console(stderr=True)
    if found.is_jupyter and importlib.util.find_spec("ipywidgets") is None:
        return Console(stderr=True, force_jupyter=False, force_terminal=True, width=79)
    return found
