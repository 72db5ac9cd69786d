"""Rows of matrix products: shapes, leading dimensions, and parts for several threads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scg.engine.codegen import native
from scg.engine.table.parts import At, Call, Cut, Join, join_source
from scg.engine.walk import blas
from scg.engine.walk.blas import Products
from scg.ir.plate import Plate
from scg.schedule.entries import Gemm, Side
from scg.schedule.products import elements_of

#: Least multiplications of a product that is cut, and of a part: ten and five microseconds.
LARGE, LEAST = 1 << 20, 1 << 19
#: How many times longer than the sides of its result an inner axis is that is cut, and most parts.
LONG, MOST = 64, 128
#: Multiplications that take as long as one operation of a loop.
OPERATION = 4
#: Products per thread from which on one more or less makes a small difference.
FEW = 4
#: Parts begin at multiples of this many rows or columns, whole vectors of a processor.
ALIGNED = 16


def calls(entry: Gemm, function: int, sizes: Mapping[Plate, int], real: np.dtype) -> list[Call]:
    """Rows of a contraction, each a loop of products with constant steps."""
    product, lengths = entry.product, entry.lengths

    def total(group: tuple[Any, ...]) -> int:
        return math.prod(elements_of(label, sizes, lengths) for label in group)

    def stride(side: Side, label: Any) -> int:
        plates = side.view.base.plates
        if label in plates:
            return side.view.base.size * total(plates[plates.index(label) + 1 :])
        return side.view.strides[side.labels.index(label)] if label in side.labels else 0

    def leading(side: Side, rows: tuple[Any, ...], length: int) -> int:
        """Elements between two rows of a matrix, of which each has some length."""
        long = [label for label in rows if total((label,)) > 1]
        # Around an empty plate strides are 0, which BLAS refuses, and then clears no result.
        return max(stride(side, long[-1]) if long else 0, length, 1)

    merged: list[tuple[int, list[int]]] = []
    for label in product.loop:
        n, steps = total((label,)), [stride(side, label) for side in entry.sides]
        if merged and merged[-1][1] == [n * s for s in steps]:
            merged[-1] = (merged[-1][0] * n, steps)
        else:
            merged.append((n, steps))
    *outer, (count, steps) = merged or [(1, [0, 0, 0])]
    turn = [sum(stride(side, label) for label in product.turn) for side in entry.sides]
    rows, inner, columns = (total(x) for x in (product.rows, product.inner, product.columns))
    rows *= 1 + len(entry.below)
    flag = (blas.NO_TRANSPOSE, blas.TRANSPOSE)
    ta, tb, by_columns = product.transposed
    a, b, c = entry.sides
    leads = [
        leading(a, *((product.inner, rows) if ta else (product.rows, inner))),
        leading(b, *((product.columns, inner) if tb else (product.inner, columns))),
        leading(c, *((product.columns, rows) if by_columns else (product.rows, columns))),
    ]
    head, order = [flag[ta], flag[tb], rows, columns, inner], (0, 1, 2)
    if by_columns:  # the transpose of what the other order of factors gives
        head, order = [flag[not tb], flag[not ta], columns, rows, inner], (1, 0, 2)
    item = real.itemsize
    gemm = blas.gemm_address(f"f{item}") or 0
    clears = leads[2] * item if product.turn and entry.expr.attrs["down"] is not None else 0
    adds, turn_adds = (-1 if holds else 0 for holds in (not steps[2], clears or not turn[2]))
    if not count and adds:  # BLAS clears the result of a product without an inner axis
        count, head[-1] = 1, 0
    last = [total(product.turn), *(turn[k] * item for k in order), adds, turn_adds, clears]
    made = []
    for index in itertools.product(*(range(n) for n, _ in outer)):
        matrices = []
        for k in order:
            view = entry.sides[k].view
            start = sum(i * s[k] for i, (_, s) in zip(index, outer, strict=True)) + view.offset
            matrices += [At(view.base, start * item), leads[k], steps[k] * item]
        made.append(Call(function, Products(count, gemm, *head, *matrices, *last)))
    return made


def is_large(call: Call) -> bool:
    """Whether a row is a product that is worth more than one thread."""
    p = call.words
    return isinstance(p, Products) and _work(p) >= LARGE


def product_parts(call: Call, threads: int, real: np.dtype, room: Callable[[int], int]) -> Cut:
    """A row of products, in one part for each thread if it is large.

    A loop of many products is cut between them, a single product along the longer side of its
    result, or along a much longer inner axis: the parts are then added up.
    """
    p = Products(*call.words)  # type: ignore[arg-type]
    work, item, longer = _work(p), real.itemsize, max(p.m, p.n)
    is_whole = p.ldc == p.n and (p.turns == 1 or p.turn_c == p.m * p.n * item)
    if p.count == p.turns == 1 and is_whole and work >= LARGE and p.k >= LONG * longer:
        # OpenBLAS packs operands of a larger product, which costs a vector several times its work.
        parts = min(work // LEAST, MOST if min(p.m, p.n) == 1 else threads)
        by = _step(p.ta, 1, p.lda) * item, _step(p.tb, p.ldb, 1) * item
        return _added_parts(call, p, "k", by, parts, real, room)
    most = min(threads, work // LEAST)
    if work < LARGE or most < 2:
        return Cut([call])
    pieces = -(-longer // ALIGNED)
    even = p.count % most == 0 or p.count >= FEW * most
    adds = p.adds and p.count > 1
    # The word to cut, the multiples at which, and the bytes that A, B and C move by for one.
    if adds and is_whole and p.count >= FEW * most and pieces < FEW * most:
        return _added_parts(call, p, "count", (p.step_a, p.step_b), most, real, room)
    if p.count >= most and not adds and (even or pieces < most):
        cut, unit, moves = "count", 1, (p.step_a, p.step_b, p.step_c)
    elif p.n >= p.m and not p.clears:
        cut, unit, moves = "n", ALIGNED, (0, _step(p.tb, 1, p.ldb) * item, item)
    else:
        cut, unit, moves = "m", ALIGNED, (_step(p.ta, p.lda, 1) * item, 0, p.ldc * item)
    length = getattr(p, cut)
    pieces = -(-length // unit)
    at = [min(i * pieces // most * unit, length) for i in range(most + 1)]
    parts = []
    for first, last in itertools.pairwise(at):
        a, b, c = (x.moved(first * move) for x, move in zip((p.a, p.b, p.c), moves, strict=True))
        if last > first:
            parts.append(Call(call.function, p._replace(**{cut: last - first}, a=a, b=b, c=c)))
    return Cut(parts, work // OPERATION)


def _work(p: Products) -> int:
    return p.count * p.turns * p.m * p.n * p.k


def _step(transposed: int, plain: int, other: int) -> int:
    return plain if transposed == blas.NO_TRANSPOSE else other


def _added_parts(
    call: Call,
    p: Products,
    along: str,
    moves: tuple[int, int],
    parts: int,
    real: np.dtype,
    room: Callable[[int], int],
) -> Cut:
    """A sum of products cut along a word, and the row that adds up the results of the parts.

    A and B move by some bytes for one of the word.
    """
    if parts < 2:
        return Cut([call])
    count = p.turns * p.m * p.n
    length = count * real.itemsize
    first = At(None, room(length * parts))
    rows = []
    for i in range(parts):
        start, stop = (j * getattr(p, along) // parts for j in (i, i + 1))
        a, b = p.a.moved(start * moves[0]), p.b.moved(start * moves[1])
        own = p._replace(**{along: stop - start}, a=a, b=b, c=first.moved(i * length))
        rows.append(Call(call.function, own))
    words = Join(count, p.c, first, length, parts, At(None, room(8 * count)))
    join = native.address(join_source(real.str[1:], True))
    return Cut(rows, _work(p) // OPERATION, [Call(join, words)])
