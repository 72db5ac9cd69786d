"""Fuse: gather elementwise ops and reductions into loop nests, one a group.

Every expression gets a *level*. Elementwise ops of one iteration space that feed each other share
a level; whatever else is used was finished on a lower one. Groups of one level and space then form
a loop nest, and as dependencies never go down in level, no cycle can arise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from scg.ir.expr import Expr
from scg.ir.plate import Plates, ordered
from scg.ir.walk import topological
from scg.schedule.lower import Product, View, contiguous, matrix_product
from scg.schedule.rows import operands

#: Statements of one loop nest; compile time grows faster than linearly with them.
LARGEST = 48

#: Kinds and names of reductions that run in a nest.
REDUCED = (("float", "sum"), ("float", "max"), ("int", "sum"), ("int", "max"))


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
    """One statement of a loop nest: an elementwise op, a reduction, a part of a join, or a row."""

    expr: Expr
    kind: str  # "map", "reduce", "join" or "row"
    args: tuple[Axes, ...]
    space: Space
    to: Axes
    level: int = 0
    fused: tuple[int, ...] = ()  # positions of arguments that may be values of this nest
    numbers: tuple[int, ...] = ()  # what a row function takes besides addresses


@dataclass(eq=False)
class Loop:
    """A loop nest: statements over one space."""

    space: Space
    items: list[Item]
    stored: list[Item] = field(default_factory=list)


@dataclass(eq=False)
class Gemm:
    """A contraction that is a loop of matrix products; `lengths` are of its integer labels.

    The operands are the arrays that its arguments are whole views of; `below` are products of the
    same right-hand factor, whose rows follow those of this one in memory.
    """

    expr: Expr
    product: Product
    lengths: dict[int, int]
    operands: tuple[Expr, Expr]
    below: tuple[Gemm, ...] = ()


@dataclass(eq=False)
class Fallback:
    """An op of the user's, which Python computes."""

    expr: Expr


Entry = Loop | Gemm | Fallback


def below(entry: Entry) -> tuple[Gemm, ...]:
    """Return the products that an entry computes besides its first."""
    return entry.below if isinstance(entry, Gemm) else ()


def reads(entry: Entry, views: Mapping[Expr, View]) -> tuple[Expr, ...]:
    """Return the arrays that an entry reads."""
    if isinstance(entry, Loop):
        inside = {item.expr for item in entry.items if item.kind == "map"}
        read = (
            axes.base
            for item in entry.items
            for k, axes in enumerate(item.args)
            if k not in item.fused or axes.base not in inside
        )
    else:
        exprs = (entry.expr, *(one.expr for one in below(entry)))
        read = (views[arg].base for expr in exprs for arg in expr.args)
    return tuple(dict.fromkeys(read))


def space_of(plates: Plates, shape: tuple[int, ...]) -> Space:
    """Return the space of all elements of an expression."""
    return Space(plates, tuple(n for n in shape if n != 1))


def along(view: View, shape: tuple[int, ...], target: tuple[int, ...]) -> Axes:
    """Return how a view of event `shape` moves in a space of event `target`."""
    fresh = len(target) - len(shape)
    steps = []
    for i, n in enumerate(target):
        if n != 1:
            own = i >= fresh and shape[i - fresh] == n
            steps.append(view.strides[i - fresh] if own else 0)
    return Axes(view.base, view.base.plates, tuple(steps), view.offset)


def covers(axes: Axes, space: Space) -> bool:
    """Whether an operand is exactly one element for each of the space, in order."""
    exact = axes.plates == space.plates and axes.strides == contiguous(space.lengths)
    return exact and axes.base.size == _size(space) and axes.offset == 0


def _size(space: Space) -> int:
    total = 1
    for n in space.lengths:
        total *= n
    return total


def items_of(expr: Expr, views: Mapping[Expr, View]) -> list[Item] | None:
    """Return an expression as statements of loop nests, or None where it is no such thing."""
    views_of_args = [views[arg] for arg in expr.args]
    own = views[expr]
    if expr.op.elementwise and expr.op.statement(expr.kind):
        space = space_of(expr.plates, expr.shape)
        args = tuple(
            along(view, arg.shape, expr.shape)
            for view, arg in zip(views_of_args, expr.args, strict=True)
        )
        return [Item(expr, "map", args, space, along(own, expr.shape, expr.shape))]
    if (expr.kind, expr.op.name) in REDUCED:
        (arg,) = expr.args
        space = space_of(arg.plates, arg.shape)
        steps = iter(own.strides)
        kept = [0 if a in expr.attrs["axes"] else next(steps) for a in range(-arg.ndim, 0)]
        strides = tuple(k for k, n in zip(kept, arg.shape, strict=True) if n != 1)
        to = Axes(expr, expr.plates, strides, 0)
        return [Item(expr, "reduce", (along(views_of_args[0], arg.shape, arg.shape),), space, to)]
    if expr.op.row is not None:
        outside, numbers = operands(expr, views)
        shape = np.broadcast_shapes(*(shape for _, shape in outside))
        plates = ordered(plate for e in (expr, *expr.args) for plate in e.plates)
        to, *args = (along(view, own, shape) for view, own in outside)
        space = space_of(plates, shape)
        return [Item(expr, "row", tuple(args), space, to, numbers=numbers)]
    if expr.op.name == "concatenate":
        parts, start, axis = [], 0, expr.attrs["axis"]
        for arg, view in zip(expr.args, views_of_args, strict=True):
            place = own._replace(offset=start * own.strides[axis])
            shape = arg.shape
            to = along(place, shape, shape)
            space = space_of(expr.plates, shape)
            parts.append(Item(expr, "join", (along(view, shape, shape),), space, to))
            start += shape[axis]
        return parts
    return None


