"""Counter-based noise: uniforms and normals as pure functions of seed, leaf, run and element.

One block of noise is ``threefry2x32(stream_key(seed, leaf), (run, element))``, two words. Float64
takes a block for each element; float32 takes a word, so that two elements of a run share a block,
or two runs of a leaf without axes. There is no state: the bits depend neither on threads nor on how
runs are split into blocks, and an engine that computes the same twenty rounds samples the same
noise.

Uniforms are *open*: midpoints ``(k + 1/2) 2**-52`` (float64) or ``(k + 1/2) 2**-23`` (float32). On
these grids ``1 - u`` is exact; the last midpoint of a finer grid would round to 1.

Source: Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC '11
(Threefry-2x32 with 20 rounds; rotations and the key's parity constant are the paper's).
"""

from __future__ import annotations

import functools
import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from scg.errors import CallError
from scg.seeds.normal import to_normal

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

Seed = int | tuple[int, ...]
Key = tuple[np.uint32, np.uint32]
Part = tuple[int, range]

_PARITY = 0x1BD11BDA
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
# Left and right shifts as arrays without dimensions: NumPy converts a scalar anew at every call.
_SHIFTS = [(np.array(r, np.uint32), np.array(32 - r, np.uint32)) for r in _ROTATIONS]
_TILE = 2**15  # blocks computed at once: three words each stay in the second-level cache


def check_seed(seed: Seed) -> Seed:
    """`seed` in plain Python integers.

    A seed is a non-negative integer of any size, or a non-empty tuple of them; ``12``, ``(12,)``
    and ``(1, 2)`` are three different seeds.

    Raises
    ------
    CallError
        For anything else (floats, bools, None, lists, nested tuples).
    """
    if not isinstance(seed, tuple):
        return _check_word(seed, seed)
    if not seed:
        raise CallError("the seed is an empty tuple; write e.g. seed=(1, step)")
    return tuple(_check_word(word, seed) for word in seed)


def _check_word(word: object, seed: object) -> int:
    if not isinstance(word, int | np.integer) or isinstance(word, bool):
        kind = type(word).__name__
        raise CallError(
            "a seed is an integer or a tuple of integers, got "
            f"{f'{seed!r} with' if seed is not word else f'{seed!r},'} a {kind}; "
            "write e.g. seed=1 or seed=(1, step)"
        )
    if word < 0:
        raise CallError(f"a seed must not be negative, got {seed!r}; write e.g. {abs(int(word))}")
    return int(word)


def extended(seed: Seed, *words: int) -> tuple[int, ...]:
    """A tuple that begins with a seed; with other words it is another seed."""
    return (*(seed if isinstance(seed, tuple) else (seed,)), *words)


def seed_word(seed: Seed) -> tuple[int, bool]:
    """Word of 64 bits for a seed, and whether it is a hash (of a tuple or a longer integer).

    Seeds that are hashed enter different keys than those that are not, see `leaf_key`.
    """
    if type(seed) is int and 0 <= seed < 2**64:  # a bound call of a small graph takes 1 µs in all
        return seed, False
    seed = check_seed(seed)
    if not isinstance(seed, tuple) and seed < 2**64:
        return seed, False
    text = f"{seed:x}" if not isinstance(seed, tuple) else ",".join(f"{s:x}" for s in (*seed, 0))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"), True


@functools.lru_cache(maxsize=4096)
def leaf_key(leaf: str, hashed: bool) -> Key:
    """Two key words for the name of a noise leaf, for seeds that are hashed or not."""
    message = leaf.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(message, digest_size=8, person=b"hashed" if hashed else b"").digest()
    k0, k1 = np.frombuffer(digest, "<u4")
    return k0, k1


def stream_key(seed: Seed, leaf: str) -> Key:
    """Two key words of a noise leaf for a seed (see `check_seed`).

    They are the block ``threefry2x32(leaf_key(leaf), (lower, upper half of the seed's word))``.
    """
    if not isinstance(leaf, str):
        raise TypeError(f"a noise leaf is named by a str, got {leaf!r}")
    return _stream_key(*seed_word(seed), leaf)


