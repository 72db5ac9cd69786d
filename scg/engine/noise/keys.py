"""The keys of noise: a kernel hashes a seed for all leaves, or Python does.

A call of a small step takes less time than Python's hash of its seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.engine.codegen import native
from scg.engine.table.parts import Address, Call
from scg.ir.expr import Expr
from scg.seeds.noise import seed_text

#: Hashes a seed for all leaves, unless their keys are given. Words: addresses of the seed, of the
#: leaves, see :class:`Names`, of some memory, and of the keys; the number of leaves.
SOURCE = """def kernel(table):
    seed, leaves, memory = word(word(table, 0), 0), word(table, 1), word(table, 2)
    if seed != u8(0xFFFF_FFFF_FFFF_FFFF):
        message = memory + u8(64)
        head = write_seed(message, seed)
        for i in range(word(table, 4)):
            name = leaves + u8(64) + u8(16) * i
            length = append(message, head, word(name, 0), word(name, 1))
            digest(memory, message, length, leaves)
            put_i8(word(table, 3), i, i8(word(memory, 0)))
"""
#: What stands for a seed whose keys are given, as it is longer than a word or not one number.
GIVEN = 2**64 - 1
#: BLAKE2b's state before the first block: fractional parts of the square roots of primes.
START = (
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
)
#: The parameters of a digest of eight bytes, which change the first word of that state.
EIGHT_BYTES = 0x0101_0008
_STATE, _BLOCK, _LONGEST_SEED = 64, 128, 17


def encoded(leaf: Expr) -> bytes:
    """Return the name of a noise leaf as it enters its key."""
    return leaf.attrs["name"].encode("utf-8", "surrogatepass")


class Names:
    """The names of noise leaves, from which kernel and Python make keys.

    Parameters
    ----------
    leaves : sequence of bytes
        The names, encoded.

    Attributes
    ----------
    table : ndarray of uint8
        The hash's first state, each name's address and length, the names.
    room : int
        Bytes of memory that the kernel needs: a state and the longest message.
    """

    def __init__(self, leaves: Sequence[bytes]):
        self._leaves = leaves
        state = np.array(START, np.uint64)
        state[0] ^= np.uint64(EIGHT_BYTES)
        lengths = np.array([len(name) for name in leaves], np.uint64)
        head = _STATE + 16 * len(leaves)
        self.table = np.empty(head + int(lengths.sum()), np.uint8)
        self._at = self.table.__array_interface__["data"][0]
        starts = np.uint64(self._at + head) + lengths.cumsum() - lengths
        parts = (state, np.stack([starts, lengths], axis=1))
        self.table[:] = np.frombuffer(b"".join([*(p.tobytes() for p in parts), *leaves]), np.uint8)
        longest = _LONGEST_SEED + max(map(len, leaves), default=0)
        self.room = _STATE + -(-longest // _BLOCK) * _BLOCK

    def row(self, seed: int, memory: int, keys: int) -> Call:
        """Return the row that computes keys, given places in bytes from a frame's beginning."""
        addresses: list[Address] = [(0, None, seed), (2, None, memory), (3, None, keys)]
        return Call(native.address(SOURCE), [0, self._at, 0, 0, len(self._leaves)], addresses)

    def keys(self, seed: Any) -> bytes:
        """Return the keys of :func:`scg.seeds.noise.stream_key`, eight bytes for each leaf."""
        start = hashlib.blake2b(seed_text(seed), digest_size=8)
        digests = []
        for leaf in self._leaves:
            state = start.copy()
            state.update(leaf)
            digests.append(state.digest())
        return b"".join(digests)