def fuse(outputs: Mapping[Any, Expr], views: Mapping[Expr, View]) -> list[Entry]:
    """Return the entries that compute lowered outputs, in an order that respects all uses."""
    level: dict[Expr, int] = {}
    made: dict[Expr, list[Item]] = {}
    others: list[tuple[int, int, Entry]] = []
    order = topological(outputs.values())
    needed = {views[expr].base for expr in outputs.values()}
    for expr in order:
        if expr.args and views[expr].base is expr:
            needed |= {views[arg].base for arg in expr.args}
    for i, expr in enumerate(order):
        if not expr.args or views[expr].base is not expr or expr not in needed:
            continue
        items = items_of(expr, views)
        if items is None:
            after = 1 + max((level.get(views[arg].base, -1) for arg in expr.args), default=-1)
            level[expr] = after
            others.append((after, i, _product(expr, views) or Fallback(expr)))
            continue
        made[expr] = items
        for item in items:
            _place(item, made, level)
        level[expr] = max(item.level for item in items)
    _sink(made, others, outputs, views)
    rank = {expr: i for i, expr in enumerate(order)}
    placed = others + [
        (loop.items[0].level, rank[loop.items[0].expr], loop) for loop in _groups(made)
    ]
    entries = [entry for _, _, entry in sorted(placed, key=lambda x: x[:2])]
    _store(entries, outputs, views)
    return entries


def _product(expr: Expr, views: Mapping[Expr, View]) -> Gemm | None:
    """Return a contraction of floats as matrix products; `lower` made its operands contiguous."""
    if expr.op.name != "contract" or any(e.kind != "float" for e in (expr, *expr.args)):
        return None
    a, b = expr.args
    product = matrix_product(a, b, expr.plates, expr.attrs)
    lengths = dict(zip(expr.attrs["left"], a.shape, strict=True))
    lengths |= dict(zip(expr.attrs["right"], b.shape, strict=True))
    operands = (views[a].base, views[b].base)
    return None if product is None else Gemm(expr, product, lengths, operands)


def _place(item: Item, made: Mapping[Expr, list[Item]], level: Mapping[Expr, int]) -> None:
    """Give an item its level, and note which of its arguments are values of its own nest."""
    fused = []
    for k, axes in enumerate(item.args):
        producer = made.get(axes.base)
        of_a_nest = producer is not None and producer[0].kind == "map" and item.kind != "row"
        if of_a_nest and made[axes.base][0].space == item.space and covers(axes, item.space):
            fused.append(k)
            item.level = max(item.level, level[axes.base])
        else:
            item.level = max(item.level, level.get(axes.base, -1) + 1)
    item.fused = tuple(fused)


def _sink(
    made: Mapping[Expr, list[Item]],
    others: list[tuple[int, int, Entry]],
    outputs: Mapping[Any, Expr],
    views: Mapping[Expr, View],
) -> None:
    """Move items down to the nest that first uses them, where nothing else needs them earlier.

    An item that only reads arrays is cheaper in the nest of its user than stored for it.
    """
    users: dict[Expr, list[Item]] = {}
    fixed = {views[expr].base for expr in outputs.values()}
    for items in made.values():
        for item in items:
            for k, axes in enumerate(item.args):
                users.setdefault(axes.base, []).append(item)
                if k not in item.fused:
                    fixed.add(axes.base)
    for _, _, entry in others:
        fixed |= {views[arg].base for arg in entry.expr.args}  # type: ignore[union-attr]
    for expr, items in reversed(list(made.items())):
        (item, *more) = items
        if more or item.kind != "map" or expr in fixed or expr not in users:
            continue
        sole = all(len(users[item.args[k].base]) == 1 for k in item.fused)
        if sole:
            item.level = min(user.level for user in users[expr])


def _groups(made: Mapping[Expr, list[Item]]) -> list[Loop]:
    """Join items of one level and space that feed each other or read the same full operand."""
    every = [item for items in made.values() for item in items]
    parent = list(range(len(every)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    producer = {item.expr: i for i, item in enumerate(every) if item.kind == "map"}
    readers: dict[Any, int] = {}
    for i, item in enumerate(every):
        for k, axes in enumerate(item.args):
            other = producer.get(axes.base) if k in item.fused else None
            if other is not None and every[other].level == item.level:
                parent[root(i)] = root(other)
            elif item.space != Space((), ()) and covers(axes, item.space):
                first = readers.setdefault((item.level, item.space, axes.base), i)
                parent[root(i)] = root(first)
    groups: dict[int, list[Item]] = {}
    for i, item in enumerate(every):
        groups.setdefault(root(i), []).append(item)
    return [
        Loop(group[0].space, group[k : k + LARGEST])
        for group in groups.values()
        for k in range(0, len(group), LARGEST)
    ]


def _store(entries: list[Entry], outputs: Mapping[Any, Expr], views: Mapping[Expr, View]) -> None:
    """Decide which values of a nest are written to memory: those that something else reads."""
    wanted = {views[expr].base for expr in outputs.values()}
    for entry in entries:
        if isinstance(entry, Loop):
            inside = {item.expr for item in entry.items if item.kind == "map"}
            for item in entry.items:
                for k, axes in enumerate(item.args):
                    if k not in item.fused or axes.base not in inside:
                        wanted.add(axes.base)
        else:
            wanted |= {views[arg].base for arg in entry.expr.args}
    for entry in entries:
        if isinstance(entry, Loop):
            entry.stored = [i for i in entry.items if i.kind != "map" or i.expr in wanted]
