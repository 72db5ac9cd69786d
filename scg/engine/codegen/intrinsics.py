"""What generated kernels say that Python cannot: memory at an address, bits of a float, calls.

Every intrinsic is one or a few LLVM instructions. All integers are unsigned 64-bit: with signed
indices numba would insert Python's wraparound, which keeps a loop from being vectorised.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_BYTE = ir.IntType(8)
_LLVM = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": _WORD, "b1": _BYTE}
_NUMBA = {"f4": types.float32, "f8": types.float64, "i8": types.int64}
_NUMBA |= {"b1": types.boolean}


# --- memory -----------------------------------------------------------------------------------
def _scope(builder: Any, instruction: Any, number: int, writes: int) -> None:
    """Say that operand `number` overlaps none of the other operands that are written.

    `writes` is a bit mask of the operands written. Without this the vectoriser would compare all
    pairs of addresses at run time, or give up.
    """
    module = builder.module
    domain = module.add_metadata(["scg"])
    scope = {k: module.add_metadata([f"operand {k}", domain]) for k in range(number + 1)}
    scope |= {k: module.add_metadata([f"operand {k}", domain]) for k in range(writes.bit_length())}
    others = [scope[k] for k in range(writes.bit_length()) if writes >> k & 1 and k != number]
    instruction.set_metadata("alias.scope", module.add_metadata([scope[number]]))
    if others:
        instruction.set_metadata("noalias", module.add_metadata(others))


def _element(builder: Any, code: str, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, _LLVM[code].as_pointer()), [index])


def _loader(code: str) -> Any:
    @intrinsic(prefer_literal=True)
    def load(typingctx, address, index, number, writes):
        """Read element `index` of operand `number`."""
        signature = _NUMBA[code](types.uint64, types.uint64, number, writes)
        numbers = number.literal_value, writes.literal_value

        def codegen(context, builder, signature, args):
            value = builder.load(_element(builder, code, args[0], args[1]))
            _scope(builder, value, *numbers)
            return builder.trunc(value, ir.IntType(1)) if code == "b1" else value

        return signature, codegen

    return load


def _storer(code: str) -> Any:
    @intrinsic(prefer_literal=True)
    def store(typingctx, address, index, value, number, writes):
        """Write element `index` of operand `number`."""
        signature = types.void(types.uint64, types.uint64, _NUMBA[code], number, writes)
        numbers = number.literal_value, writes.literal_value

        def codegen(context, builder, signature, args):
            value = args[2]
            if code == "b1":
                value = builder.zext(value, _LLVM["b1"])
            done = builder.store(value, _element(builder, code, args[0], args[1]))
            _scope(builder, done, *numbers)
            return context.get_dummy_value()

        return signature, codegen

    return store


load_f4, load_f8, load_i8, load_b1 = map(_loader, ("f4", "f8", "i8", "b1"))
store_f4, store_f8, store_i8, store_b1 = map(_storer, ("f4", "f8", "i8", "b1"))


def _getter(code: str) -> Any:
    @intrinsic
    def get(typingctx, address, index):
        """Read an element of which nothing is known."""

        def codegen(context, builder, signature, args):
            value = builder.load(_element(builder, code, *args))
            return builder.trunc(value, ir.IntType(1)) if code == "b1" else value

        return _NUMBA[code](types.uint64, types.uint64), codegen

    return get


def _putter(code: str) -> Any:
    @intrinsic
    def put(typingctx, address, index, value):
        """Write an element of which nothing is known."""

        def codegen(context, builder, signature, args):
            address, index, value = args
            value = builder.zext(value, _LLVM["b1"]) if code == "b1" else value
            builder.store(value, _element(builder, code, address, index))
            return context.get_dummy_value()

        return types.void(types.uint64, types.uint64, _NUMBA[code]), codegen

    return put


get_f4, get_f8, get_i8, get_b1 = map(_getter, ("f4", "f8", "i8", "b1"))
put_f4, put_f8, put_i8, put_b1 = map(_putter, ("f4", "f8", "i8", "b1"))


@intrinsic(prefer_literal=True)
def word(typingctx, table, position):
    """Return word `position` of the operand table at the address `table`."""
    at = position.literal_value

    def codegen(context, builder, signature, args):
        return builder.load(_element(builder, "i8", args[0], _WORD(at)))

    return types.uint64(types.uint64, position), codegen


@intrinsic
def prefetch(typingctx, address):
    """Ask for the cache line of an address."""

    def codegen(context, builder, signature, args):
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        known = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, known, "llvm.prefetch.p0")
        reading, all_caches, data = number(0), number(3), number(1)
        where = builder.inttoptr(args[0], pointer)
        builder.call(function, [where, reading, all_caches, data])
        return context.get_dummy_value()

    return types.void(types.uint64), codegen


# --- sums -------------------------------------------------------------------------------------
@intrinsic
def plus(typingctx, total, x):
    """Add to a total. Its terms may be added in any order, of which vectors need many."""

    def codegen(context, builder, signature, args):
        return builder.fadd(*args, flags=("reassoc", "contract"))

    return total(total, total), codegen


# --- bits of a float ----------------------------------------------------------------------------
# Of a format: integer type, bits of the fraction, bias, the bits of sqrt(1/2).
_FORMATS = {
    types.float32: (ir.IntType(32), 23, 127, 0x3F3504F3),
    types.float64: (ir.IntType(64), 52, 1023, 0x3FE6A09E667F3BCD),
}


@intrinsic
def scale(typingctx, value, shifted):
    """Return ``value * 2**n``, where `shifted` is n + 1.5 * 2**(bits of the fraction).

    In two factors, so that results may be subnormal, and n one above the largest exponent.
    """
    integer, fraction, bias, _ = _FORMATS[value]
    magic = integer(((bias + fraction) << fraction) + (1 << (fraction - 1)))

    def codegen(context, builder, signature, args):
        n = builder.sub(builder.bitcast(args[1], integer), magic)
        first = builder.ashr(n, integer(1))
        result = args[0]
        for part in (first, builder.sub(n, first)):
            bits = builder.shl(builder.add(part, integer(bias)), integer(fraction))
            result = builder.fmul(result, builder.bitcast(bits, args[0].type))
        return result

    return value(value, value), codegen


def _exponent_bits(builder: Any, x: Any, kind: Any) -> Any:
    integer, fraction, _, half_root = _FORMATS[kind]
    shifted = builder.sub(builder.bitcast(x, integer), integer(half_root))
    return builder.ashr(shifted, integer(fraction))


@intrinsic
def exponent(typingctx, x):
    """Return e with x = m 2**e and m between sqrt(1/2) and sqrt(2), for a positive normal x."""

    def codegen(context, builder, signature, args):
        e = _exponent_bits(builder, args[0], x)
        if x == types.float64:  # 32 bits convert in every vector extension, 64 in few
            e = builder.trunc(e, ir.IntType(32))
        return builder.sitofp(e, args[0].type)

    return x(x), codegen


@intrinsic
def significand(typingctx, x):
    """Return m with x = m 2**e and m between sqrt(1/2) and sqrt(2), for a positive normal x."""
    integer, fraction, _, _ = _FORMATS[x]

    def codegen(context, builder, signature, args):
        e = builder.shl(_exponent_bits(builder, args[0], x), integer(fraction))
        return builder.bitcast(builder.sub(builder.bitcast(args[0], integer), e), args[0].type)

    return x(x), codegen


# --- functions that LLVM knows: rounding is one instruction, the others are calls of libm ---------
def _known(name: str) -> Any:
    @intrinsic
    def function(typingctx, x):
        def codegen(context, builder, signature, args):
            declared = builder.module.declare_intrinsic(f"llvm.{name}", [args[0].type])
            return builder.call(declared, args)

        return x(x), codegen

    return function


floor, ceil, rint, sqrt = map(_known, ("floor", "ceil", "rint", "sqrt"))
sin, cos, exp2, log2, log10 = map(_known, ("sin", "cos", "exp2", "log2", "log10"))


# --- what threads share: every operation is seen by all of them in one order ----------------------
def _shared(address: Any, builder: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@intrinsic
def atomic_add(typingctx, address, amount):
    """Add to the word at an address; return what it was before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _shared(args[0], builder), args[1], "seq_cst")

    return types.uint64(types.uint64, types.uint64), codegen


