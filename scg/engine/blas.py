"""The matrix product of NumPy's own BLAS, as a table entry.

NumPy's wheels bundle OpenBLAS with 64-bit integers; its ``cblas_?gemm`` is called through its
address. A second BLAS would bring a second pool of threads. Where NumPy has another BLAS, products
are computed by ``np.matmul`` in Python, and counted as such.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from typing import Any

import numpy as np

_SYMBOLS = ("scipy_cblas_{}gemm64_", "cblas_{}gemm64_")
_THREADS = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_")

#: Runs ``table[0]`` products of row-major matrices: function, shape, three operands and steps.
SOURCE = """def kernel(table):
    a = word(table, 7)
    b = word(table, 10)
    c = word(table, 13)
    for i in range(word(table, 0)):
        gemm_{code}(
            word(table, 1), word(table, 2), word(table, 3),
            word(table, 4), word(table, 5), word(table, 6),
            a, word(table, 8), b, word(table, 11), c, word(table, 14),
        )
        a = a + word(table, 9)
        b = b + word(table, 12)
        c = c + word(table, 15)
"""
NO_TRANSPOSE, TRANSPOSE = 111, 112


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Return the library that NumPy's matrix products come from, if it is the bundled one."""
    import numpy._core._multiarray_umath as core

    try:
        library = ctypes.CDLL(core.__file__)  # symbols of what it links to are found through it
    except OSError:
        return None
    return library


@functools.cache
def gemm_address(code: str) -> int | None:
    """Return the address of the product of float32 ("f4") or float64 ("f8") matrices."""
    letter = {"f4": "s", "f8": "d"}[code]
    for symbol in _SYMBOLS:
        try:
            function = getattr(_library(), symbol.format(letter))
        except AttributeError:
            continue
        return ctypes.cast(function, ctypes.c_void_p).value
    return None


_chosen: list[int] = []


def set_threads(count: int) -> None:
    """Set the number of threads of NumPy's matrix products."""
    _chosen[:] = [count]
    function = _threads("set")
    if function is not None:
        function(ctypes.c_int(count))


def threads() -> int:
    """Return the number of threads of NumPy's matrix products; it heeds the environment."""
    function = _threads("get")
    if function is not None:
        return int(function())
    return _chosen[0] if _chosen else os.cpu_count() or 1


@functools.cache
def _threads(verb: str) -> Any:
    for symbol in _THREADS:
        with contextlib.suppress(AttributeError):
            return getattr(_library(), symbol.format(verb))
    return None


def check() -> bool:
    """Whether a product through the address is right; a stranger's ABI would show here."""
    return bool(gemm_address("f4") and gemm_address("f8") and np.intp(0).itemsize == 8)
