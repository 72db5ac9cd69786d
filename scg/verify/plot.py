"""Plot: the variances of a comparison as bars."""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from scg.errors import ScgError
from scg.files import write_atomically
from scg.verify.row import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 30.0  # variances that differ by a larger factor are shown on a logarithmic axis


def bars(named: Mapping[str, Row], path: str | PathLike[str] | None) -> Figure:
    """Draw variances with two standard errors, and write the picture to a path, if one is given."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ScgError(
            "a plot needs matplotlib: pip install 'scg[draw]'; print(comparison) needs nothing"
        ) from None
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(named)), layout="constrained")
    axes = figure.subplots()
    rows = list(named.values())
    axes.barh(
        [row.marked(name).replace("$", r"\$") for name, row in named.items()],
        [row.variance for row in rows],
        xerr=[2.0 * row.variance_stderr for row in rows],
        color=["#4c78a8" if row.unbiased else "#d0d0d0" for row in rows],
        hatch=["" if row.unbiased else "//" for row in rows],
    )
    left, positive = 0.0, [row.variance for row in rows if row.variance > 0]
    if positive and max(positive) > _WIDE * min(positive):
        left = min(positive) / 3.0
        axes.set_xscale("log")
    for y, row in enumerate(rows):
        end = max(row.variance + 2.0 * row.variance_stderr, left)
        axes.annotate(f"{row.variance:.3g}", (end, y), (4, -3), textcoords="offset points")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlim(left=left)
    axes.set_xlabel("variance of a single-run gradient, summed over its components")
    if path is not None:
        place, content = Path(path), io.BytesIO()
        place = place if place.suffix else place.with_suffix(".png")
        figure.savefig(content, format=place.suffix[1:])
        write_atomically(place, content.getvalue())
    return figure
