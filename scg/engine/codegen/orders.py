"""Row functions that sort: short rows by insertion, long ones digit by digit.

Both compare words that order as the numbers do, and equal elements keep their order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from scg.engine.codegen import intrinsics
from scg.engine.codegen.instruction import instruction
from scg.engine.codegen.intrinsics import get_i8, put_i8
from scg.engine.codegen.matrices import one, zero

i8 = np.int64
_WORD = ir.IntType(64)
#: Width of a number, in which its word has its digits.
_WIDTHS = {"f4": 32, "f8": 64, "i8": 64, "b1": 8}
_NUMBA = {"f4": types.float32, "f8": types.float64, "i8": types.int64, "b1": types.boolean}
#: Bits of a digit, and the digits.
eight, digits = np.uint64(8), np.uint64(256)


@instruction(types.uint64)
def room(builder):
    """Address of a word on the stack for each digit."""
    with builder.goto_entry_block():
        return builder.ptrtoint(builder.alloca(_WORD, int(digits)), _WORD)


def _key(code: str) -> Any:
    @instruction(types.uint64, _NUMBA[code])
    def key(builder, x):
        """Word that orders as the number does: both zeros are equal, and NaN is last."""
        if code == "b1":
            return builder.zext(x, _WORD)
        if code == "i8":
            return builder.xor(x, _WORD(1 << 63))
        integer = ir.IntType(_WIDTHS[code])
        bits = builder.bitcast(builder.fadd(x, x.type(0.0)), integer)
        sign = builder.ashr(bits, integer(integer.width - 1))
        bits = builder.xor(bits, builder.or_(sign, integer(1 << (integer.width - 1))))
        nan = builder.fcmp_unordered("uno", x, x)
        return builder.zext(builder.select(nan, integer(-1), bits), _WORD)

    return key


def orders(code: str, shown: Callable[[Callable[..., Any]], Any]) -> None:
    """Make the row functions of one type; `shown` decorates those that kernels call."""
    key, get, bits = _key(code), getattr(intrinsics, f"get_{code}"), np.uint64(_WIDTHS[code])

    @shown
    def argsort(out, x, so, sx, n):
        """Insert each index behind those of elements that are not larger."""
        for i in range(n):
            own, j = key(get(x, i * sx)), i
            while j > zero:
                other = get_i8(out, (j - one) * so)
                if key(get(x, np.uint64(other) * sx)) <= own:
                    break
                put_i8(out, j * so, other)
                j = j - one
            put_i8(out, j * so, i8(i))

    @shown
    def argsort_digits(out, x, so, sx, n):
        """Sort by each digit of eight bits, the last one first; `out` has room for 2 n indices."""
        counts, here, there = room(), zero, n
        for i in range(n):
            put_i8(out, i * so, i8(i))
        for low in range(zero, bits, eight):
            for digit in range(digits):
                put_i8(counts, digit, i8(0))
            for i in range(n):
                digit = (key(get(x, i * sx)) >> low) % digits
                put_i8(counts, digit, get_i8(counts, digit) + i8(1))
            if get_i8(counts, digit) == i8(n):
                continue  # all have this digit
            total = i8(0)
            for digit in range(digits):
                count = get_i8(counts, digit)
                put_i8(counts, digit, total)
                total = total + count
            for i in range(n):
                k = get_i8(out, (here + i) * so)
                digit = (key(get(x, np.uint64(k) * sx)) >> low) % digits
                at = get_i8(counts, digit)
                put_i8(counts, digit, at + i8(1))
                put_i8(out, (there + np.uint64(at)) * so, k)
            here, there = there, here
        for i in range(n if here > zero else zero):
            put_i8(out, i * so, get_i8(out, (here + i) * so))
