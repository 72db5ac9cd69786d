"""The noise of :mod:`scg.engine.noise` for compiled kernels: the same twenty rounds, same bits."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_PARITY = 0x1BD11BDA
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_I32, _I64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def threefry(typingctx, key, run, block):
    """Return threefry2x32(key, (run, block)) as one word: the first half in the upper bits.

    `key` holds the two words of the stream's key in the same order. In LLVM's 32-bit integers,
    since numba widens all integer arithmetic to 64 bits, which halves the speed of vectors.
    """

    def codegen(context, builder, signature, args):
        key, run, block = args
        k1 = builder.trunc(key, _I32)
        k0 = builder.trunc(builder.lshr(key, _I64(32)), _I32)
        k2 = builder.xor(builder.xor(k0, k1), _I32(_PARITY))
        schedule = (k0, k1, k2)
        x0 = builder.add(builder.trunc(run, _I32), k0)
        x1 = builder.add(builder.trunc(block, _I32), k1)
        for r in range(20):
            left = _ROTATIONS[r % 8]
            x0 = builder.add(x0, x1)
            high, low = builder.shl(x1, _I32(left)), builder.lshr(x1, _I32(32 - left))
            x1 = builder.xor(builder.or_(high, low), x0)
            if r % 4 == 3:
                i = r // 4 + 1
                x0 = builder.add(x0, schedule[i % 3])
                x1 = builder.add(builder.add(x1, schedule[(i + 1) % 3]), _I32(i))
        return builder.or_(builder.shl(builder.zext(x0, _I64), _I64(32)), builder.zext(x1, _I64))

    return types.uint64(types.uint64, types.uint64, types.uint64), codegen


@intrinsic
def uniform_f8(typingctx, bits):
    """Return (k + 1/2) 2^-52, where k is the upper 20 bits of the first word, then the second."""

    def codegen(context, builder, signature, args):
        first = builder.shl(builder.lshr(args[0], _I64(44)), _I64(32))
        k = builder.or_(first, builder.and_(args[0], _I64(0xFFFFFFFF)))
        one_and = builder.bitcast(builder.or_(k, _I64(0x3FF << 52)), ir.DoubleType())
        return builder.fsub(one_and, ir.DoubleType()(1 - 2.0**-53))

    return types.float64(types.uint64), codegen


def _half(shift: int) -> Any:
    @intrinsic
    def uniform(typingctx, bits):
        """Return (k + 1/2) 2^-23, where k is the upper 23 bits of one of the words."""

        def codegen(context, builder, signature, args):
            word = builder.trunc(builder.lshr(args[0], _I64(shift)), _I32)
            k = builder.lshr(word, _I32(9))
            one_and = builder.bitcast(builder.or_(k, _I32(0x7F << 23)), ir.FloatType())
            return builder.fsub(one_and, ir.FloatType()(1 - 2.0**-24))

        return types.float32(types.uint64), codegen

    return uniform


first_f4, second_f4 = _half(32), _half(0)
