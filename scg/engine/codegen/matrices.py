"""Row functions of matrices: plain loops, whose inner ones run along contiguous rows.

Arguments are as in :mod:`scg.engine.codegen.rows`, with two steps for each matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg.engine.codegen import intrinsics
from scg.engine.codegen.intrinsics import plus, sqrt
from scg.engine.codegen.jit import jit

row = jit(fastmath={"contract"})
zero, one = np.uint64(0), np.uint64(1)


def matrices(code: str, shown: Callable[[Callable[..., Any]], Any]) -> None:
    """Make the row functions of one float type; `shown` decorates those that kernels call."""
    get, put = getattr(intrinsics, f"get_{code}"), getattr(intrinsics, f"put_{code}")
    F: Any = {"f4": np.float32, "f8": np.float64}[code]

    @row
    def fill(out, rows, columns, n, m, value):
        for i in range(n):
            for j in range(m):
                put(out, i * rows + j * columns, value)

    @row
    def copy(out, b, so, to, sb, tb, n, m):
        for i in range(n):
            for j in range(m):
                put(out, i * so + j * to, get(b, i * sb + j * tb))

    @row
    def exchange(out, first, second, step, n, sign):
        """Exchange two rows, or two columns, and give one a sign."""
        for j in range(n):
            kept = get(out, first + j * step)
            put(out, first + j * step, get(out, second + j * step))
            put(out, second + j * step, sign * kept)

    @row
    def subtract(out, factor, to, source, step, n):
        """Subtract a multiple of one row, or column, from another."""
        for j in range(n):
            value = get(out, to + j * step) - factor * get(out, source + j * step)
            put(out, to + j * step, value)

    @shown
    def cholesky(out, a, so, to, sa, ta, n):
        fill(out, so, to, n, n, F(0))
        for i in range(n):
            for j in range(i + one):
                total = F(0.5) * (get(a, i * sa + j * ta) + get(a, j * sa + i * ta))
                for k in range(j):
                    product = get(out, i * so + k * to) * get(out, j * so + k * to)
                    total = plus(total, -product)
                if j < i:
                    put(out, i * so + j * to, total / get(out, j * so + j * to))
                elif total > F(0) and total < F(np.inf):
                    put(out, i * so + i * to, sqrt(total))
                else:
                    fill(out, so, to, n, n, F(np.nan))
                    return

    @shown
    def lu(out, a, so, to, sa, ta, n):
        """LU factors, and one more row that holds the exchanges of rows."""
        copy(out, a, so, to, sa, ta, n, n)
        for k in range(n):
            best, pivot = F(-1), k
            for i in range(k, n):
                size = abs(get(out, i * so + k * to))
                if size > best:
                    best, pivot = size, i
            put(out, n * so + k * to, F(pivot))
            if pivot != k:
                exchange(out, k * so, pivot * so, to, n, F(1))
            if best == F(0):
                continue
            for i in range(k + one, n):
                factor = get(out, i * so + k * to) / get(out, k * so + k * to)
                put(out, i * so + k * to, factor)
                right = (k + one) * to
                subtract(out, factor, i * so + right, k * so + right, to, n - k - one)

    @shown
    def sign_det(out, a, sa, ta, n):
        sign = F(1)
        for k in range(n):
            value = get(a, k * sa + k * ta)
            sign = sign if value > F(0) else (-sign if value < F(0) else F(0) * value)
            sign = -sign if get(a, n * sa + k * ta) != F(k) else sign
        put(out, zero, sign)

    @row
    def eliminate(out, a, so, to, sa, ta, n, m, upwards, unit):
        """Solve a triangular system in place, from the first unknown or from the last."""
        for i in range(n):
            r = n - one - i if upwards else i
            for k in range(i):
                s = n - one - k if upwards else k
                factor = get(a, r * sa + s * ta)
                subtract(out, factor, r * so, s * so, to, m)
            if not unit:
                diagonal = get(a, r * sa + r * ta)
                for j in range(m):
                    put(out, r * so + j * to, get(out, r * so + j * to) / diagonal)

    @row
    def singular(a, sa, ta, n):
        for k in range(n):
            if get(a, k * sa + k * ta) == F(0):
                return True
        return False

    @shown
    def lu_solve(out, a, b, so, to, sa, ta, sb, tb, n, m):
        if singular(a, sa, ta, n):
            fill(out, so, to, n, m, F(np.nan))
            return
        copy(out, b, so, to, sb, tb, n, m)
        for k in range(n):
            pivot = np.uint64(get(a, n * sa + k * ta))
            exchange(out, k * so, pivot * so, to, m, F(1))
        eliminate(out, a, so, to, sa, ta, n, m, False, True)
        eliminate(out, a, so, to, sa, ta, n, m, True, False)

    @shown
    def solve_triangular(out, a, b, so, to, sa, ta, sb, tb, n, m, lower, transposed):
        if singular(a, sa, ta, n):
            fill(out, so, to, n, m, F(np.nan))
            return
        copy(out, b, so, to, sb, tb, n, m)
        if transposed:
            eliminate(out, a, so, to, ta, sa, n, m, lower != zero, False)
        else:
            eliminate(out, a, so, to, sa, ta, n, m, lower == zero, False)

    @shown
    def diagonalize(out, a, so, to, sa, ta, n):
        """Eliminate rows and columns by the largest pivot.

        The result is diagonal; below it lie the left and the right factor that make it.
        """
        left, right = n * so, (n + n) * so
        for i in range(n):
            for j in range(n):
                unit = F(1) if i == j else F(0)
                put(out, i * so + j * to, get(a, i * sa + j * ta))
                put(out, left + i * so + j * to, unit)
                put(out, right + i * so + j * to, unit)
        for k in range(n):
            best, p, q = F(-1), k, k
            for i in range(k, n):
                for j in range(k, n):
                    size = abs(get(out, i * so + j * to))
                    if size > best:
                        best, p, q = size, i, j
            if p != k:
                exchange(out, k * so, p * so, to, n, F(-1))
                exchange(out, left + k * so, left + p * so, to, n, F(-1))
            if q != k:
                exchange(out, k * to, q * to, so, n, F(-1))
                exchange(out, right + k * to, right + q * to, so, n, F(-1))
            pivot = get(out, k * so + k * to)
            if pivot == F(0):
                return
            for i in range(k + one, n):
                factor = get(out, i * so + k * to) / pivot
                subtract(out, factor, i * so, k * so, to, n)
                subtract(out, factor, left + i * so, left + k * so, to, n)
            for j in range(k + one, n):
                factor = get(out, k * so + j * to) / pivot
                subtract(out, factor, right + j * to, right + k * to, so, n)
