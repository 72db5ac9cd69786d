"""Pictures of a report: curves, bars and images, as text that HTML can hold."""

from __future__ import annotations

import base64
import html
import math
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

COLORS = ("#1f6fb4", "#d95f02", "#2a8f5b", "#7b5fb0", "#666666")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 280, 56, 12, 30, 40  # legible on a phone


def curves(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """Return an SVG of one curve for each name.

    Parameters
    ----------
    series : mapping
        Points (x, y) by name.
    x_label, y_label : str
        What the axes show.
    """
    points = [point for curve in series.values() for point in curve]
    (x0, x1), (y0, y1) = (_range([p[axis] for p in points]) for axis in (0, 1))

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for y in _ticks(y0, y1):
        _, down = place(x0, y)
        parts.append(f'<path d="M{LEFT} {down:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, down + 4, f"{y:g}", "end"))
    below = HEIGHT - BOTTOM + 16
    parts += [_text(place(x, y0)[0], below, f"{x:g}", "middle") for x in _ticks(x0, x1)]
    across = LEFT
    for (name, curve), color in zip(series.items(), COLORS, strict=False):
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in (place(*point) for point in curve))
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(_text(across, 16, name, "start", color))
        across += 7 * len(name) + 24
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 6, f"{y_label} against {x_label}", "middle"))
    return _svg(parts, HEIGHT, f"{y_label} against {x_label}")


def bars(values: Mapping[str, float], label: str) -> str:
    """Return an SVG of horizontal bars on a logarithmic scale, each with its value.

    Parameters
    ----------
    values : mapping
        Positive numbers by name.
    label : str
        What the bars show.
    """
    logs = {name: math.log10(value) for name, value in values.items()}
    low = math.floor(min(logs.values()) - 0.3)
    high = max(math.ceil(max(logs.values())), low + 1)
    parts, left, scale = [], 150, (WIDTH - 150 - 90) / (high - low)
    for row, (name, color) in enumerate(zip(values, COLORS, strict=False)):
        down, length = 12 + 34 * row, (logs[name] - low) * scale
        parts.append(_text(left - 8, down + 16, name, "end"))
        parts.append(
            f'<rect x="{left}" y="{down}" width="{length:.1f}" height="22" fill="{color}"/>'
        )
        parts.append(_text(left + length + 6, down + 16, f"{values[name]:.2e}", "start"))
    height = 12 + 34 * len(values) + 26
    parts.append(_text(left, height - 8, f"{label}; logarithmic, from 1e{low}", "start"))
    return _svg(parts, height, label)


def image_grid(rows: np.ndarray, height: int, label: str, columns: int = 12) -> str:
    """Return an ``<img>`` of grey images, ink dark, `columns` in a row.

    Parameters
    ----------
    rows : ndarray, shape (images, pixels)
        Values in [0, 1].
    height : int
        Pixel rows of an image.
    label : str
        The text for those who do not see it.
    """
    width = rows.shape[1] // height
    count = -(-len(rows) // columns)
    canvas = np.full((count * (height + 1) + 1, columns * (width + 1) + 1), 200, np.uint8)
    for i, row in enumerate(rows):
        down, across = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        ink = 255 * (1 - np.clip(row.reshape(height, width), 0, 1))
        canvas[down : down + height, across : across + width] = ink.round()
    data = base64.b64encode(png(canvas)).decode()
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(label)}" class="pixels" '
        f'width="{canvas.shape[1] * 4}">'
    )


def png(grey: np.ndarray) -> bytes:
    """Return an image of bytes, shape (height, width), as a PNG file (RFC 2083)."""
    height, width = grey.shape

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + grey[row].tobytes() for row in range(height))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers between two."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (factor * step) >= 4)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _text(x: float, y: float, text: str, anchor: str, color: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">'
        f"{html.escape(text)}</text>"
    )


def _svg(parts: Sequence[str], height: int, label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{html.escape(label)}" font-family="sans-serif" font-size="13">'
        f"{''.join(parts)}</svg>"
    )
