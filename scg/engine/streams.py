"""Noise that compiled kernels draw into the frame of a call: one row of a table for each leaf."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.engine.noise import check_seed
from scg.expr import Expr

#: Fills one leaf: key, first run, runs, elements a run, address, bytes a run.
_FILL = {
    # One block of random bits an element.
    "f8": """def kernel(table):
    key = word(table, 0)
    first = word(table, 1)
    out = word(table, 4)
    n = word(table, 3)
    if n == u8(1):
        for i in range(word(table, 2)):
            u = uniform_f8(threefry(key, first + i, u8(0)))
            store_f8(out, i, {law}, 0, 1)
    else:
        for i in range(word(table, 2)):
            row = out + i * word(table, 5)
            for j in range(n):
                u = uniform_f8(threefry(key, first + i, j))
                store_f8(row, j, {law}, 0, 1)
""",
    # Two elements a block; the last block of an odd number gives one.
    "f4": """def kernel(table):
    key = word(table, 0)
    first = word(table, 1)
    out = word(table, 4)
    half = word(table, 3) >> u8(1)
    odd = word(table, 3) & u8(1)
    if half == u8(0):
        for i in range(word(table, 2)):
            u = first_f4(threefry(key, first + i, u8(0)))
            store_f4(out, i, {law}, 0, 1)
    else:
        for i in range(word(table, 2)):
            row = out + i * word(table, 5)
            for j in range(half):
                bits = threefry(key, first + i, j)
                u = first_f4(bits)
                store_f4(row, j + j, {law}, 0, 1)
                u = second_f4(bits)
                store_f4(row, j + j + u8(1), {law}, 0, 1)
            for j in range(odd):
                u = first_f4(threefry(key, first + i, half))
                store_f4(row, half + half, {law}, 0, 1)
""",
}
_LAWS = {
    ("uniform", "f8"): "u",
    ("uniform", "f4"): "u",
    ("normal", "f8"): "ndtri_f8(u)",
    ("normal", "f4"): "f4(ndtri_f8(f8(u)))",  # as the interpreter: rounded from double precision
}
WORDS = 6


def source(law: str, code: str) -> str:
    """Return the kernel that fills a leaf of a law ("uniform", "normal") and float type."""
    return _FILL[code].replace("{law}", _LAWS[law, code])


def keys(seed: Any, leaves: Sequence[bytes]) -> np.ndarray:
    """Return the stream keys of :func:`scg.engine.noise.stream_key`, one row for each leaf."""
    seed = check_seed(seed)
    text = f"({','.join(f'{s:x}' for s in seed)})" if isinstance(seed, tuple) else f"{seed:x}"
    start = hashlib.blake2b(f"{text}\n".encode(), digest_size=8)
    digests = []
    for leaf in leaves:
        state = start.copy()
        state.update(leaf)
        digests.append(state.digest())
    return np.frombuffer(b"".join(digests), "<u4").reshape(-1, 2)


def encoded(leaf: Expr) -> bytes:
    """Return the name of a noise leaf as it enters its key."""
    return leaf.attrs["name"].encode("utf-8", "surrogatepass")


def table(
    functions: Sequence[int], shapes: Sequence[tuple[int, ...]], lifted: Sequence[bool], item: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return code, words and lengths in bytes of a table that fills leaves of these shapes.

    A leaf that is lifted has the runs as its first axis. Addresses, keys and the first run are
    written when the table is used.
    """
    words = np.zeros((len(shapes), WORDS), np.int64)
    lengths = np.zeros(len(shapes), np.int64)
    for row, (shape, over_runs) in enumerate(zip(shapes, lifted, strict=True)):
        runs = shape[0] if over_runs else 1
        each = int(np.prod(shape[1:] if over_runs else shape, dtype=np.int64))
        words[row, 2:6] = runs, each, 0, each * item
        lengths[row] = runs * each * item
    return np.array(functions, np.int64), words, lengths
