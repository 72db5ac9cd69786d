"""The matrix product of NumPy's own BLAS as a kernel.

NumPy's wheels bundle OpenBLAS with 64-bit integers; kernels call ``cblas_?gemm`` there by address,
because a second BLAS would bring a second pool of threads. Where NumPy has another BLAS, products
are loops.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen.layout import kernel

_SYMBOLS = ("scipy_cblas_{}gemm64_", "cblas_{}gemm64_")
_THREADS = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_")


class Products(NamedTuple):
    """Words of the kernel that runs a loop of row-major matrix products, C = op(A) op(B)."""

    count: int
    gemm: int  # the address of BLAS's function
    ta: int  # BLAS's flags of transposition
    tb: int
    m: int  # rows of C
    n: int  # columns of C
    k: int  # the axis that is summed
    a: Any  # address of the first product's A
    lda: int  # elements from row to row
    step_a: int  # bytes from product to product
    b: Any
    ldb: int
    step_b: int
    c: Any
    ldc: int
    step_c: int
    turns: int  # products for each of the count
    turn_a: int  # bytes from one turn to the next
    turn_b: int
    turn_c: int
    adds: int  # all bits if all but the first of the count add to C, else 0
    turn_adds: int  # all bits if all turns but the first add to C
    clears: int  # bytes from row to row of C that begin as zeros


_SOURCE = kernel(
    Products,
    """    a, b, c = table.a, table.b, table.c
    for i in range(table.count):
        clear_bytes(c, table.clears * table.m)
        x, y, z = a, b, c
        for j in range(table.turns):
            adds = table.adds & i | table.turn_adds & j
            gemm_{code}(
                table.gemm, table.ta, table.tb, table.m, table.n, table.k,
                x, table.lda, y, table.ldb, adds, z, table.ldc,
            )
            x, y, z = x + table.turn_a, y + table.turn_b, z + table.turn_c
        a, b, c = a + table.step_a, b + table.step_b, c + table.step_c
""",
)
NO_TRANSPOSE, TRANSPOSE = 111, 112


def source(code: str) -> str:
    """Kernel of :class:`Products`, given the type code of floats."""
    return _SOURCE.replace("{code}", code)


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The library that NumPy's matrix products come from, if it is the bundled one."""
    import numpy._core._multiarray_umath as core

    try:
        library = ctypes.CDLL(core.__file__)  # symbols of what it links to are found through it
    except OSError:
        return None
    return library


@functools.cache
def gemm_address(code: str) -> int | None:
    """Address of the product of float32 ("f4") or float64 ("f8") matrices, or None."""
    letter = {"f4": "s", "f8": "d"}[code]
    for symbol in _SYMBOLS:
        try:
            function = getattr(_library(), symbol.format(letter))
        except AttributeError:
            continue
        return ctypes.cast(function, ctypes.c_void_p).value
    return None


class _OneThread:
    """A context in which each matrix product runs in the thread that calls it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside, self.outside = 0, os.cpu_count() or 1

    def __enter__(self) -> int:
        """Enter, and return the number of threads that products have outside."""
        with self.lock:
            if not self.inside:
                self.outside = _get()
                _set(1)
            self.inside += 1
            return self.outside

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                _set(self.outside)

    def forget(self) -> None:
        """Reset after a fork: no thread is inside."""
        self.lock = threading.Lock()
        if self.inside:
            self.inside = 0
            _set(self.outside)


one_thread = _OneThread()


def set_threads(count: int) -> None:
    """Set the number of threads of matrix products, NumPy's and ours, and of large loops."""
    with one_thread.lock:
        one_thread.outside = count
        if not one_thread.inside:
            _set(count)


def threads() -> int:
    """Number of threads of NumPy's matrix products, which the environment may set."""
    with one_thread.lock:
        return one_thread.outside if one_thread.inside else _get()


def _get() -> int:
    function = _threads("get")
    return int(function()) if function is not None else one_thread.outside


def _set(count: int) -> None:
    function = _threads("set")
    if function is not None:
        function(ctypes.c_int(count))


@functools.cache
def _threads(verb: str) -> Any:
    for symbol in _THREADS:
        with contextlib.suppress(AttributeError):
            return getattr(_library(), symbol.format(verb))
    return None


def check() -> bool:
    """Whether this BLAS has products of both types, with 64-bit integers."""
    return bool(gemm_address("f4") and gemm_address("f8") and np.intp(0).itemsize == 8)


if os.name == "posix":
    os.register_at_fork(after_in_child=one_thread.forget)