@functools.lru_cache(maxsize=64)
def _stream_key(word: int, hashed: bool, leaf: str) -> Key:
    x0, x1 = (np.array([half], np.uint32) for half in (word % 2**32, word >> 32))
    threefry2x32(leaf_key(leaf, hashed), x0, x1)
    return x0[0], x1[0]


def generator(seed: Seed, purpose: str) -> np.random.Generator:
    """NumPy's generator for what is sampled outside of a graph, by its purpose such as "binarize".

    For one seed, purposes and the noise leaves of graphs are independent of each other.
    """
    return np.random.default_rng([int(word) for word in stream_key(seed, purpose)])


def threefry2x32(key: Key, x0: NDArray[np.uint32], x1: NDArray[np.uint32]) -> None:
    """Overwrite the counters (x0, x1), uint32 arrays of one shape, by their blocks under `key`.

    It is fastest for contiguous vectors that fit the cache.
    """
    k0, k1 = int(key[0]), int(key[1])
    schedule = (k0, k1, k0 ^ k1 ^ _PARITY)
    scratch = np.empty_like(x1)
    np.add(x0, np.array(k0, np.uint32), x0)
    np.add(x1, np.array(k1, np.uint32), x1)
    for r in range(20):
        left, right = _SHIFTS[r % 8]
        np.add(x0, x1, x0)
        np.left_shift(x1, left, scratch)
        np.right_shift(x1, right, x1)
        np.bitwise_or(x1, scratch, x1)
        np.bitwise_xor(x1, x0, x1)
        if r % 4 == 3:
            i = r // 4 + 1
            np.add(x0, np.array(schedule[i % 3], np.uint32), x0)
            np.add(x1, np.array((schedule[(i + 1) % 3] + i) % 2**32, np.uint32), x1)


