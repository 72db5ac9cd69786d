"""Noise that compiled kernels draw into the frame of a call: one row of a table for each leaf."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.engine.noise import seed_text
from scg.engine.parts import Cut, ends
from scg.expr import Expr

#: Fills one leaf. Its words: address of the key, first run, runs, elements a run, address, bytes a
#: run, first block.
_FILL = """def kernel(table):
    halves = word(word(table, 0), 0)
    key = halves << u8(32) | halves >> u8(32)
    first = word(table, 1)
    runs = word(table, 2)
    each = word(table, 3)
    out = word(table, 4)
    block = word(table, 6)
    if each == u8(1):
        for i in range(u8(0), runs, u8({lanes})):
            draw_{law}_{code}_runs(key, first + i, block, out + i * u8({item}), runs - i)
    else:
        for i in range(runs):
            row = out + i * word(table, 5)
            for j in range(u8(0), each, u8({elements})):
                at, left = row + j * u8({item}), each - j
                draw_{law}_{code}_blocks(key, first + i, block + j // u8({width}), at, left)
"""
WORDS = 7
#: What a draw counts for where loops are cut, and the elements between which they may be.
OPERATIONS, ALIGNED = 8, 32
#: Blocks of random bits that :mod:`scg.engine.random` computes at once.
LANES = 16


def source(law: str, code: str) -> str:
    """Return the kernel that fills a leaf of a law ("uniform", "normal") and float type."""
    item, width = {"f4": (4, 2), "f8": (8, 1)}[code]
    numbers = {"lanes": LANES, "item": item, "width": width, "elements": LANES * width}
    return _FILL.format(law=law, code=code, **numbers)


def keys(seed: Any, leaves: Sequence[bytes]) -> bytes:
    """Return the stream keys of :func:`scg.engine.noise.stream_key`, eight bytes for each leaf."""
    text = seed_text(seed)
    if len(leaves) == 1:  # the fewest operations count where a step takes microseconds
        return hashlib.blake2b(text + leaves[0], digest_size=8).digest()
    start = hashlib.blake2b(text, digest_size=8)
    digests = []
    for leaf in leaves:
        state = start.copy()
        state.update(leaf)
        digests.append(state.digest())
    return b"".join(digests)


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


def cut(row: int, words: Sequence[int], item: int) -> Cut | None:
    """Return how a row of the table is cut in parts: along runs, or along the elements of one."""
    _, _, runs, each, _, step, _ = words
    over_runs = runs > 1
    at = ends(runs if over_runs else each // ALIGNED, runs * each * OPERATIONS)
    if at is None:
        return None
    shift = np.zeros((len(at) - 1, WORDS), np.int64)
    if over_runs:
        shift[:, 1], shift[:, 2], shift[:, 4] = at[:-1], np.diff(at) - runs, at[:-1] * step
    else:
        at[:-1] *= ALIGNED
        at[-1], width = each, 8 // item
        shift[:, 3], shift[:, 4] = np.diff(at) - each, at[:-1] * item
        shift[:, 6] = at[:-1] // width
    return Cut(row, shift, ())
