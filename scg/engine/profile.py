"""The profile of a step: how long each entry of its schedule takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scg.common.frame import frame
from scg.ir.tables import grid
from scg.schedule.listing import Line

_ALONE = {"loop": "steps of a scan wait for each other", "NumPy": "Python computes"}


@dataclass(frozen=True)
class Profile:
    """Median seconds of every entry of a step, and how often it runs in one call."""

    rows: tuple[tuple[float, int, Line], ...]

    @property
    def total(self) -> float:
        """Seconds of all entries."""
        return sum(seconds for seconds, _, _ in self.rows)

    @property
    def shares(self) -> dict[str, float]:
        """Seconds of the entries that are cut for threads, and of the others by the reason."""
        found: dict[str, float] = {}
        for seconds, rows, line in self.rows:
            why = _ALONE.get(line.kernel, "cut for threads" if rows > 1 else "too small to cut")
            found[why] = found.get(why, 0.0) + seconds
        return found

    def __str__(self) -> str:
        lines = [f"{self.total * 1e6:10.1f} µs in {len(self.rows)} entries"]
        lines += [f"{s * 1e6:10.1f} µs       {why}" for why, s in self.shares.items()]
        lines += [f"{s * 1e6:10.1f} µs {n:>4}x {row}" for s, n, row in self._slowest_first]
        return "\n".join(lines)

    def to_frame(self) -> Any:
        """The entries as a pandas DataFrame, in the order in which they run."""
        return frame(
            {"seconds": s, "rows": n, "kernel": row.kernel, "over": row.space, "ops": row.ops}
            for s, n, row in self.rows
        )

    def _repr_html_(self) -> str:
        rows = [
            [f"{s * 1e6:.1f} µs", f"{n}×", row.kernel, row.space, row.ops, ", ".join(row.origins)]
            for s, n, row in self._slowest_first
        ]
        shares = (f"{s * 1e6:.1f} µs: {why}" for why, s in self.shares.items())
        caption = f"{self.total * 1e6:.1f} µs in {len(rows)} entries ({'; '.join(shares)})"
        return grid(["time", "rows", "kernel", "over", "operations", "for"], rows, caption)

    @property
    def _slowest_first(self) -> list[tuple[float, int, Line]]:
        return sorted(self.rows, key=lambda row: -row[0])
