"""Intake: many arrays of a caller are checked and copied in one foreign call.

The kernel reads the headers of NumPy's arrays, as numba does when it unboxes them. NumPy would take
a tenth of a microsecond for each array, to look at its type and shape, and another one to copy it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from scg.common.lazy import cached_property
from scg.engine.codegen import native
from scg.engine.codegen.layout import kernel, positions
from scg.engine.table.buffers import address


class Taking(NamedTuple):
    """Words of the kernel; the rows of the arrays follow."""

    given: int  # address of a tuple of arrays
    count: int
    plain: int  # address of the type of arrays


class Taken(NamedTuple):
    """Words of an array that takes the values of another; the lengths of its axes follow."""

    dtype: int  # addresses of its type, and of that type's numbers
    number: int
    own: int  # address
    bytes: int
    ndim: int


#: Words before the content of an object, the last of which is its type; before a tuple's items.
_HEAD, _ITEMS = object.__basicsize__ // 8, tuple.__basicsize__ // 8
#: Words of an array (``PyArrayObject_fields``); of two of them one half is used.
_TYPE, _DATA, _NDIM, _SHAPE, _DTYPE, _FLAGS = (_HEAD + k for k in (-1, 0, 1, 2, 5, 6))
_HALF = (1 << 32) - 1
#: Flag of arrays that are C-contiguous.
_CONTIGUOUS = 1
_row = positions(Taken)
SOURCE = kernel(
    Taking,
    f"""    items, row = table.given + u8({8 * _ITEMS}), table + u8({8 * len(Taking._fields)})
    for i in range(table.count):
        array, ndim = word(items, i), word(row, {_row.ndim})
        values = array + u8({8 * _HEAD})
        if word(array, {_TYPE}) == table.plain:
            values = word(array, {_DATA})
            if word(array, {_DTYPE}) != word(row, {_row.dtype}):
                raise TypeError("another type")
            if word(array, {_FLAGS}) & u8({_CONTIGUOUS}) == u8(0):
                raise TypeError("another layout")
            if word(array, {_NDIM}) & u8({_HALF}) != ndim:
                raise TypeError("another shape")
            for k in range(ndim):
                if word(word(array, {_SHAPE}), k) != word(row, {len(Taken._fields)} + k):
                    raise TypeError("another shape")
        elif ndim != 0 or word(array, {_TYPE}) != word(row, {_row.number}):
            raise TypeError("no array")
        copy_bytes(word(row, {_row.own}), values, word(row, {_row.bytes}))
        row = row + u8(8) * (ndim + u8({len(Taken._fields)}))
""",
)


class Intake:
    """Copies the values of arrays into the arrays `own`.

    Only one thread at a time may call it.
    """

    def __init__(self, own: Sequence[np.ndarray]):
        words = [*Taking(0, len(own), id(np.ndarray)), *chain(*map(_row_of, own))]
        self._own, self._table = own, np.array(words, np.int64)
        self._words = self._table.data

    @cached_property
    def _take(self) -> Callable[[], int]:
        if not known():
            return lambda: 1
        return native.caller(SOURCE, address(self._table), releases=False)

    def __call__(self, arrays: tuple[Any, ...]) -> bool:
        """Copy all arrays and return True, or return False if one of them does not fit.

        An array fits if it is C-contiguous and has the type and shape of its array in `own`. A
        scalar of NumPy counts as an array without axes.
        """
        self._words[0] = id(arrays)
        return not self._take()


def _row_of(own: np.ndarray) -> tuple[int, ...]:
    kind = own.dtype
    return (*Taken(id(kind), id(kind.type), address(own), own.nbytes, own.ndim), *own.shape)


@functools.cache
def known() -> bool:
    """Whether arrays, numbers and tuples have the fields that the kernel reads."""
    array = np.empty((2, 3), np.float32)
    if np.ndarray.__basicsize__ < 8 * (_FLAGS + 1):
        return False
    word = (ctypes.c_uint64 * (_FLAGS + 1)).from_address(id(array))
    pair, number = (array,), np.float64(0.1)
    item = ctypes.c_uint64.from_address(id(pair) + 8 * _ITEMS)
    content = ctypes.c_double.from_address(id(number) + 8 * _HEAD)
    found = word[_TYPE], word[_DATA], word[_DTYPE], item.value, content.value
    halves = word[_NDIM] & _HALF, word[_FLAGS] & _HALF
    if found != (id(np.ndarray), address(array), id(array.dtype), id(array), number):
        return False
    if halves != (array.ndim, array.flags.num):
        return False
    return [*(ctypes.c_int64 * 2).from_address(word[_SHAPE])] == [*array.shape]
