"""Entries of a schedule: loop nests, matrix products, and ops that Python computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scg.ir.expr import Expr
from scg.ir.plate import Plates
from scg.schedule.products import Product
from scg.schedule.steps import Steps
from scg.schedule.views import View


class Space(NamedTuple):
    """What a loop nest iterates over: plates, and event axes longer than one."""

    plates: Plates
    lengths: tuple[int, ...]


class Axes(NamedTuple):
    """How an operand moves in a space: its plates, and its step along each event axis."""

    base: Expr
    plates: Plates
    strides: tuple[int, ...]
    offset: int


@dataclass(eq=False)
class Item:
    """A statement of a loop nest: an elementwise op, a reduction, a part of a join, or a row."""

    expr: Expr
    kind: str  # "map", "reduce", "join" or "row"
    args: tuple[Axes, ...]
    space: Space
    to: Axes
    level: int = 0
    fused: tuple[int, ...] = ()  # positions of arguments that may be values of this nest
    numbers: tuple[int, ...] = ()  # what a row function takes besides addresses
    is_kept: bool = False  # whether the array that it adds to holds zeros already


@dataclass(eq=False)
class Loop:
    """A loop nest: statements over one space."""

    space: Space
    items: list[Item]
    stored: list[Item] = field(default_factory=list)

    def loaded(self) -> Iterator[Expr]:
        """Arrays that statements read from memory, which values of the same nest are not."""
        inside = {item.expr for item in self.items if item.kind == "map"}
        for item in self.items:
            for k, axes in enumerate(item.args):
                if k not in item.fused or axes.base not in inside:
                    yield axes.base


class Side(NamedTuple):
    """A factor or the result of a contraction: where it lies, and the labels of its axes."""

    view: View
    labels: tuple[int, ...]


@dataclass(eq=False)
class Gemm:
    """A contraction that is a loop of matrix products."""

    expr: Expr
    product: Product
    lengths: dict[int, int]  # of its integer labels
    sides: tuple[Side, Side, Side]  # left, right, result
    #: Products of the same right-hand factor, whose rows follow those of this one in memory.
    below: tuple[Gemm, ...] = ()

    @property
    def operands(self) -> tuple[Expr, Expr]:
        """The arrays of the factors."""
        return self.sides[0].view.base, self.sides[1].view.base

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """The results that the entry computes."""
        return (self.expr, *(one.expr for one in self.below))


@dataclass(eq=False)
class Repeat:
    """A loop over the elements of a plate, in which the entries of a body run."""

    exprs: tuple[Expr, ...]  # results
    steps: Steps
    operands: dict[Expr, Expr]  # the arrays that its arguments are whole views of, by placeholder
    schedule: Any = None  # of the body, whose outputs have arrays of their own

    @property
    def expr(self) -> Expr:
        """The first result."""
        return self.exprs[0]


@dataclass(eq=False)
class Fallback:
    """A user's op, or a loop with one, which Python computes."""

    exprs: tuple[Expr, ...]

    @property
    def expr(self) -> Expr:
        """The first result."""
        return self.exprs[0]

    @property
    def args(self) -> dict[Expr, None]:
        """The arguments that it reads: a loop may have carries that no result needs."""
        if self.expr.op.loop is None:
            return dict.fromkeys(self.expr.args)
        steps = Steps(self.exprs)
        return dict.fromkeys((steps.begin | steps.sliced | steps.constants).values())


Entry = Loop | Gemm | Repeat | Fallback


class Uses(NamedTuple):
    """The arrays that an entry reads and writes."""

    read: tuple[Expr, ...]
    written: tuple[Expr, ...]


def uses(entry: Entry, views: Mapping[Expr, View]) -> Uses:
    """Arrays that an entry reads and writes."""
    if isinstance(entry, Loop):
        written = dict.fromkeys(item.to.base for item in entry.stored)
        return Uses(tuple(dict.fromkeys(entry.loaded())), tuple(written))
    if isinstance(entry, Repeat):
        return Uses(tuple(dict.fromkeys(entry.operands.values())), entry.exprs)
    if isinstance(entry, Fallback):
        return Uses(tuple(dict.fromkeys(views[arg].base for arg in entry.args)), entry.exprs)
    read = dict.fromkeys(views[arg].base for expr in entry.exprs for arg in expr.args)
    return Uses(tuple(read), entry.exprs)
