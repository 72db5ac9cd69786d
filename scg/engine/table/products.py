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
from scg.schedule.entries import Gemm
from scg.schedule.products import Product, elements_of

#: Least multiplications of a product that is cut, and of a part: ten and five microseconds.
LARGE, LEAST = 1 << 20, 1 << 19
#: How many times longer than the sides of its result an inner axis is that is cut, and most parts.
LONG, MOST = 64, 128
#: Multiplications that take as long as one operation of a loop.
OPERATION = 4
#: Parts begin at multiples of this many rows or columns, whole vectors of a processor.
ALIGNED = 16


def calls(entry: Gemm, function: int, sizes: Mapping[Plate, int], real: np.dtype) -> list[Call]:
    """Rows of a contraction, each a loop of products with constant steps."""
    product, lengths = entry.product, entry.lengths
    a, b = entry.expr.args
    out, attrs = entry.expr, entry.expr.attrs
    labels = (
        (*a.plates, *attrs["left"]),
        (*b.plates, *attrs["right"]),
        (*out.plates, *attrs["out"]),
    )

    def total(group: tuple[Any, ...]) -> int:
        return math.prod(elements_of(label, sizes, lengths) for label in group)

    def stride(own: tuple[Any, ...], label: Any) -> int:
        return total(own[own.index(label) + 1 :]) if label in own else 0

    merged: list[tuple[int, list[int]]] = []
    for label in product.loop:
        n, steps = total((label,)), [stride(own, label) for own in labels]
        if merged and merged[-1][1] == [n * s for s in steps]:
            merged[-1] = (merged[-1][0] * n, steps)
        else:
            merged.append((n, steps))
    *outer, (count, steps) = merged or [(1, [0, 0, 0])]
    rows, inner, columns = (total(x) for x in (product.rows, product.inner, product.columns))
    rows *= 1 + len(entry.below)
    head, order = _shape(product, rows, inner, columns)
    item, bases = real.itemsize, (*entry.operands, out)
    gemm = blas.gemm_address(f"f{item}") or 0
    made = []
    for index in itertools.product(*(range(n) for n, _ in outer)):
        matrices = []
        for k, leading in order:
            start = sum(i * s[k] for i, (_, s) in zip(index, outer, strict=True))
            matrices += [At(bases[k], start * item), max(leading, 1), steps[k] * item]
        made.append(Call(function, Products(count, gemm, *head, *matrices)))
    return made


def _shape(
    product: Product, m: int, k: int, n: int
) -> tuple[list[int], tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]:
    """Transposes, m, n and k; operands in BLAS's order with their leading dimensions."""
    flag = (blas.NO_TRANSPOSE, blas.TRANSPOSE)
    ta, tb, by_columns = product.transposed
    lead_a, lead_b = (m if ta else k), (k if tb else n)
    if not by_columns:
        return [flag[ta], flag[tb], m, n, k], ((0, lead_a), (1, lead_b), (2, n))
    # A result stored by columns is the transpose of what the other order of factors gives.
    return [flag[not tb], flag[not ta], n, m, k], ((1, lead_b), (0, lead_a), (2, m))


def is_large(call: Call) -> bool:
    """Whether a row is a product that is worth more than one thread."""
    p = call.words
    return isinstance(p, Products) and p.count * p.m * p.n * p.k >= LARGE


def product_parts(call: Call, threads: int, real: np.dtype, room: Callable[[int], int]) -> Cut:
    """A row of products, in one part for each thread if it is large.

    A loop of many products is cut between them, a single product along the longer side of its
    result, or along a much longer inner axis: the parts are then added up.
    """
    p = Products(*call.words)  # type: ignore[arg-type]
    work = p.count * p.m * p.n * p.k
    if p.count == 1 and p.ldc == p.n and work >= LARGE and p.k >= LONG * max(p.m, p.n):
        return _inner_parts(call.function, p, threads, real, room)
    most = min(threads, work // LEAST)
    if work < LARGE or most < 2:
        return Cut([call])
    item = real.itemsize
    # The word to cut, the multiples at which, and the bytes that A, B and C move by for one.
    if p.count >= most:
        cut, unit, moves = "count", 1, (p.step_a, p.step_b, p.step_c)
    elif p.n >= p.m:
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


def _step(transposed: int, plain: int, other: int) -> int:
    return plain if transposed == blas.NO_TRANSPOSE else other


def _inner_parts(
    function: int, p: Products, threads: int, real: np.dtype, room: Callable[[int], int]
) -> Cut:
    """A product cut along its inner axis, and the row that adds up the results of the parts."""
    count, work, item = p.m * p.n, p.m * p.n * p.k, real.itemsize
    # OpenBLAS packs the operands of a larger product, which costs a vector several times its work.
    parts = min(work // LEAST, MOST) if min(p.m, p.n) == 1 else min(threads, work // LEAST)
    if parts < 2:
        return Cut([Call(function, p)])
    by_a, by_b = _step(p.ta, 1, p.lda) * item, _step(p.tb, p.ldb, 1) * item
    first = At(None, room(count * item * parts))
    rows = []
    for i in range(parts):
        start, stop = (j * p.k // parts for j in (i, i + 1))
        a, b = p.a.moved(start * by_a), p.b.moved(start * by_b)
        own = p._replace(k=stop - start, a=a, b=b, c=first.moved(i * count * item))
        rows.append(Call(function, own))
    words = Join(count, p.c, first, count * item, parts, At(None, room(8 * count)))
    join = native.address(join_source(real.str[1:], True))
    return Cut(rows, work // OPERATION, [Call(join, words)])
