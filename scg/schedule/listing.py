"""The lines that describe the entries of a schedule, for listings and profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from scg.ir.expr import Expr
from scg.ir.walk import everywhere
from scg.schedule.entries import Entry, Fallback, Gemm, Loop, Repeat, Uses

_KERNELS = {Gemm: "gemm", Repeat: "loop", Fallback: "NumPy"}
_NONE: Mapping[Any, None] = MappingProxyType({})


@dataclass(frozen=True)
class Line:
    """An entry in words: its kernel, axes, ops, arrays, and the nodes that it was made for."""

    kernel: str
    space: str
    ops: str
    reads: str
    writes: str
    origins: tuple[str, ...]
    inner: tuple[Line, ...] = ()  # of a loop: the entries of a step

    def __str__(self) -> str:
        lines = (f"{self.reads} -> {self.writes}", f"for {', '.join(self.origins)}")
        own = [f"{self.kernel:<9} {self.space:<24} {self.ops}", *(f"{'':>16}{x}" for x in lines)]
        inside = [f"{'':>10}{x}" for line in self.inner for x in str(line).splitlines()]
        return "\n".join([*own, *inside])


def listing(
    entries: Sequence[Entry], order: Sequence[Uses], sources: Mapping[Entry, str | None] = _NONE
) -> list[Line]:
    """Lines of the entries in order; loops of one source show the number of their kernel."""
    return _listing(entries, order, sources, {}, {})


def _listing(
    entries: Sequence[Entry],
    order: Sequence[Uses],
    sources: Mapping[Entry, str | None],
    number: dict[Any, int],
    names: dict[Expr, str],
) -> list[Line]:
    out = []
    for entry, use in zip(entries, order, strict=True):
        inner: tuple[Line, ...] = ()
        if isinstance(entry, Loop):
            kernel = f"kernel {number.setdefault(sources.get(entry) or entry, len(number))}"
            ops = " ".join(item.expr.op.name for item in entry.items)
            where = [p.name for p in entry.space.plates] + [str(n) for n in entry.space.lengths]
            space = f"[{', '.join(where)}]"
            built = [item.expr for item in entry.items]
        else:
            kernel = _KERNELS[type(entry)]
            space = _shape(entry.expr)
            ops = _fallback(entry.expr) if isinstance(entry, Fallback) else entry.expr.op.name
            built = [entry.expr]
        reads = ", ".join(name_of(base, names) for base in use.read)
        writes = ", ".join(name_of(base, names) for base in use.written)
        if isinstance(entry, Repeat):
            steps, body = entry.steps, entry.schedule
            space = f"[{steps.over.name}{' in reverse' if steps.reverse else ''}]"
            own: dict[Expr, str] = {}
            inner = tuple(_listing(body.entries, body.order, sources, number, own))
        origins = dict.fromkeys(str(expr.origin) for expr in built if expr.origin.name)
        out.append(Line(kernel, space, ops, reads, writes, tuple(origins), inner))
    return out


def _fallback(expr: Expr) -> str:
    """The op that Python computes; of a loop, the users' ops that it calls at each step."""
    loop = expr.op.loop
    if loop is None:
        return expr.op.name
    own = [e.op.name for e in everywhere(loop.inside(expr)) if e.op.label]
    step = expr.attrs["along"].name
    return f"{expr.op.name}, Python at each step of {step}: {', '.join(dict.fromkeys(own))}"


def _shape(expr: Expr) -> str:
    return f"[{', '.join([p.name for p in expr.plates] + list(map(str, expr.shape)))}]"


def name_of(base: Expr, names: dict[Expr, str]) -> str:
    """Declared name of an array, or a number in order of appearance, with its shape."""
    if base not in names:
        if base.value is not None and base.value.size == 1:
            names[base] = str(base.value.item())
        else:
            plate, place = base.attrs.get("plate"), base.attrs.get("place")
            own = f"argument {place}" if isinstance(place, int) else place
            size = f"size of {plate.name}" if plate is not None else None
            names[base] = (base.name or size or own or f"%{len(names)}") + _shape(base)
    return names[base]
