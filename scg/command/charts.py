"""Pictures of a report: curves, bars and images, as text that HTML can hold."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scg.errors import ScgError

COLORS = ("#1f6fb4", "#d95f02", "#2a8f5b", "#7b5fb0", "#666666")


def curves(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """Curves of points (x, y) by name, as an ``<svg>`` element."""
    figure, axes = _axes(f"{y_label} against {x_label}")
    for (name, points), color in zip(series.items(), COLORS, strict=False):
        axes.plot(*np.transpose(points), color=color, label=name)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(color="#dddddd")
    axes.legend(frameon=False)
    return _svg(figure)


def bars(values: Mapping[str, float], label: str) -> str:
    """Horizontal bars of positive numbers on a logarithmic axis, as an ``<svg>`` element."""
    figure, axes = _axes(label)
    shown = axes.barh(list(values), list(values.values()), color=COLORS[: len(values)])
    axes.bar_label(shown, fmt="%.2e", padding=4)
    axes.invert_yaxis()  # the first on top
    axes.set(xscale="log", xlabel=f"{label} (logarithmic)")
    axes.margins(x=0.25)
    return _svg(figure)


def image_grid(rows: np.ndarray, height: int, label: str) -> str:
    """Images of values in [0, 1], of which 1 is dark, as an ``<img>`` element.

    One row is one image, `height` pixels high; twelve of them stand side by side.
    """
    columns = 12
    width = rows.shape[1] // height
    count = -(-len(rows) // columns)
    canvas = np.full((count * (height + 1) + 1, columns * (width + 1) + 1), 0.8)
    for i, row in enumerate(rows):
        down, across = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        canvas[down : down + height, across : across + width] = 1 - row.reshape(height, width)
    file = io.BytesIO()
    _matplotlib().image.imsave(file, canvas, cmap="gray", vmin=0, vmax=1, format="png")
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(label)}" class="pixels" '
        f'width="{canvas.shape[1] * 4}">'
    )


def _matplotlib() -> Any:
    try:
        import matplotlib.figure
        import matplotlib.image
    except ImportError as error:
        raise ScgError("the report needs matplotlib: pip install 'scgrad[draw]'") from error
    return matplotlib


def _axes(title: str) -> tuple[Any, Any]:
    figure = _matplotlib().figure.Figure(figsize=(6, 3.5), layout="constrained")
    figure.set_label(title)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    file = io.StringIO()
    with _matplotlib().rc_context({"svg.fonttype": "none", "svg.hashsalt": "scg"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    label = html.escape(figure.get_label())
    return f'<svg class="chart" role="img" aria-label="{label}" ' + text.partition("<svg ")[2]
