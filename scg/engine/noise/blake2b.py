"""BLAKE2b in kernels: the keys of noise, hashed where it is drawn.

A call of a small step takes less time than Python's hash of its seed. Digests are those of
:func:`hashlib.blake2b` with eight bytes.

Source: Saarinen & Aumasson (2015), "The BLAKE2 cryptographic hash and message authentication code
(MAC)", RFC 7693, sections 2.6, 2.7 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from scg.engine.codegen import intrinsics
from scg.engine.codegen.target import jit
from scg.engine.noise.keys import START

_WORD, _BYTE = ir.IntType(64), ir.IntType(8)
_ORDERS = ir.ArrayType(ir.ArrayType(_BYTE, 16), 12)

#: The order of a message's words in each round; the last two rounds are the first two again.
_ORDER = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
_ROUNDS = (*_ORDER, *_ORDER[:2])
#: The four columns of the state, then its four diagonals.
_COLUMNS = [(i, i + 4, i + 8, i + 12) for i in range(4)]
_COLUMNS += [(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12) for i in range(4)]


def _rotate(builder: Any, x: Any, bits: int) -> Any:
    """Rotate a word to the right."""
    return builder.or_(builder.lshr(x, _WORD(bits)), builder.shl(x, _WORD(64 - bits)))


def _mix(builder: Any, state: Sequence[Any], words: Sequence[Any]) -> None:
    """Mix two words of the message into four of the state, given where they are (section 3.1)."""
    a, b, c, d = (builder.load(place) for place in state)
    for word, turns in zip(words, ((32, 24), (16, 63)), strict=True):
        a = builder.add(builder.add(a, word), b)  # b is what comes last
        d = _rotate(builder, builder.xor(d, a), turns[0])
        c = builder.add(c, d)
        b = _rotate(builder, builder.xor(b, c), turns[1])
    for place, x in zip(state, (a, b, c, d), strict=True):
        builder.store(x, place)


@intrinsic
def compress(typingctx, before, after, block, count, last):
    """Write the state after a block, eight words, given that before it (section 3.2).

    `count` is the number of bytes up to the block's end, `last` has all bits set in the last one.
    """

    def codegen(context, builder, signature, args):
        *addresses, count, last = args
        before, after, block = (builder.inttoptr(x, _WORD.as_pointer()) for x in addresses)
        state = [builder.load(builder.gep(before, [_WORD(i)])) for i in range(8)]
        v = [cgutils.alloca_once_value(builder, x) for x in (*state, *map(_WORD, START))]
        for i, x in ((12, count), (14, last)):
            builder.store(builder.xor(_WORD(START[i - 8]), x), v[i])
        order = cgutils.global_constant(builder, "order", ir.Constant(_ORDERS, _ROUNDS))
        with cgutils.for_range(builder, _WORD(len(_ROUNDS))) as turn:
            places = [builder.gep(order, [_WORD(0), turn.index, _WORD(i)]) for i in range(16)]
            numbers = [builder.zext(builder.load(place), _WORD) for place in places]
            words = [builder.load(builder.gep(block, [number])) for number in numbers]
            for i, column in enumerate(_COLUMNS):
                _mix(builder, [v[k] for k in column], words[2 * i : 2 * i + 2])
        for i, word in enumerate(state):
            mixed = builder.xor(builder.load(v[i]), builder.load(v[i + 8]))
            builder.store(builder.xor(word, mixed), builder.gep(after, [_WORD(i)]))
        return context.get_dummy_value()

    return types.void(*[types.uint64] * 5), codegen


_inlined = jit(forceinline=True)
# numba calls an intrinsic with its typing context, which a type checker does not know.
_compress: Any = compress
_get: Any = intrinsics.get_u1
_put: Any = intrinsics.put_u1
_zero, _one, _four, _ten, _sixteen, _block = (np.uint64(n) for n in (0, 1, 4, 10, 16, 128))
_all = np.uint64(2**64 - 1)
_nibble, _digit, _letter = (np.uint64(n) for n in (15, ord("0"), ord("a") - 10))
_newline, _nothing = np.uint8(ord("\n")), np.uint8(0)


@_inlined
def write_seed(message, seed):
    """Write a seed as :func:`scg.seeds.noise.seed_text` does; return the number of bytes."""
    length = _one
    while length < _sixteen and seed >> (_four * length) != _zero:
        length = length + _one
    for i in range(length):
        nibble = seed >> (_four * (length - _one - i)) & _nibble
        _put(message, i, np.uint8(nibble + (_digit if nibble < _ten else _letter)))
    _put(message, length, _newline)
    return length + _one


@_inlined
def append(message, length, text, more):
    """Append a text to a message, and zeros up to the end of the block; return its length."""
    for i in range(more):
        _put(message, length + i, _get(text, i))
    total = length + more
    for i in range(total, (total + _block - _one) // _block * _block):
        _put(message, i, _nothing)
    return total


@_inlined
def digest(state, message, length, start):
    """Hash a message that ends in zeros, beginning with a state; the first word is its digest."""
    before, at = start, _zero
    while at < length:
        end = at + _block
        last = end >= length
        _compress(before, state, message + at, length if last else end, _all if last else _zero)
        before, at = state, end


#: What kernels call.
HASHES = {"write_seed": write_seed, "append": append, "digest": digest}
