"""Noise that compiled kernels draw into the frame of a call: one row of a table for each leaf."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from scg.engine.table.parts import Address, Call, Cut, ends, part
from scg.ir.expr import Expr
from scg.schedule.order import Uses

#: Fills one leaf. Words: addresses of the key and of the first run, runs after that one; runs,
#: elements a run, address, bytes a run, first block.
_HEAD = """def kernel(table):
    halves = word(word(table, 0), 0)
    key = halves << u8(32) | halves >> u8(32)
    first = word(word(table, 1), 0) + word(table, 2)
    runs, each, out, block = word(table, 3), word(table, 4), word(table, 5), word(table, 7)
"""
#: A scalar, of which a block may hold a run before the first.
_SCALAR = """    before = first % u8({width})
    at = out - before * u8({item})
    draw_{law}_{code}_runs(key, first // u8({width}), u8(0), at, before, before + runs)
"""
#: What goes before an array that may have one element.
_ONE = """    if each == u8(1):
        draw_{law}_{code}_heads(key, first, block, out, u8(0), runs)
        return
"""
_ARRAY = """    for i in range(runs):
        draw_{law}_{code}_blocks(key, first + i, block, out + i * word(table, 6), u8(0), each)
"""
_KINDS = {"scalar": _SCALAR, "any": _ONE + _ARRAY, "many": _ARRAY}
#: What a draw counts for where loops are cut, and the elements between which they may be.
OPERATIONS, ALIGNED = 8, 32


def source(law: str, code: str, kind: str) -> str:
    """Return the kernel that fills a leaf of a law ("uniform", "normal") and float type.

    A "scalar" has no axis but that of the runs. In float32 two of its runs share a block. Others
    have "any" number of elements, or "many", for which half of the code is enough.
    """
    item, width = {"f4": (4, 2), "f8": (8, 1)}[code]
    return (_HEAD + _KINDS[kind]).format(law=law, code=code, item=item, width=width)


def source_of(leaf: Expr, code: str) -> str:
    """Return the kernel that fills a leaf, whatever the sizes of its plates."""
    scalar = not leaf.shape and all(plate.rank == 0 for plate in leaf.plates)
    kind = "scalar" if scalar else "many" if math.prod(leaf.shape) > 1 else "any"
    return source(leaf.attrs["law"], code, kind)


def first_readers(order: Sequence[Uses], leaves: Collection[Expr]) -> list[list[Expr]]:
    """Return, for each entry, the noise leaves that none before it reads: it waits for them."""
    left = set(leaves)
    found = []
    for use in order:
        found.append([base for base in use.read if base in left])
        left.difference_update(found[-1])
    return found


class Places(NamedTuple):
    """Bytes from the beginning of a frame to what rows that draw noise read and write."""

    key: int
    first_run: int
    out: int


def row(function: int, runs: int, each: int, item: int, places: Places) -> Call:
    """Return the row that draws `each` elements of `item` bytes in each run."""
    addresses: list[Address] = [(k, None, at) for k, at in zip((0, 1, 5), places, strict=True)]
    return Call(function, [0, 0, 0, runs, each, 0, each * item, 0], addresses)


def parts(call: Call, item: int) -> Cut:
    """Return a row that fills a leaf in parts: along runs, or along the elements of one."""
    _, _, _, runs, each, _, step, _ = call.words
    over_runs = runs > 1
    operations = runs * each * OPERATIONS
    at = ends(runs if over_runs else each // ALIGNED, operations)
    if at is None:
        return Cut([call])
    shift = np.zeros((len(at) - 1, len(call.words)), np.int64)
    if over_runs:
        shift[:, 2], shift[:, 3], shift[:, 5] = at[:-1], np.diff(at) - runs, at[:-1] * step
    else:
        at *= ALIGNED
        at[-1], width = each, 8 // item
        shift[:, 4], shift[:, 5] = np.diff(at) - each, at[:-1] * item
        shift[:, 7] = at[:-1] // width
    return Cut([part(call, row) for row in shift.tolist()], operations)
