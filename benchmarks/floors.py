"""Floors: the matrix products of a step alone, and the figures of the machine.

No step can be faster with this library and these threads. The products go by NumPy's BLAS into
existing arrays.
"""

import time

import numpy as np

#: Numbers in the array of the bandwidth, far more than caches hold.
LARGE = 5 * 10**7


def products(shapes, dtype):
    """A function that runs all products (rows, inner, columns)."""
    rng = np.random.default_rng(0)
    calls = [
        (
            rng.random((rows, inner)).astype(dtype),
            rng.random((inner, columns)).astype(dtype),
            np.empty((rows, columns), dtype),
        )
        for rows, inner, columns in shapes
    ]

    def call():
        for a, b, out in calls:
            np.matmul(a, b, out)

    return call


def _fastest(call, seconds):
    best, begin = np.inf, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def machine(seconds):
    """Rates of products of 1024×1024 matrices in Gflop/s, and of memory in GB/s.

    "read" is the maximum of 200 MB, "fill" writes them; both on one core.
    """
    found = {}
    for name, dtype in (("sgemm", "float32"), ("dgemm", "float64")):
        call = products([(1024, 1024, 1024)], dtype)
        call()
        found[name] = 2 * 1024**3 / _fastest(call, seconds) / 1e9
    array = np.zeros(LARGE, np.float32)
    array.fill(1.0)
    found["read"] = 4 * LARGE / _fastest(array.max, seconds) / 1e9
    found["fill"] = 4 * LARGE / _fastest(lambda: array.fill(0.0), seconds) / 1e9
    return found
