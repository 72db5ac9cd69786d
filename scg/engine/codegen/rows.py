"""Row functions: a kernel calls them once for each row of elements, or each matrix.

The arguments are addresses, first of the result, then the steps in elements along the axes inside a
row, for each operand in order, then numbers; all are unsigned words. Each function is made for each
type of its first argument: :data:`ROWS` maps ("cumsum", "f8") to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg.engine.codegen import intrinsics
from scg.engine.codegen.intrinsics import get_i8, plus, put_i8
from scg.engine.codegen.math import FUNCTIONS
from scg.engine.codegen.matrices import matrices, one, row, zero
from scg.engine.codegen.orders import orders

#: (function name, type code) to the compiled function.
ROWS: dict[tuple[str, str], Any] = {}
i8 = np.int64
log: Any = FUNCTIONS["log", "f8"]


def _shown(code: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of functions of one type that kernels call."""

    def shown(function: Callable[..., Any]) -> Any:
        made = ROWS[function.__name__, code] = row(function)
        return made

    return shown


def _movements(code: str) -> None:
    """Make the functions that move, count and order elements of any type."""
    get, put = getattr(intrinsics, f"get_{code}"), getattr(intrinsics, f"put_{code}")
    shown = _shown(code)
    T: Any = {"f4": np.float32, "f8": np.float64, "i8": np.int64, "b1": np.bool_}[code]
    W: Any = np.float64 if code == "f4" else T

    @shown
    def take(out, x, k, step, n):
        """out = x[k], where k may count from the end."""
        at = get_i8(k, zero)
        at = at + i8(n) if at < i8(0) else at
        if at < i8(0) or at >= i8(n):
            raise IndexError("an index is out of bounds")
        put(out, zero, get(x, np.uint64(at) * step))

    @shown
    def add_at(out, x, k, step, n):
        at = np.uint64(get_i8(k, zero) % i8(n)) * step
        put(out, at, get(out, at) + get(x, zero))

    @shown
    def clear_at(out, k, step, n):
        put(out, np.uint64(get_i8(k, zero) % i8(n)) * step, T(0))

    @shown
    def cumsum(out, x, so, sx, n, reverse):
        total = W(0)
        for j in range(n):
            i = n - one - j if reverse else j
            total = total + get(x, i * sx)
            put(out, i * so, T(total))

    @row
    def extreme(out, x, sx, n, largest):
        best, at = get(x, zero), zero
        for i in range(one, n):
            value = get(x, i * sx)
            better = value > best if largest else value < best
            if best == best and (better or value != value):
                best, at = value, i
        put_i8(out, zero, i8(at))

    @shown
    def argmax(out, x, sx, n):
        extreme(out, x, sx, n, True)

    @shown
    def argmin(out, x, sx, n):
        extreme(out, x, sx, n, False)


def _projections(code: str) -> None:
    """Make the functions of rows of one float type."""
    get, put = getattr(intrinsics, f"get_{code}"), getattr(intrinsics, f"put_{code}")
    shown = _shown(code)
    F: Any = {"f4": np.float32, "f8": np.float64}[code]

    @shown
    def sparsemax(out, x, so, sx, n):
        """Shrink the support until what exceeds the threshold on it sums to one.

        The threshold lies less than one below the largest element.
        """
        top = F(-np.inf)
        for i in range(n):
            value = get(x, i * sx)
            top = value if value > top or value != value else top
        threshold, size, count = F(-1), zero, n + one
        while count != size:
            total, size, count = F(0), count, zero
            for i in range(n):
                value = get(x, i * sx) - top
                if value > threshold:
                    total, count = total + value, count + one
            threshold = (total - F(1)) / F(count)
        for i in range(n):
            value = get(x, i * sx) - top - threshold
            put(out, i * so, value if value > F(0) or value != value else F(0))

    @row
    def log_mean(a, sa, n):
        total = 0.0
        for i in range(n):
            total = plus(total, np.float64(get(a, i * sa)))
        return log(total)

    @shown
    def log_over_means(out, x, a, so, sx, sa, n):
        mean = log_mean(a, sa, n)
        for i in range(n):
            ratio = log(np.float64(get(x, i * sx))) + mean - log(np.float64(get(a, i * sa)))
            put(out, i * so, F(ratio))

    @shown
    def dirichlet_core(out, x, a, sx, sa, n):
        mean, total = log_mean(a, sa, n), 0.0
        for i in range(n):
            shape = np.float64(get(a, i * sa))
            if shape != 1.0:
                ratio = log(np.float64(get(x, i * sx))) + mean - log(shape)
                total = plus(total, (shape - 1.0) * ratio)
        put(out, zero, F(total))


for _code in ("f4", "f8", "i8", "b1"):
    _movements(_code)
    orders(_code, _shown(_code))
for _code in ("f4", "f8"):
    _projections(_code)
    matrices(_code, _shown(_code))
