"""The keys of noise leaves: a kernel computes those of all leaves from the word of a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scg.seeds.noise import leaf_key

#: Writes the key of every leaf. Words: addresses of the seed's word and of whether it is a hash, of
#: the leaves' keys for either sort of seeds, and of the result; the number of leaves.
SOURCE = """def kernel(table):
    seed, leaves = word(table, 0), word(table, 1)
    leaves = leaves + u8(8) * word(seed, 1) * word(table, 3)
    for i in range(word(table, 3)):
        put_i8(word(table, 2), i, i8(stream_key(u8(get_i8(leaves, i)), word(seed, 0))))
"""


def leaf_keys(names: Sequence[str]) -> np.ndarray:
    """Keys of leaves for either sort of seeds, as :data:`SOURCE` reads them: shape (2, leaves)."""
    keys = [[leaf_key(name, hashed) for name in names] for hashed in (False, True)]
    words = np.array(keys, np.uint64).reshape(2, -1, 2)
    return words[..., 0] << np.uint64(32) | words[..., 1]
