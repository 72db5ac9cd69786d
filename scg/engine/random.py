"""The noise of :mod:`scg.engine.noise` for compiled kernels: the same operations, the same bits.

A block of threefry is one chain of dependent instructions; 16 of them at once keep a processor
busy whose vectors have 8 lanes. Fast-math is off: an operation that is fused or reordered would
change the bits.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from scg.engine.lanes import FLOATS, INTEGERS, Lanes, interleaved, numbered, spread
from scg.engine.normal import FORMATS, quantile
from scg.engine.streams import LANES

_PARITY = 0x1BD11BDA
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def threefry(builder: Any, key: Any, x0: Lanes, x1: Lanes) -> tuple[Lanes, Lanes]:
    """Return threefry2x32(key, (x0, x1)); `key` has the first word in its upper half."""
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


def _uniform(code: str, x0: Lanes, x1: Lanes) -> list[Lanes]:
    """Return the open uniforms of blocks: two of float32, or one of float64."""
    if code == "f4":
        bits = [(x >> 9) | (0x7F << 23) for x in (x0, x1)]
    else:
        high = (x0 >> 12).to("zext", _I64) << 32
        bits = [high | x1.to("zext", _I64) | (0x3FF << 52)]
    fraction, _ = FORMATS[code]
    return [b.to("bitcast", FLOATS[code]) - (1 - 2.0 ** -(fraction + 1)) for b in bits]


class _Machine:
    """LLVM as the machine of :mod:`scg.engine.normal`."""

    def __init__(self, code: str):
        self.code = code

    def sqrt(self, x: Lanes) -> Lanes:
        """Square root of lanes."""
        return x.known("sqrt")

    def copysign(self, x: Lanes, y: Lanes) -> Lanes:
        """Return lanes with the signs of others."""
        return x.known("copysign", y)

    def split(self, x: Lanes) -> tuple[Lanes, Lanes]:
        """See :class:`scg.engine.normal.Machine`."""
        fraction, half_root = FORMATS[self.code]
        bits = x.to("bitcast", INTEGERS[self.code])
        e = (bits - half_root).do("ashr", fraction)
        m = (bits - (e << fraction)).to("bitcast", FLOATS[self.code])
        if self.code == "f8":  # 32 bits convert in every vector extension, 64 in few
            e = e.to("trunc", _I32)
        return e.to("sitofp", FLOATS[self.code]), m

    def replaced(self, z: Lanes, where: Lanes, function: Any, x: Lanes) -> Lanes:
        """See :class:`scg.engine.normal.Machine`; where no lane is meant, nothing is computed."""
        return where.branch(lambda: where.where(function(x), z), z)


def _drawer(law: str, code: str, over_runs: bool) -> Any:
    def emit(typingctx, key, run, block, address, count):
        def codegen(context, builder, signature, args):
            key, run, block, address, count = args
            x0, x1 = (spread(builder, builder.trunc(x, _I32), LANES) for x in (run, block))
            if over_runs:
                x0 += numbered(builder, LANES)
            else:
                x1 += numbered(builder, LANES)
            drawn = _uniform(code, *threefry(builder, key, x0, x1))
            if over_runs:
                drawn = drawn[:1]
            if law == "normal":
                drawn = [quantile(u, _Machine(code)) for u in drawn]
            value = interleaved(*drawn) if len(drawn) == 2 else drawn[0]
            value.store(address, count)
            return context.get_dummy_value()

        return types.void(*[types.uint64] * 5), codegen

    write: Any = intrinsic(emit)  # numba calls it without its first argument

    @numba.njit(  # pyright: ignore[reportCallIssue]
        forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )
    def draw(key, run, block, address, count):
        write(key, run, block, address, count)

    return draw


#: (law, type code, "runs" or "blocks") to a helper of kernels. It takes a key, a run and a block,
#: and writes what these and the next ones draw to an address, `count` elements at most: 16 runs,
#: of whose block the first element is taken, or 16 blocks.
DRAWS = {
    (law, code, along): _drawer(law, code, along == "runs")
    for law in ("uniform", "normal")
    for code in ("f4", "f8")
    for along in ("runs", "blocks")
}
