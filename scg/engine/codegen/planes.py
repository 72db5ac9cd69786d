"""Row functions of planes: means over windows, and their adjoint, in whole vectors.

One pass adds rows of a plane into a buffer on the stack, which stays in the fastest cache. A second
pass adds neighbouring elements of the buffer into the result. Each pass computes vectors of a row;
the last vector ends with the row, and repeats elements of the one before it. Each size and step of
windows has a function of its own, in which they are constants.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from scg.engine.codegen.instruction import instruction
from scg.engine.codegen.intrinsics import clear_bytes, copy_bytes
from scg.engine.codegen.matrices import one, row, zero

u8 = np.uint64
_WORD, _INT = ir.IntType(64), ir.IntType(32)
_REAL = {"f4": ir.FloatType(), "f8": ir.DoubleType()}
#: Bytes of a vector, elements of the buffer, and most means, or groups of a step, of a row in it.
WIDTH, BUFFER, MOST = 32, 2048, 256
#: Longest step across that vectors take.
STEPS = 8


class _Vectors:
    """Instructions for vectors of some elements."""

    def __init__(self, code: str, lanes: int):
        self.real, self.item, self.lanes = _REAL[code], int(code[1]), lanes

    def pointer(self, builder: Any, address: Any, count: int) -> Any:
        return builder.inttoptr(address, ir.VectorType(self.real, count).as_pointer())

    def read(self, builder: Any, address: Any, at: int = 0, times: int = 1) -> Any:
        """A vector, or several, from some elements after an address."""
        address = builder.add(address, _WORD(at * self.item))
        place = self.pointer(builder, address, self.lanes * times)
        return builder.load(place, align=self.item)

    def write(self, builder: Any, value: Any, address: Any) -> None:
        builder.store(value, self.pointer(builder, address, value.type.count), align=self.item)

    def mean(self, builder: Any, terms: list[Any], size: int) -> Any:
        """A sum divided by a size; zero without terms."""
        total = _added(builder, terms) if terms else ir.Constant(self.vector, None)
        return builder.fmul(total, self.vector([self.real(1.0 / size)] * self.lanes))

    @property
    def vector(self) -> Any:
        return ir.VectorType(self.real, self.lanes)


def _added(builder: Any, terms: list[Any]) -> Any:
    return functools.reduce(builder.fadd, terms)


def _picked(builder: Any, first: Any, second: Any, places: Iterable[int]) -> Any:
    """Elements of two vectors, one after the other."""
    numbers = [_INT(k) for k in places]
    mask = ir.Constant(ir.VectorType(_INT, len(numbers)), numbers)
    return builder.shuffle_vector(first, second, mask)


def _by_turns(builder: Any, vectors: list[Any]) -> Any:
    """A vector that has elements of some vectors by turns."""
    lanes, joined = vectors[0].type.count, vectors[0]
    for k, other in enumerate(vectors[1:], 1):
        wide = _picked(builder, other, other, (j % lanes for j in range(k * lanes)))
        joined = _picked(builder, joined, wide, range((k + 1) * lanes))
    count = len(vectors)
    places = (j % count * lanes + j // count for j in range(count * lanes))
    return _picked(builder, joined, joined, places)


def _buffer(code: str, count: int) -> Any:
    @instruction(types.uint64)
    def buffer(builder):
        """Address of elements on the stack."""
        with builder.goto_entry_block():
            return builder.ptrtoint(builder.alloca(_REAL[code], count), _WORD)

    return buffer


def _lanes(code: str, fits: int, across: int = 1) -> int:
    """Elements of a vector for rows that hold a vector of `fits` elements."""
    return min(fits, WIDTH // int(code[1])) if across <= STEPS else 1


@functools.cache
def window_mean(code: str, *constants: int) -> Any:
    """Row function of means over windows.

    Constants are sizes and steps of windows, down and across, and elements of vectors that fit rows
    of the buffer and of the result.
    """
    height, width, step, across, *fits = constants
    below, beside = (
        _Vectors(code, _lanes(code, fits[0])),
        _Vectors(code, _lanes(code, fits[1], across)),
    )

    @instruction(types.void, *[types.uint64] * 4)
    def down(builder, to, source, j, apart):
        at = builder.mul(j, _WORD(below.item))
        place, terms = builder.add(source, at), []
        for _ in range(height):
            terms.append(below.read(builder, place))
            place = builder.add(place, apart)
        below.write(builder, _added(builder, terms), builder.add(to, at))

    @instruction(types.void, *[types.uint64] * 3)
    def along(builder, to, source, j):
        at = builder.mul(j, _WORD(beside.item))
        place, terms = builder.add(source, builder.mul(at, _WORD(across))), []
        for k in range(0, width, across):
            near = beside.read(builder, place, k, across)
            firsts = range(min(across, width - k))
            terms += (
                _picked(builder, near, near, range(n, near.type.count, across)) for n in firsts
            )
        mean = beside.mean(builder, terms, height * width)
        beside.write(builder, mean, builder.add(to, at))

    buffer = _buffer(code, 2 * BUFFER + width + WIDTH * across)
    most = u8(max(WIDTH, min(MOST, BUFFER // across)))
    item, deepest, skip, wide, jump = map(u8, (code[1], BUFFER, across, width, step))
    n_below, n_beside = u8(below.lanes), u8(beside.lanes)

    @row
    def sums(to, pitch, source, apart, rows, n):
        for r in range(rows):
            for j in range(zero, n, n_below):
                down(to + r * pitch, source + r * apart * jump, min(j, n - n_below), apart)

    @row
    def means(to, apart, source, pitch, rows, n):
        for r in range(rows):
            for j in range(zero, n, n_beside):
                along(to + r * apart, source + r * pitch, min(j, n - n_beside))

    @row
    def window_mean(out, x, so, _so, sx, _sx, rows, columns):
        so, sx, space, n = so * item, sx * item, buffer(), min(most, columns)
        pitch = (n - one) * skip + wide
        deep = max(deepest // pitch, one)
        for start in range(zero, columns, most):
            left = min(start, columns - n)
            for top in range(zero, rows, deep):
                m = min(deep, rows - top)
                source = x + top * jump * sx + left * skip * item
                sums(space, pitch * item, source, sx, m, pitch)
                means(out + top * so + left * item, so, space, pitch * item, m, n)

    return window_mean


@functools.cache
def window_spread(code: str, *constants: int) -> Any:
    """Row function of the adjoint of :func:`window_mean`.

    Constants are sizes and steps as there, and elements of vectors that fit rows of the argument
    and, in groups of a step, of the result. Rows of the buffer have zeros before and after the
    elements, and where fewer windows hold a row, a row of zeros takes the place of the others.
    """
    height, width, step, across, *fits = constants
    below, beside = (
        _Vectors(code, _lanes(code, fits[0])),
        _Vectors(code, _lanes(code, fits[1], across)),
    )
    before = -(-width // across) - 1

    @instruction(types.void, *[types.uint64] * 7)
    def down(builder, to, source, j, apart, rows, i, zeros):
        at, terms = builder.mul(j, _WORD(below.item)), []
        last, phase = builder.udiv(i, _WORD(step)), builder.urem(i, _WORD(step))
        for k in range(-(-height // step)):
            r = builder.sub(last, _WORD(k))
            held = builder.icmp_unsigned("<", phase, _WORD(height - k * step))
            held = builder.and_(held, builder.icmp_unsigned("<", r, rows))
            place = builder.add(source, builder.mul(r, apart))
            place = builder.select(held, place, zeros)
            terms.append(below.read(builder, builder.add(place, at)))
        below.write(builder, _added(builder, terms), builder.add(to, at))

    @instruction(types.void, *[types.uint64] * 3)
    def along(builder, to, source, j):
        at = builder.mul(j, _WORD(beside.item))
        place = builder.add(source, at)
        near = [beside.read(builder, place, -k) for k in range(before + 1)]
        counts = [-(-max(0, width - turn) // across) for turn in range(across)]
        turns = [beside.mean(builder, near[:count], height * width) for count in counts]
        to = builder.add(to, builder.mul(at, _WORD(across)))
        beside.write(builder, _by_turns(builder, turns), to)

    buffer = _buffer(code, 2 * BUFFER + before + WIDTH)
    nothing = _buffer(code, MOST + before + WIDTH)
    rest = _buffer(code, beside.lanes * across)
    item, edge, skip, most, deepest = map(u8, (code[1], before, across, MOST, BUFFER))
    n_below, n_beside = u8(below.lanes), u8(beside.lanes)

    @row
    def sums(to, pitch, source, apart, top, m, n, rows, zeros):
        for i in range(m):
            for j in range(zero, n, n_below):
                k = min(j, n - n_below)
                down(to + i * pitch, source, k, apart, rows, top + i, zeros)

    @row
    def shares(to, apart, source, pitch, m, n, tail, spills):
        part = rest()
        for i in range(m):
            count = n + one if spills and i + one < m else n
            for j in range(zero, count, n_beside):
                along(to, source, min(j, count - n_beside))
            if tail > zero and count == n:
                along(part, source + n * item, zero)
                copy_bytes(to + n * skip * item, part, tail * item)
            to, source = to + apart, source + pitch

    @row
    def window_spread(out, g, so, _so, sg, _sg, height, width, rows, columns):
        so, sg, space, zeros = so * item, sg * item, buffer(), nothing()
        clear_bytes(zeros, min(columns, most + edge) * item)
        groups, tail = width // skip, width % skip
        every = groups + min(tail, one)
        n = min(most, every)
        pitch = n + edge
        deep = min(max(deepest // pitch, one), height)
        for start in range(zero, every, most):
            left = min(start, every - n)
            first = left - min(left, edge)
            count = min(columns, left + n) - first
            here = space + (first + edge - left) * item
            full = min(n, groups - left)
            if count < pitch:
                clear_bytes(space, deep * pitch * item)
            for top in range(zero, height, deep):
                m = min(deep, height - top)
                sums(here, pitch * item, g + first * item, sg, top, m, count, rows, zeros)
                to, source = out + top * so + left * skip * item, space + edge * item
                rest_of = tail if full < n else zero
                # The last group of a row may run into the next row, which is written after it.
                spills = rest_of > zero and n == every and full > zero
                shares(to, so, source, pitch * item, m, full, rest_of, spills)

    return window_spread


#: Functions of constants that make row functions.
PLANES = {made.__wrapped__.__name__: made for made in (window_mean, window_spread)}
