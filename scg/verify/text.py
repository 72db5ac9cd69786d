"""Text of verification: numbers, and tables of them in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def aligned(lines: Sequence[Sequence[str]], left: int = 0) -> str:
    """Cells in columns, all but the first `left` of them aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = ["<"] * left + [">"] * (len(widths) - left)
    return "\n".join(
        "  ".join(f"{cell:{s}{w}}" for cell, s, w in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    )


def outcome_table(rows: list[tuple[float, dict[str, Any]]], limit: int) -> str:
    """The most probable outcomes, each a probability and its values by name, in their order."""
    most = sorted(range(len(rows)), key=lambda i: -rows[i][0])[:limit]
    lines = [["probability", *(rows[0][1] if rows else ())]]
    for i in sorted(most):
        probability, values = rows[i]
        lines.append([f"{probability:.6f}", *map(short, values.values())])
    rest = f"\n... and {len(rows) - limit} less probable outcomes" if len(rows) > limit else ""
    return aligned(lines) + rest


def short(value: Any) -> str:
    """The first six numbers of an array."""
    words = [f"{x:.6g}" for x in np.ravel(value)[:6]]
    return ", ".join(words) + (", ..." if np.size(value) > 6 else "")


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
