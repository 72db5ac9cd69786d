"""Text of verification: numbers, and tables of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.ir.tables import aligned


def outcome_table(
    outcome: Mapping[str, Any], probability: Any, cost: Any, estimate: Mapping[str, Any], left: int
) -> str:
    """Outcomes, a line each; `left` less probable ones are left out."""
    columns = {**outcome, "cost": cost, **{f"∂/∂{name}": v for name, v in estimate.items()}}
    lines = [["probability", *columns]]
    for i, p in enumerate(probability):
        lines.append([f"{p:.6f}", *(short(values[i]) for values in columns.values())])
    return aligned(lines) + (f"\n... and {left} less probable outcomes" if left else "")


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