def open_float64(x0: NDArray[np.uint32], x1: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
    """Write ``(k + 1/2) 2**-52`` to `out`, where k is the upper 20 bits of x0, then x1."""
    bits = out.view(np.uint64)  # of 1 + k 2**-52; the subtraction below is exact
    bits[...] = x0 >> np.uint32(12)
    bits <<= np.uint64(32)
    bits |= x1
    bits |= np.uint64(0x3FF << 52)
    out -= 1 - 2.0**-53


def open_float32(x0: NDArray[np.uint32], x1: NDArray[np.uint32], out: NDArray[np.float32]) -> None:
    """Write ``(k + 1/2) 2**-23`` to `out`, where k is the upper 23 bits of a word.

    Words 0 and 1 of block i go to elements 2i and 2i + 1 of the last axis; if its length is odd,
    the last word is left out.
    """
    bits = out.view(np.uint32)
    bits[..., 0::2] = x0
    bits[..., 1::2] = x1[..., : out.shape[-1] // 2]
    bits >>= np.uint32(9)
    bits |= np.uint32(0x7F << 23)
    out -= np.float32(1 - 2.0**-24)


def uniform(
    seed: Seed,
    leaf: str,
    runs: range,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    part: Part | None = None,
) -> NDArray:
    """Independent uniforms on the open interval (0, 1): the noise of `leaf` in each run.

    Parameters
    ----------
    seed, leaf
        Name the stream; see `stream_key`.
    runs
        Indices of runs, below 2**32. A row depends on its own index alone: rows 3 and 4 of
        ``range(10)`` are the rows of ``range(3, 5)``.
    shape
        The leaf's shape within one run, of at most 2**32 elements.
    dtype
        float64 (a block for each element) or float32 (a block for elements 2i and 2i + 1 of a
        run or, if `shape` is empty, for runs 2i and 2i + 1).
    part
        An axis of `shape` and a range of step 1: the samples at these indices alone are computed.

    Returns
    -------
    ndarray of shape ``(len(runs), *shape)``, in which the axis of a `part` is as long as its range

    Raises
    ------
    TypeError, ValueError
        If an argument has another type, or a run or an element lies beyond the counters.
    """
    key, dtype, size = stream_key(seed, leaf), np.dtype(dtype), math.prod(shape)
    if dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise TypeError(f"noise leaf {leaf!r} is float64 or float32, not {dtype}")
    if not isinstance(runs, range):
        raise TypeError(f"noise leaf {leaf!r}: runs is a range, e.g. range(1000), got {runs!r}")
    if runs and not (0 <= runs[0] < 2**32 and 0 <= runs[-1] < 2**32):
        raise ValueError(
            f"noise leaf {leaf!r}: indices of runs are 0 to 2**32 - 1, got {runs!r}; "
            f"take another seed, e.g. seed=(seed, 1), for more runs"
        )
    if size > 2**32:
        raise ValueError(
            f"noise leaf {leaf!r}: shape {shape} has {size} elements a run, more than 2**32; "
            f"split the node, or put one of its axes on the runs"
        )
    if part is not None:
        return _partial(key, runs, shape, dtype, *part)
    out = np.empty((len(runs), size), dtype)
    if not shape and dtype == np.float32:
        _fill_pairs(key, runs, out.reshape(-1))
    elif out.size:
        _fill(key, runs, out)
    return out.reshape(len(runs), *shape)


def _partial(
    key: Key, runs: range, shape: tuple[int, ...], dtype: np.dtype, axis: int, indices: range
) -> NDArray:
    """The uniforms at some indices of an axis: one stretch of elements for each place before it."""
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    width, length = 8 // dtype.itemsize, len(indices) * after
    found = np.empty((len(runs), before, length), dtype)
    for i in range(before if found.size else 0):
        start = (i * shape[axis] + indices.start) * after
        skipped = start % width  # elements of the first block
        out = np.empty((len(runs), skipped + length), dtype)
        _fill(key, runs, out, start // width)
        found[:, i] = out[:, skipped:]
    return found.reshape(len(runs), *shape[:axis], len(indices), *shape[axis + 1 :])


def _fill(key: Key, runs: range, out: NDArray, first: int = 0) -> None:
    """Write the uniforms of the stream `key` to `out`, of shape (runs, elements), tile by tile.

    Element 0 is the first one of the block `first`.
    """
    convert, width = (open_float64, 1) if out.dtype == np.float64 else (open_float32, 2)
    blocks = -(-out.shape[1] // width)
    columns = min(blocks, _TILE)
    rows = _TILE // columns
    for row in range(0, len(runs), rows):
        run = runs[row : row + rows]
        run_indices = np.arange(run.start, run.stop, run.step)[:, None]
        for column in range(0, blocks, columns):
            stop = min(column + columns, blocks)
            x0, x1 = np.empty((2, len(run), stop - column), np.uint32)
            x0[...] = run_indices
            x1[...] = np.arange(first + column, first + stop)
            threefry2x32(key, x0.ravel(), x1.ravel())
            convert(x0, x1, out[row : row + rows, column * width : stop * width])


def _fill_pairs(key: Key, runs: range, out: NDArray) -> None:
    """Write one uniform for each run to `out`: words 0 and 1 of block i are for runs 2i, 2i + 1."""
    length = max(_TILE // abs(runs.step), 1)
    for start in range(0, len(runs), length):
        run = runs[start : start + length]
        first, last = (end // 2 for end in sorted((run[0], run[-1])))
        x0, x1 = np.zeros((2, last + 1 - first), np.uint32)
        x0[...] = np.arange(first, last + 1)
        threefry2x32(key, x0, x1)
        u = np.empty(2 * len(x0), np.float32)
        open_float32(x0, x1, u)
        out[start : start + length] = u[run[0] - 2 * first :: run.step][: len(run)]


def normal(
    seed: Seed,
    leaf: str,
    runs: range,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    part: Part | None = None,
) -> NDArray:
    """Independent standard normals: the quantiles of `uniform` with the same arguments.

    Compiled kernels compute the same bits, see :mod:`scg.seeds.normal`. The antithetic twin is the
    mirror image, bit for bit: the quantile of 1 - u is minus that of u.
    """
    out = uniform(seed, leaf, runs, shape, dtype, part)
    flat = out.reshape(-1)
    for start in range(0, flat.size, _TILE):
        to_normal(flat[start : start + _TILE])
    return out
