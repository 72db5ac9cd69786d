"""Intrinsics of generated kernels: memory at an address, bits of a float, calls.

Each is one or a few LLVM instructions. Integers are unsigned and have 64 bits: for signed indices
numba would insert Python's wraparound, which keeps a loop from being vectorised.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from scg.engine.codegen.instruction import instruction, of_floats

_WORD = ir.IntType(64)
_BYTE = ir.IntType(8)
_LLVM = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": _WORD, "b1": _BYTE}
_NUMBA = {"f4": types.float32, "f8": types.float64, "i8": types.int64, "b1": types.boolean}
_u8 = types.uint64
_literal: Any = intrinsic(prefer_literal=True)


# --- memory -----------------------------------------------------------------------------------
def _scope(builder: Any, instruction: Any, number: int, writes: int) -> None:
    """Declare that operand `number` overlaps none of the other operands that are written.

    `writes` is a bit mask of the operands written. Without the declaration the vectoriser would
    compare all pairs of addresses at run time, or give up.
    """
    module = builder.module
    domain = module.add_metadata(["scg"])
    count = max(number + 1, writes.bit_length())
    scope = [module.add_metadata([f"operand {k}", domain]) for k in range(count)]
    others = [scope[k] for k in range(writes.bit_length()) if writes >> k & 1 and k != number]
    instruction.set_metadata("alias.scope", module.add_metadata([scope[number]]))
    if others:
        instruction.set_metadata("noalias", module.add_metadata(others))


def _read(builder: Any, code: str, address: Any, index: Any) -> tuple[Any, Any]:
    """The instruction that reads an element, and the element's value."""
    read = builder.load(_element(builder, code, address, index))
    return read, builder.trunc(read, ir.IntType(1)) if code == "b1" else read


def _write(builder: Any, code: str, address: Any, index: Any, value: Any) -> Any:
    value = builder.zext(value, _BYTE) if code == "b1" else value
    return builder.store(value, _element(builder, code, address, index))


def _element(builder: Any, code: str, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, _LLVM[code].as_pointer()), [index])


def _loader(code: str) -> Any:
    @_literal
    def load(typingctx, address, index, number, writes):
        """Read element `index` of operand `number`."""
        numbers = number.literal_value, writes.literal_value

        def codegen(context, builder, signature, args):
            read, value = _read(builder, code, *args[:2])
            _scope(builder, read, *numbers)
            return value

        return _NUMBA[code](_u8, _u8, number, writes), codegen

    return load


def _storer(code: str) -> Any:
    @_literal
    def store(typingctx, address, index, value, number, writes):
        """Write element `index` of operand `number`."""
        numbers = number.literal_value, writes.literal_value

        def codegen(context, builder, signature, args):
            _scope(builder, _write(builder, code, *args[:3]), *numbers)
            return context.get_dummy_value()

        return types.void(_u8, _u8, _NUMBA[code], number, writes), codegen

    return store


def _getter(code: str) -> Any:
    @instruction(_NUMBA[code], _u8, _u8)
    def get(builder, address, index):
        """Read an element that may overlap any other."""
        return _read(builder, code, address, index)[1]

    return get


def _putter(code: str) -> Any:
    @instruction(types.void, _u8, _u8, _NUMBA[code])
    def put(builder, *values):
        """Write an element that may overlap any other."""
        _write(builder, code, *values)

    return put


load_f4, load_f8, load_i8, load_b1 = map(_loader, ("f4", "f8", "i8", "b1"))
store_f4, store_f8, store_i8, store_b1 = map(_storer, ("f4", "f8", "i8", "b1"))
get_f4, get_f8, get_i8, get_b1 = map(_getter, ("f4", "f8", "i8", "b1"))
put_f4, put_f8, put_i8, put_b1 = map(_putter, ("f4", "f8", "i8", "b1"))


@instruction(_u8, _u8, types.int64)
def word(builder, table, position):
    """Word `position` of the operand table at the address `table`."""
    return builder.load(_element(builder, "i8", table, position))