@intrinsic
def atomic_read(typingctx, address):
    """Read the word at an address."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(_shared(args[0], builder), "seq_cst", 8)

    return types.uint64(types.uint64), codegen


@intrinsic
def atomic_write(typingctx, address, value):
    """Write the word at an address."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _shared(args[0], builder), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64), codegen


# --- calls ------------------------------------------------------------------------------------
@intrinsic
def rest(typingctx, address):
    """Call the function without arguments at an address."""
    function = ir.FunctionType(ir.IntType(32), [])

    def codegen(context, builder, signature, args):
        builder.call(builder.inttoptr(args[0], function.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.uint64), codegen


@intrinsic
def call(typingctx, address, operands):
    """Call the kernel at an address, in numba's calling convention; return whether it failed."""
    pointer = ir.IntType(8).as_pointer()
    function = ir.FunctionType(ir.IntType(32), [pointer.as_pointer()] * 2 + [_WORD])

    def codegen(context, builder, signature, args):
        with builder.goto_entry_block():
            result, exception = builder.alloca(pointer), builder.alloca(pointer)
        kernel = builder.inttoptr(args[0], function.as_pointer())
        status = builder.call(kernel, [result, exception, args[1]])
        return builder.icmp_unsigned("!=", status, status.type(0))

    return types.boolean(types.uint64, types.uint64), codegen


def _product(code: str) -> Any:
    @intrinsic
    def gemm(typingctx, function, ta, tb, m, n, k, a, lda, b, ldb, c, ldc):
        """Call row-major ``cblas_?gemm`` at an address: C = op(A) op(B)."""
        real = _LLVM[code]
        enum, pointer = ir.IntType(32), real.as_pointer()
        matrix = [pointer, _WORD]
        parameters = [enum] * 3 + [_WORD] * 3 + [real, *matrix, *matrix, real, *matrix]
        blas = ir.FunctionType(ir.VoidType(), parameters)

        def codegen(context, builder, signature, args):
            function, ta, tb, m, n, k, a, lda, b, ldb, c, ldc = args
            narrow = [builder.trunc(x, enum) for x in (ta, tb)]
            a, b, c = (builder.inttoptr(x, pointer) for x in (a, b, c))
            row_major = enum(101)
            values = [row_major, *narrow, m, n, k, real(1), a, lda, b, ldb, real(0), c, ldc]
            builder.call(builder.inttoptr(function, blas.as_pointer()), values)
            return context.get_dummy_value()

        return types.void(*[types.uint64] * 12), codegen

    return gemm


gemm_f4, gemm_f8 = _product("f4"), _product("f8")
