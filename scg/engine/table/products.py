"""Rows of matrix products: shapes, leading dimensions, and parts for several threads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.table.parts import At, Call, Cut
from scg.engine.walk import blas
from scg.engine.walk.blas import Products
from scg.ir.plate import Plate
from scg.schedule.entries import Gemm
from scg.schedule.products import Product, elements_of

#: Least multiplications of a product that is cut, and of a part: ten and five microseconds.
LARGE, LEAST = 1 << 20, 1 << 19
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


def product_parts(call: Call, threads: int, item: int) -> Cut:
    """A row of products, in one part for each thread if it is large.

    A loop of many products is cut between them, a single product along the longer side of its
    result.
    """
    p = Products(*call.words)  # type: ignore[arg-type]
    work = p.count * p.m * p.n * p.k
    most = min(threads, work // LEAST)
    if work < LARGE or most < 2:
        return Cut([call])
    # The word to cut, the multiples at which, and the bytes that A, B and C move by for one.
    if p.count >= most:
        cut, unit, moves = "count", 1, (p.step_a, p.step_b, p.step_c)
    elif p.n >= p.m:
        by_b = 1 if p.tb == blas.NO_TRANSPOSE else p.ldb
        cut, unit, moves = "n", ALIGNED, (0, by_b * item, item)
    else:
        by_a = p.lda if p.ta == blas.NO_TRANSPOSE else 1
        cut, unit, moves = "m", ALIGNED, (by_a * item, 0, p.ldc * item)
    length = getattr(p, cut)
    pieces = -(-length // unit)
    at = [min(i * pieces // most * unit, length) for i in range(most + 1)]
    parts = []
    for first, last in itertools.pairwise(at):
        a, b, c = (x.moved(first * move) for x, move in zip((p.a, p.b, p.c), moves, strict=True))
        if last > first:
            parts.append(Call(call.function, p._replace(**{cut: last - first}, a=a, b=b, c=c)))
    return Cut(parts, work // OPERATION)
