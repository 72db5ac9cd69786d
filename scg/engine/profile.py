"""The profile of a step: how long each entry of its schedule takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from scg.common.frame import frame
from scg.ir.tables import grid
from scg.schedule.listing import Line

_ALONE = {"loop": "steps of a scan wait for each other", "NumPy": "Python computes"}


class Timing(NamedTuple):
    """Median seconds of an entry, its rows, and how many of them threads share."""

    seconds: float = 0.0
    rows: int = 0
    shared: int = 0


@dataclass(frozen=True)
class Profile:
    """Median seconds of every entry of a step, and how often it runs in one call.

    Threads share the rows of an entry if its `shared` holds.
    """

    rows: tuple[tuple[float, int, Line], ...]
    shared: tuple[bool, ...]

    @property
    def total(self) -> float:
        """Seconds of all entries."""
        return sum(seconds for seconds, _, _ in self.rows)

    @property
    def shares(self) -> dict[str, float]:
        """Seconds of the entries that are cut for threads, and of the others by the reason."""
        found: dict[str, float] = {}
        for (seconds, _, line), shared in zip(self.rows, self.shared, strict=True):
            why = _ALONE.get(line.kernel, "cut for threads" if shared else "too small to cut")
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
