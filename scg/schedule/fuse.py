"""Fuse elementwise ops and reductions into loop nests.

Every expression has a *level*. Elementwise ops of one iteration space that feed each other share a
level; whatever else they read was computed on a lower level. A loop nest joins statements of one
level and space. Dependencies never point to a higher level, so that no cycle arises.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ir.plate import Plates, ordered
from scg.ir.walk import together, topological
from scg.ops.linalg import contract
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import concatenate
from scg.schedule.entries import Axes, Entry, Fallback, Gemm, Item, Loop, Repeat, Side, Space, uses
from scg.schedule.pool import places, tiles
from scg.schedule.products import matrix_product
from scg.schedule.steps import Steps
from scg.schedule.turns import turned, written
from scg.schedule.views import View, contiguous, row_operands

#: Statements of one loop nest; compile time grows faster than linearly with them.
LARGEST = 48

_sum, _max, _ = REDUCTIONS


def space_of(plates: Plates, shape: tuple[int, ...]) -> Space:
    """Space of all elements of an expression."""
    return Space(plates, tuple(n for n in shape if n != 1))


def along(view: View, shape: tuple[int, ...], target: tuple[int, ...]) -> Axes:
    """How a view of event `shape` moves in a space of event `target`."""
    fresh = len(target) - len(shape)
    steps = []
    for i, n in enumerate(target):
        if n != 1:
            own = i >= fresh and shape[i - fresh] == n
            steps.append(view.strides[i - fresh] if own else 0)
    return Axes(view.base, view.base.plates, tuple(steps), view.offset)


def covers(axes: Axes, space: Space) -> bool:
    """Whether an operand has exactly one element for each point of the space, in order."""
    exact = axes.plates == space.plates and axes.strides == contiguous(space.lengths)
    return exact and axes.base.size == math.prod(space.lengths) and axes.offset == 0


def items_of(expr: Expr, views: Mapping[Expr, View]) -> list[Item] | None:
    """Statements of loop nests that compute an expression, or None where none can."""
    views_of_args = [views[arg] for arg in expr.args]
    own = views[expr]
    if expr.op.elementwise and expr.op.statement(expr.kind):
        space = space_of(expr.plates, expr.shape)
        args = tuple(
            along(view, arg.shape, expr.shape)
            for view, arg in zip(views_of_args, expr.args, strict=True)
        )
        return [Item(expr, "map", args, space, along(own, expr.shape, expr.shape))]
    if expr.op in (_sum, _max) and expr.kind != "bool":
        (arg,) = expr.args
        space = space_of(arg.plates, arg.shape)
        steps = iter(own.strides)
        kept = [0 if a in expr.attrs["axes"] else next(steps) for a in range(-arg.ndim, 0)]
        strides = tuple(k for k, n in zip(kept, arg.shape, strict=True) if n != 1)
        to = Axes(expr, expr.plates, strides, 0)
        return [Item(expr, "reduce", (along(views_of_args[0], arg.shape, arg.shape),), space, to)]
    if expr.op.row is not None:
        outside, numbers = row_operands(expr, views)
        shape = np.broadcast_shapes(*(shape for _, shape in outside))
        plates = ordered(plate for e in (expr, *expr.args) for plate in e.plates)
        to, *args = (along(view, own, shape) for view, own in outside)
        space = space_of(plates, shape)
        return [Item(expr, "row", tuple(args), space, to, numbers=numbers)]
    if expr.op is concatenate or expr.op is tiles:
        targets = places(expr, own) if expr.op is tiles else _successive(expr, own)
        return [
            Item(
                expr,
                "join",
                (along(view, arg.shape, arg.shape),),
                space_of(expr.plates, arg.shape),
                along(to, arg.shape, arg.shape),
            )
            for arg, view, to in zip(expr.args, views_of_args, targets, strict=True)
        ]
    return None


def _successive(expr: Expr, own: View) -> list[View]:
    """Where the arguments of a concatenation lie in its array."""
    axis = expr.attrs["axis"]
    starts = itertools.accumulate((arg.shape[axis] for arg in expr.args[:-1]), initial=0)
    return [own._replace(offset=start * own.strides[axis]) for start in starts]


def fuse(outputs: Mapping[Any, Expr], views: Mapping[Expr, View]) -> list[Entry]:
    """Entries that compute lowered outputs, in an order that respects dependencies."""
    level: dict[Expr, int] = {}
    made: dict[Expr, list[Item]] = {}
    others: list[tuple[int, int, Entry]] = []
    order = topological(outputs.values())
    needed = {views[expr].base for expr in outputs.values()}
    for expr in order:
        if expr.args and views[expr].base is expr:
            needed |= {views[arg].base for arg in expr.args}
    results_of = {expr: results for results in together(order) for expr in results}
    for i, expr in enumerate(order):
        if not expr.args or views[expr].base is not expr or expr not in needed:
            continue
        items = items_of(expr, views)
        if items is None and expr not in level:
            after = 1 + max((level.get(views[arg].base, -1) for arg in expr.args), default=-1)
            results = results_of[expr]
            level |= dict.fromkeys(results, after)
            made_by = _repeat(results, views) or _product(expr, views) or Fallback(results)
            others.append((after, i, made_by))
        if items is None:
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
    """Matrix products for a contraction of floats, whose operands `lower` made contiguous."""
    is_product = expr.op is contract or expr.op is turned
    if not is_product or any(e.kind != "float" for e in (expr, *expr.args)):
        return None
    a, b = expr.args
    product = matrix_product(a, b, expr.plates, expr.attrs)
    if product is None:
        return None
    found = views[a], views[b], written(expr)
    labels = (expr.attrs[side] for side in ("left", "right", "out"))
    left, right, out = (Side(*pair) for pair in zip(found, labels, strict=True))
    lengths = dict(zip(left.labels, a.shape, strict=True))
    lengths |= dict(zip(right.labels, b.shape, strict=True))
    return Gemm(expr, product, lengths, (left, right, out))


def _repeat(results: tuple[Expr, ...], views: Mapping[Expr, View]) -> Repeat | None:
    """The loop of some results, whose arguments `lower` made contiguous."""
    if results[0].op.loop is None:
        return None
    steps = Steps(results)
    args = {**steps.begin, **steps.sliced, **steps.constants}
    return Repeat(results, steps, {x: views[arg].base for x, arg in args.items()})


def _place(item: Item, made: Mapping[Expr, list[Item]], level: Mapping[Expr, int]) -> None:
    """Give a statement its level, and note which arguments are values of its own nest."""
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
    """Move statements down to the nest that first uses them, where nothing else needs them earlier.

    A statement that only reads arrays costs less in its user's nest than a stored result.
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
        fixed.update(uses(entry, views).read)
    for expr, items in reversed(list(made.items())):
        (item, *more) = items
        if more or item.kind != "map" or expr in fixed or expr not in users:
            continue
        sole = all(len(users[item.args[k].base]) == 1 for k in item.fused)
        if sole:
            item.level = min(user.level for user in users[expr])


def _groups(made: Mapping[Expr, list[Item]]) -> list[Loop]:
    """Join statements of one level and space that feed each other or read the same array."""
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
    wanted.update(base for entry in entries for base in uses(entry, views).read)
    for entry in entries:
        if isinstance(entry, Loop):
            entry.stored = [i for i in entry.items if i.kind != "map" or i.expr in wanted]
