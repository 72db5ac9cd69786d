"""The lines that describe the entries of a schedule, for listings and profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from scg.ir.expr import Expr
from scg.schedule.entries import Entry, Gemm, Loop, Uses


@dataclass(frozen=True)
class Line:
    """An entry in words: its kernel, axes, ops, arrays, and the nodes that it was made for."""

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


def listing(
    entries: Sequence[Entry], order: Sequence[Uses], sources: Sequence[str | None] = ()
) -> list[Line]:
    """Lines of the entries in order; loops that share a kernel show its number."""
    number: dict[Any, int] = {}
    names: dict[Expr, str] = {}
    out = []
    for entry, use, source in zip_longest(entries, order, sources):
        if isinstance(entry, Loop):
            kernel = f"kernel {number.setdefault(source or entry, len(number))}"
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
        out.append(Line(kernel, space, ops, reads, writes, tuple(origins)))
    return out


def _shape(expr: Expr) -> str:
    return f"[{', '.join([p.name for p in expr.plates] + list(map(str, expr.shape)))}]"


def name_of(base: Expr, names: dict[Expr, str]) -> str:
    """Declared name of an array, or a number in order of appearance, with its shape."""
    if base not in names:
        if base.value is not None and base.value.size == 1:
            names[base] = str(base.value.item())
        else:
            plate = base.attrs.get("plate")
            size = f"size of {plate.name}" if plate is not None else None
            names[base] = (base.name or size or f"%{len(names)}") + _shape(base)
    return names[base]
