"""The table of an executable in words: what a person prints, and what a profile is said of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scg.ir.expr import Expr
from scg.ir.tables import grid
from scg.schedule.fuse import Gemm, Loop

if TYPE_CHECKING:
    from scg.engine.walk.executable import Executable


@dataclass(frozen=True)
class Row:
    """One entry: what runs, over which axes, what it reads and writes, and for which nodes."""

    kernel: str
    space: str
    ops: str
    reads: str
    writes: str
    origins: tuple[str, ...]

    def __str__(self) -> str:
        lines = (f"{self.reads} -> {self.writes}", f"for {', '.join(self.origins)}")
        return "".join(
            [f"{self.kernel:<9} {self.space:<24} {self.ops}", *(f"\n{'':>16}{x}" for x in lines)]
        )


@dataclass(frozen=True)
class Profile:
    """Median seconds of every entry of a step, and how often it runs in one call."""

    rows: tuple[tuple[float, int, Row], ...]

    @property
    def total(self) -> float:
        """Seconds of all entries."""
        return sum(seconds for seconds, _, _ in self.rows)

    def __str__(self) -> str:
        lines = [f"{self.total * 1e6:10.1f} µs in {len(self.rows)} entries"]
        lines += [f"{s * 1e6:10.1f} µs {n:>4}x {row}" for s, n, row in self._slowest_first]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            [f"{s * 1e6:.1f} µs", f"{n}×", row.kernel, row.space, row.ops, ", ".join(row.origins)]
            for s, n, row in self._slowest_first
        ]
        caption = f"{self.total * 1e6:.1f} µs in {len(rows)} entries"
        return grid(["time", "rows", "kernel", "over", "operations", "for"], rows, caption)

    @property
    def _slowest_first(self) -> list[tuple[float, int, Row]]:
        return sorted(self.rows, key=lambda row: -row[0])


def rows(executable: Executable) -> list[Row]:
    """Describe every entry of an executable, in order."""
    number: dict[str, int] = {}
    names: dict[Expr, str] = {}
    out = []
    for entry, use, source in zip(
        executable.entries, executable.order, executable.sources, strict=True
    ):
        if isinstance(entry, Loop):
            kernel = f"kernel {number.setdefault(source or '', len(number))}"
            ops = " ".join(item.expr.op.name for item in entry.items)
            where = [p.name for p in entry.space.plates] + [str(n) for n in entry.space.lengths]
            space = f"[{', '.join(where)}]"
            built = [item.expr for item in entry.items]
        else:
            kernel = "gemm" if isinstance(entry, Gemm) else "NumPy"
            space = _shape(entry.expr)
            ops = entry.expr.op.name
            built = [entry.expr]
        reads = ", ".join(name_of(base, names) for base in use.read)
        writes = ", ".join(name_of(base, names) for base in use.written)
        origins = dict.fromkeys(str(expr.origin) for expr in built if expr.origin.name)
        out.append(Row(kernel, space, ops, reads, writes, tuple(origins)))
    return out


def text(executable: Executable) -> str:
    """Return the table of an executable, one entry after the other."""
    described = rows(executable)
    lines = [f"{i:>4}  {row}" for i, row in enumerate(described)]
    distinct = len({source for source in executable.sources if source})
    count = f"{len(described)} entries, {distinct} kernels, {len(executable.fallbacks)} in NumPy"
    return "\n".join([count, *lines])


def _shape(expr: Expr) -> str:
    return f"[{', '.join([p.name for p in expr.plates] + list(map(str, expr.shape)))}]"


def name_of(base: Expr, names: dict[Expr, str]) -> str:
    """Return the declared name of an array, or a number in order of appearance, with its shape."""
    if base not in names:
        if base.value is not None and base.value.size == 1:
            names[base] = str(base.value.item())
        else:
            plate = base.attrs.get("plate")
            size = f"size of {plate.name}" if plate is not None else None
            names[base] = (base.name or size or f"%{len(names)}") + _shape(base)
    return names[base]


def profile(executable: Executable, seconds: Mapping[int, tuple[float, int]]) -> Profile:
    """Attach measured (seconds, rows) of every entry to what the entry is."""
    described = rows(executable)
    return Profile(tuple((*seconds[i], described[i]) for i in sorted(seconds)))