@instruction(_u8, _u8, types.int64, _u8)
def along(builder, table, position, index):
    """Address `index` steps from the one in word `position`; the step is the next word."""
    return _stepped(builder, _fixed(builder, table, position), table, position, index)


@instruction(_u8, _u8, _u8, types.int64, _u8)
def onward(builder, start, table, position, index):
    """Address `index` steps from `start`; the step is the word after `position`."""
    return _stepped(builder, start, table, position, index)


def _stepped(builder: Any, start: Any, table: Any, position: Any, index: Any) -> Any:
    step = _fixed(builder, table, builder.add(position, _WORD(1)))
    return builder.add(start, builder.mul(index, step))


def _fixed(builder: Any, table: Any, position: Any) -> Any:
    """A word that the kernel does not change, so that LLVM may read it before a loop."""
    read = builder.load(_element(builder, "i8", table, position))
    read.set_metadata("invariant.load", builder.module.add_metadata([]))
    return read


@instruction(types.void, _u8)
def prefetch(builder, address):
    """Request the cache line of an address."""
    pointer, number = _BYTE.as_pointer(), ir.IntType(32)
    known = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, known, "llvm.prefetch.p0")
    reading, all_caches, data = number(0), number(3), number(1)
    builder.call(function, [builder.inttoptr(address, pointer), reading, all_caches, data])


@instruction(types.void, _u8, _u8, _u8)
def copy_bytes(builder, to, source, count):
    """Copy bytes to where they do not overlap."""
    pointer = _BYTE.as_pointer()
    ends = [builder.inttoptr(address, pointer) for address in (to, source)]
    copied = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, _WORD])
    builder.call(copied, [*ends, count, ir.IntType(1)(0)])


@instruction(types.void, _u8, _u8)
def clear_bytes(builder, address, count):
    """Set bytes to zero."""
    pointer, zero = _BYTE.as_pointer(), ir.IntType(1)(0)
    cleared = builder.module.declare_intrinsic("llvm.memset", [pointer, _WORD])
    builder.call(cleared, [builder.inttoptr(address, pointer), _BYTE(0), count, zero])


@of_floats(2)
def plus(builder, total, x):
    """Sum whose terms may be added in any order, as vector instructions need."""
    return builder.fadd(total, x, flags=("reassoc", "contract"))


@of_floats(2)
def larger(builder, a, b):
    """The larger of two numbers; of no use if one is NaN.

    Only without NaN and with zeros of one sign does LLVM keep a maximum in vectors.
    """
    flags = ("nnan", "nsz")
    return builder.select(builder.fcmp_ordered(">", b, a, flags=flags), b, a, flags=flags)


@of_floats(1)
def is_nan(builder, x):
    """1 for NaN, and 0 for numbers."""
    one, zero = (ir.Constant(x.type, value) for value in (1.0, 0.0))
    return builder.select(builder.fcmp_unordered("uno", x, x), one, zero)


# --- bits of a float ----------------------------------------------------------------------------
# Integer type, bits of the fraction, bias, and the bits of sqrt(1/2) of each float type.
_FORMATS = {
    _LLVM["f4"]: (ir.IntType(32), 23, 127, 0x3F3504F3),
    _LLVM["f8"]: (ir.IntType(64), 52, 1023, 0x3FE6A09E667F3BCD),
}


@of_floats(2)
def scale(builder, value, shifted):
    """``value * 2**n``, where `shifted` is n + 1.5 * 2**(bits of the fraction).

    It multiplies twice, so that results may be subnormal, and n one above the largest exponent.
    """
    integer, fraction, bias, _ = _FORMATS[value.type]
    magic = integer(((bias + fraction) << fraction) + (1 << (fraction - 1)))
    n = builder.sub(builder.bitcast(shifted, integer), magic)
    first = builder.ashr(n, integer(1))
    for part in (first, builder.sub(n, first)):
        bits = builder.shl(builder.add(part, integer(bias)), integer(fraction))
        value = builder.fmul(value, builder.bitcast(bits, shifted.type))
    return value


