"""Plot: what the plots of verification share, and the variances of a comparison as bars."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.files import write_atomically
from scg.errors import ScgError
from scg.verify.row import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Colours that colour-blind readers can tell apart (Okabe and Ito), and marks beside them.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKS = "os^Dv*X"
_WIDE = 30.0  # variances that differ by a larger factor are shown on a logarithmic axis


def canvas(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ScgError(
            "a plot needs matplotlib: pip install 'scgrad[draw]'; printing the result needs nothing"
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def saved(figure: Figure, path: str | PathLike[str] | None) -> Figure:
    """The figure, written to a path if one is given; without a suffix as PNG."""
    if path is not None:
        place, content = Path(path), io.BytesIO()
        place = place if place.suffix or not place.name else place.with_suffix(".png")
        figure.savefig(content, format=place.suffix[1:] or "png")
        write_atomically(place, content.getvalue())
    return figure


def plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def bars(named: Mapping[str, Row], path: str | PathLike[str] | None) -> Figure:
    """Draw variances with two standard errors, and write the picture to a path, if one is given."""
    figure = canvas(7, 1.2 + 0.4 * len(named))
    axes = figure.subplots()
    rows = list(named.values())
    axes.barh(
        [plain(row.marked(name)) for name, row in named.items()],
        [row.variance for row in rows],
        xerr=[2.0 * row.variance_stderr for row in rows],
        color=["#4c78a8" if row.unbiased else "#d0d0d0" for row in rows],
        hatch=["" if row.unbiased else "//" for row in rows],
    )
    left, positive = 0.0, [row.variance for row in rows if row.variance > 0]
    if positive and far_apart(positive):
        left = min(positive) / 3.0
        axes.set_xscale("log")
    for y, row in enumerate(rows):
        end = max(row.variance + 2.0 * row.variance_stderr, left)
        axes.annotate(f"{row.variance:.3g}", (end, y), (4, -3), textcoords="offset points")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlim(left=left)
    axes.set_xlabel("variance of a single-run gradient, summed over its components")
    return saved(figure, path)


def far_apart(values: Sequence[float] | np.ndarray) -> bool:
    """Whether numbers are positive and differ by a factor that a logarithmic axis suits."""
    found = np.asarray(values)
    return bool(np.all(found > 0) and np.max(found) > _WIDE * np.min(found))


def panel(
    axes: Any, x: np.ndarray, lines: Mapping[str, tuple[np.ndarray, bool]], truth: np.ndarray | None
) -> None:
    """Draw lines by name, dashed if biased; logarithmic if positive and far apart."""
    if truth is not None:
        axes.plot(x, truth, ":", color="black", linewidth=2.5, zorder=3, label="truth")
    for k, (name, (y, unbiased)) in enumerate(lines.items()):
        axes.plot(
            x,
            y,
            color=COLOURS[k % len(COLOURS)],
            marker=MARKS[k % len(MARKS)],
            markevery=max(len(x) // 8, 1),
            markersize=4,
            linestyle="-" if unbiased else "--",
            label=plain(name) if unbiased else f"{plain(name)} (BIASED)",
        )
    if truth is None and far_apart(np.concatenate([y for y, _ in lines.values()])):
        axes.set_yscale("log")
    axes.grid(alpha=0.25)


def distributions(
    probability: np.ndarray,
    panels: Sequence[tuple[str, np.ndarray, float, float]],
    path: str | PathLike[str] | None,
) -> Figure:
    """Draw for each name the probabilities of its values, their mean and standard deviation."""
    figure = canvas(0.6 + 3.4 * max(len(panels), 1), 3.0)
    parts = figure.subplots(1, max(len(panels), 1), squeeze=False, sharey=True)[0]
    for axes, (name, values, mean, spread) in zip(parts, panels, strict=False):
        found, where = np.unique(np.round(values, 12), return_inverse=True)
        axes.vlines(found, 0.0, np.bincount(where.ravel(), probability), COLOURS[0], linewidth=3.0)
        axes.axvspan(mean - spread, mean + spread, color=COLOURS[4], alpha=0.2)
        axes.axvline(mean, color=COLOURS[1], label=f"mean {mean:.4g} ± {spread:.3g}")
        axes.set_title(plain(name))
        axes.set_ylim(bottom=0.0)
        axes.legend(loc="best", fontsize="small")
    parts[0].set_ylabel("probability")
    return saved(figure, path)
