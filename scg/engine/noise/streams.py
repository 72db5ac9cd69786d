"""Rows that fill noise leaves in the frame of a call."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from scg.engine.codegen.layout import kernel
from scg.engine.table.parts import At, Call, Cut, ends
from scg.ir.expr import Expr
from scg.schedule.entries import Uses


class Fill(NamedTuple):
    """Words of a kernel that fills one leaf."""

    key: At
    first_run: At  # of the call
    after: int  # runs from there to the first one to fill
    runs: int
    each: int  # elements of a run
    out: At
    step: int  # bytes of a run
    block: int  # the first of a run


_HEAD = """    halves = word(table.key, 0)
    key = halves << u8(32) | halves >> u8(32)
    first = word(table.first_run, 0) + table.after
    runs, each, out, block = table.runs, table.each, table.out, table.block
"""
#: A scalar leaf: the first block may begin with an earlier run.
_SCALAR = """    before = first % u8({width})
    at = out - before * u8({item})
    draw_{law}_{code}_runs(key, first // u8({width}), u8(0), at, before, before + runs)
"""
#: The prefix for an array that may have one element.
_ONE = """    if each == u8(1):
        draw_{law}_{code}_heads(key, first, block, out, u8(0), runs)
        return
"""
_ARRAY = """    for i in range(runs):
        draw_{law}_{code}_blocks(key, first + i, block, out + i * table.step, u8(0), each)
"""
_KINDS = {"scalar": _SCALAR, "any": _ONE + _ARRAY, "many": _ARRAY}
#: Operations that one sample counts for when rows are cut, and elements between two cuts.
OPERATIONS, ALIGNED = 8, 32


def source(law: str, code: str, kind: str) -> str:
    """Kernel that fills a leaf with uniforms or normals ("uniform", "normal") in a float type.

    A "scalar" has no axis but that of the runs; in float32 two of its runs share a block. Other
    leaves have "any" number of elements, or "many", for which half of the code is enough.
    """
    item, width = {"f4": (4, 2), "f8": (8, 1)}[code]
    text = (_HEAD + _KINDS[kind]).format(law=law, code=code, item=item, width=width)
    return kernel(Fill, text)


def source_of(leaf: Expr, code: str) -> str:
    """Kernel that fills a leaf, for all sizes of its plates."""
    scalar = not leaf.shape and all(plate.rank == 0 for plate in leaf.plates)
    kind = "scalar" if scalar else "many" if math.prod(leaf.shape) > 1 else "any"
    return source(leaf.attrs["law"], code, kind)


def first_readers(order: Sequence[Uses], leaves: Collection[Expr]) -> list[list[Expr]]:
    """Noise leaves that each entry is the first to read, and before which they are filled."""
    left = set(leaves)
    found = []
    for use in order:
        found.append([base for base in use.read if base in left])
        left.difference_update(found[-1])
    return found


def fill_parts(function: int, fill: Fill, item: int) -> Cut:
    """Rows that fill a leaf of `item` bytes an element: cut along runs, or along those of one."""
    over_runs = fill.runs > 1
    operations = fill.runs * fill.each * OPERATIONS
    at = ends(fill.runs if over_runs else fill.each // ALIGNED, operations)
    if at is None:
        return Cut([Call(function, fill)])
    if over_runs:
        parts = [
            fill._replace(after=i, runs=end - i, out=fill.out.moved(i * fill.step))
            for i, end in pairwise(at)
        ]
    else:
        at, width = [ALIGNED * i for i in at[:-1]] + [fill.each], 8 // item
        parts = [
            fill._replace(each=end - i, out=fill.out.moved(i * item), block=i // width)
            for i, end in pairwise(at)
        ]
    return Cut([Call(function, part) for part in parts], operations)