def _exponent_bits(builder: Any, x: Any) -> Any:
    integer, fraction, _, half_root = _FORMATS[x.type]
    shifted = builder.sub(builder.bitcast(x, integer), integer(half_root))
    return builder.ashr(shifted, integer(fraction))


@of_floats(1)
def exponent(builder, x):
    """e with x = m 2**e and m between sqrt(1/2) and sqrt(2), for a positive normal x."""
    e = _exponent_bits(builder, x)
    if e.type.width == 64:  # 32 bits convert in every vector extension, 64 in few
        e = builder.trunc(e, ir.IntType(32))
    return builder.sitofp(e, x.type)


@of_floats(1)
def significand(builder, x):
    """m with x = m 2**e and m between sqrt(1/2) and sqrt(2), for a positive normal x."""
    integer, fraction, _, _ = _FORMATS[x.type]
    e = builder.shl(_exponent_bits(builder, x), integer(fraction))
    return builder.bitcast(builder.sub(builder.bitcast(x, integer), e), x.type)


# --- functions that LLVM knows: rounding is one instruction, the others are calls of libm ---------
def _known(name: str) -> Any:
    @of_floats(1)
    def function(builder, x):
        return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [x.type]), [x])

    return function


floor, ceil, rint, sqrt = map(_known, ("floor", "ceil", "rint", "sqrt"))
sin, cos, exp2, log2, log10 = map(_known, ("sin", "cos", "exp2", "log2", "log10"))


# --- what threads share: every operation is seen by all of them in one order ----------------------
def _shared(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@instruction(_u8, _u8, _u8)
def atomic_add(builder, address, amount):
    """Add to the word at an address; return what it was before."""
    return builder.atomic_rmw("add", _shared(builder, address), amount, "seq_cst")


@instruction(_u8, _u8)
def atomic_read(builder, address):
    """Read the word at an address."""
    return builder.load_atomic(_shared(builder, address), "seq_cst", 8)


@instruction(types.void, _u8, _u8)
def atomic_write(builder, address, value):
    """Write the word at an address."""
    builder.store_atomic(value, _shared(builder, address), "seq_cst", 8)


# --- calls ------------------------------------------------------------------------------------
@instruction(types.void, _u8)
def rest(builder, address):
    """Call the function without arguments at an address."""
    function = ir.FunctionType(ir.IntType(32), [])
    builder.call(builder.inttoptr(address, function.as_pointer()), [])


@instruction(types.boolean, _u8, _u8)
def call(builder, address, operands):
    """Call the kernel at an address, in numba's calling convention; return whether it failed."""
    pointer = _BYTE.as_pointer()
    function = ir.FunctionType(ir.IntType(32), [pointer.as_pointer()] * 2 + [_WORD])
    with builder.goto_entry_block():
        result, exception = builder.alloca(pointer), builder.alloca(pointer)
    kernel = builder.inttoptr(address, function.as_pointer())
    status = builder.call(kernel, [result, exception, operands])
    return builder.icmp_unsigned("!=", status, status.type(0))


def _product(code: str) -> Any:
    real, enum = _LLVM[code], ir.IntType(32)
    matrix = [real.as_pointer(), _WORD]
    parameters = [enum] * 3 + [_WORD] * 3 + [real, *matrix, *matrix, real, *matrix]
    blas = ir.FunctionType(ir.VoidType(), parameters).as_pointer()

    @instruction(types.void, *[_u8] * 13)
    def gemm(builder, function, ta, tb, m, n, k, a, lda, b, ldb, adds, c, ldc):
        """Call row-major ``cblas_?gemm`` at an address: C = op(A) op(B), or C += if it adds."""
        row_major, ta, tb = enum(101), builder.trunc(ta, enum), builder.trunc(tb, enum)
        a, b, c = (builder.inttoptr(x, matrix[0]) for x in (a, b, c))
        beta = builder.uitofp(builder.icmp_unsigned("!=", adds, _WORD(0)), real)
        values = [row_major, ta, tb, m, n, k, real(1), a, lda, b, ldb, beta, c, ldc]
        builder.call(builder.inttoptr(function, blas), values)

    return gemm


gemm_f4, gemm_f8 = _product("f4"), _product("f8")
