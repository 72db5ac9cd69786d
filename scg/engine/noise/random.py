"""The noise of :mod:`scg.seeds.noise` in compiled kernels, with the same bits.

A block of threefry is a chain of dependent instructions, and so is a quantile. 64 blocks at once,
in four or eight vectors, keep the processor busy. Fast-math is off, because a fused or reordered
operation would change the bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from scg.engine.codegen.instruction import instruction
from scg.engine.codegen.jit import jit
from scg.engine.codegen.lanes import FLOATS, LLVM, Lanes, interleaved, numbered, spread
from scg.seeds.normal import quantile
from scg.special.machine import FORMATS

#: Blocks that are computed at once, and at the ends of a row.
MANY, FEW = 64, 16
_PARITY = 0x1BD11BDA
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def threefry(builder: Any, key: Any, x0: Lanes, x1: Lanes) -> tuple[Lanes, Lanes]:
    """threefry2x32(key, (x0, x1)), where `key` has the first word in its upper half."""
    count = x0.value.type.count
    k0 = spread(builder, builder.trunc(builder.lshr(key, _I64(32)), _I32), count)
    k1 = spread(builder, builder.trunc(key, _I32), count)
    schedule = (k0, k1, k0 ^ k1 ^ _PARITY)
    x0, x1 = x0 + k0, x1 + k1
    for r in range(20):
        left = _ROTATIONS[r % 8]
        x0 = x0 + x1
        x1 = ((x1 << left) | (x1 >> (32 - left))) ^ x0
        if r % 4 == 3:
            i = r // 4 + 1
            x0 = x0 + schedule[i % 3]
            x1 = x1 + schedule[(i + 1) % 3] + i
    return x0, x1


@instruction(*[types.uint64] * 3)
def stream_key(builder, key, seed):
    """See :func:`scg.seeds.noise.stream_key`; the first word lies in the key's upper half."""
    halves = (seed, builder.lshr(seed, _I64(32)))
    x0, x1 = (spread(builder, builder.trunc(half, _I32), 1) for half in halves)
    drawn = (x.to("zext", _I64) for x in threefry(builder, key, x0, x1))
    low, high = (builder.extract_element(x.value, _I32(0)) for x in drawn)
    return builder.or_(low, builder.shl(high, _I64(32)))


def _uniform(code: str, x0: Lanes, x1: Lanes) -> list[Lanes]:
    """Open uniforms of blocks: two of float32, or one of float64."""
    if code == "f4":
        bits = [(x >> 9) | (0x7F << 23) for x in (x0, x1)]
    else:
        high = (x0 >> 12).to("zext", _I64) << 32
        bits = [high | x1.to("zext", _I64) | (0x3FF << 52)]
    fraction, _ = FORMATS[code]
    return [b.to("bitcast", FLOATS[code]) - (1 - 2.0 ** -(fraction + 1)) for b in bits]


def _writer(law: str, code: str, along: str, lanes: int) -> Any:
    """Intrinsic that samples `lanes` blocks and writes elements `begin` to `end` of them."""

    @instruction(types.void, *[types.uint64] * 6)
    def write(builder, key, run, block, address, begin, end):
        x0, x1 = (spread(builder, builder.trunc(x, _I32), lanes) for x in (run, block))
        if along == "blocks":
            x1 += numbered(builder, lanes)
        else:
            x0 += numbered(builder, lanes)
        drawn = _uniform(code, *threefry(builder, key, x0, x1))
        if along == "heads":
            drawn = drawn[:1]
        if law == "normal":
            drawn = [quantile(u, LLVM(code)) for u in drawn]
        value = interleaved(*drawn) if len(drawn) == 2 else drawn[0]
        value.store(address, begin, end)

    return write


def _drawer(law: str, code: str, along: str) -> Any:
    item = np.uint64(4 if code == "f4" else 8)
    width = np.uint64(2 if code == "f4" and along != "heads" else 1)  # elements of a block
    many, few = np.uint64(MANY) * width, np.uint64(FEW) * width
    at_many, at_few = (_writer(law, code, along, lanes) for lanes in (MANY, FEW))
    of_run, of_block = np.uint64(along != "blocks"), np.uint64(along == "blocks")
    none = np.uint64(0)

    @jit(forceinline=True)
    def draw(key, run, block, address, begin, end):
        at = none
        while at < end:
            step = at // width
            r, b, to = run + of_run * step, block + of_block * step, address + at * item
            if at >= begin and end - at >= many:
                at_many(key, r, b, to, none, many)
                at += many
            else:
                at_few(key, r, b, to, max(begin, at) - at, min(end - at, few))
                at += few

    return draw


#: (law, type code, along) to a helper of kernels. It takes a key, a run and a block, and writes
#: elements `begin` to `end` of the samples from there on; the address is that of element 0. Along
#: the "blocks" of one run, or along "runs", it writes all elements of each block; along the "heads"
#: of runs only the first one.
DRAWS = {
    (law, code, along): _drawer(law, code, along)
    for law in ("uniform", "normal")
    for code in ("f4", "f8")
    for along in ("blocks", "runs", "heads")
}
