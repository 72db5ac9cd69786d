"""Keys of noise leaves: one kernel computes all of them from the word of a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen.layout import kernel
from scg.seeds.noise import leaf_key


class Keys(NamedTuple):
    """Words of the kernel that writes the key of every leaf; the first three are addresses."""

    seed: Any  # the word of the seed, and whether it is a hash
    leaves: Any  # see `leaf_keys`
    out: Any  # the keys
    count: int


SOURCE = kernel(
    Keys,
    """    seed, leaves = table.seed, table.leaves
    leaves = leaves + u8(8) * word(seed, 1) * table.count
    for i in range(table.count):
        put_i8(table.out, i, i8(stream_key(u8(get_i8(leaves, i)), word(seed, 0))))
""",
)


def leaf_keys(names: Sequence[str]) -> np.ndarray:
    """Keys of leaves for both sorts of seeds, as :data:`SOURCE` reads them: shape (2, leaves)."""
    keys = [[leaf_key(name, hashed) for name in names] for hashed in (False, True)]
    words = np.array(keys, np.uint64).reshape(2, -1, 2)
    return words[..., 0] << np.uint64(32) | words[..., 1]
