"""The lab of the coin, which the build writes beside the pages: see ``scg lab``."""

from pathlib import Path
from typing import Any

from scg.command.lab import lab


def write(app: Any, error: Exception | None) -> None:
    """Write the page."""
    if error is None and app.builder.format == "html":
        lab("coin", Path(app.outdir) / "lab.html")


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
