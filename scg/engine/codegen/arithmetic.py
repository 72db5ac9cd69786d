"""Conversions and operators of the language of kernels.

A number in a kernel's text takes the type of what it meets. Otherwise types are NumPy's: float64
wins over float32, and a word beside a float becomes a float64. A signed word beside an unsigned one
is an error, because no type holds both.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir

from scg.engine.codegen.instruction import TYPES, Value

#: What may stand for a value: a number that is known already, or a value of the kernel.
Operand = Any

_FLOATS = ("f4", "f8")
_CODES = {
    bool: "b1",
    int: "i8",
    float: "f8",
    np.float32: "f4",
    np.float64: "f8",
    np.int64: "i8",
    np.uint64: "u8",
    np.bool_: "b1",
}
#: Instructions of floats, and of signed and unsigned words; and Python's operator.
OPERATORS = {
    "Add": ("fadd", "add", "add", operator.add),
    "Sub": ("fsub", "sub", "sub", operator.sub),
    "Mult": ("fmul", "mul", "mul", operator.mul),
    "Div": ("fdiv", None, None, operator.truediv),
    "FloorDiv": (None, None, "udiv", operator.floordiv),
    "Mod": (None, None, "urem", operator.mod),
    "BitAnd": (None, "and_", "and_", operator.and_),
    "BitOr": (None, "or_", "or_", operator.or_),
    "LShift": (None, "shl", "shl", operator.lshift),
    "RShift": (None, "ashr", "lshr", operator.rshift),
}
COMPARISONS = {"Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!="}


def code_of(x: Operand) -> str:
    """Type code of an operand."""
    return x.code if isinstance(x, Value) else _CODES[type(x)]


def common(*operands: Operand) -> str:
    """Type code that all operands become where they meet."""
    typed = {code_of(x) for x in operands if type(x) is not int}
    typed -= {"b1"} if len(typed) > 1 else set()
    if len(typed) < 2:
        return typed.pop() if typed else "i8"
    if typed == {"i8", "u8"}:
        raise TypeError("a signed word meets an unsigned one")
    return "f8"


def convert(builder: Any, x: Operand, code: str) -> Any:
    """LLVM's value of an operand as a value of a type."""
    to = TYPES[code]
    if not isinstance(x, Value):
        return to(float(x) if code in _FLOATS else int(x))
    if x.code == code:
        return x.ir
    if code == "b1":
        return _compared(builder, "!=", x.code, x.ir, x.ir.type(0))
    if x.code in _FLOATS:
        if code in _FLOATS:
            return (builder.fpext if code == "f8" else builder.fptrunc)(x.ir, to)
        return (builder.fptoui if code == "u8" else builder.fptosi)(x.ir, to)
    if code in _FLOATS:
        return (builder.sitofp if x.code == "i8" else builder.uitofp)(x.ir, to)
    return builder.zext(x.ir, to) if x.code == "b1" else x.ir


def binary(builder: Any, name: str, x: Operand, y: Operand) -> Operand:
    """Result of one of :data:`OPERATORS`, or of a power."""
    if type(x) in (int, float) and type(y) in (int, float):
        return x**y if name == "Pow" else OPERATORS[name][3](x, y)
    if name == "Pow":
        return _power(builder, x, y)
    code = common(x, y)
    if code == "b1" and not name.startswith("Bit"):
        code = "i8"
    a, b = convert(builder, x, code), convert(builder, y, code)
    if code == "i8" and name == "Mod":
        return Value(code, _modulo(builder, a, b))
    kind = OPERATORS[name][0 if code in _FLOATS else 1 if code == "i8" else 2]
    if kind is None:
        raise TypeError(f"{name} of {code}")
    return Value(code, getattr(builder, kind)(a, b))


def negative(builder: Any, x: Operand) -> Operand:
    """The operand with the other sign."""
    if type(x) in (int, float):
        return -x
    code = common(x, 0)
    value = convert(builder, x, code)
    return Value(code, builder.fneg(value) if code in _FLOATS else builder.neg(value))


def compare(builder: Any, name: str, x: Operand, y: Operand) -> Value:
    """Truth of one of :data:`COMPARISONS`; only "!=" is true of NaN."""
    code = common(x, y)
    a, b = convert(builder, x, code), convert(builder, y, code)
    return Value("b1", _compared(builder, COMPARISONS[name], code, a, b))


def smaller(builder: Any, x: Operand, y: Operand, name: str) -> Value:
    """Python's ``min`` ("Lt") or ``max`` ("Gt") of two operands."""
    code = common(x, y)
    a, b = (Value(code, convert(builder, operand, code)) for operand in (x, y))
    return Value(code, builder.select(compare(builder, name, b, a).ir, b.ir, a.ir))


def absolute(builder: Any, x: Value) -> Value:
    """The operand without its sign."""
    if x.code in _FLOATS:
        return Value(x.code, _known(builder, "fabs", x.ir))
    less = builder.icmp_signed("<", x.ir, x.ir.type(0))
    return Value(x.code, builder.select(less, builder.neg(x.ir), x.ir))


def library(builder: Any, name: str, operands: list[Operand]) -> Value:
    """Result of a function of Python's :mod:`math`, which is LLVM's or the system's."""
    code = common(*operands)
    values = [convert(builder, x, code) for x in operands]
    if name in ("exp", "log", "sqrt", "sin", "cos"):
        return Value(code, _known(builder, name, *values))
    kind, name = TYPES[code], name if code == "f8" else f"{name}f"
    return Value(code, builder.call(declared(builder, name, kind, [kind] * len(values)), values))


def declared(builder: Any, name: str, result: Any, parameters: list[Any]) -> Any:
    """A function that is defined outside of the module."""
    function = builder.module.globals.get(name)
    return function or ir.Function(builder.module, ir.FunctionType(result, parameters), name)


def _known(builder: Any, name: str, *values: Any) -> Any:
    function = builder.module.declare_intrinsic(f"llvm.{name}", [values[0].type])
    return builder.call(function, values)


def _power(builder: Any, x: Operand, y: Operand) -> Value:
    if type(y) is int and y == 2:
        return binary(builder, "Mult", x, x)
    code = common(x, y)
    code = code if code in _FLOATS else "f8"
    values = [convert(builder, operand, code) for operand in (x, y)]
    return Value(code, _known(builder, "pow", *values))


def _modulo(builder: Any, a: Any, b: Any) -> Any:
    """Remainder with the sign of b; 0 for b = 0, where the processor would stop the program."""
    zero = a.type(0)
    b = builder.select(builder.icmp_signed("==", b, zero), a.type(1), b)
    rest = builder.srem(a, b)
    apart = builder.icmp_signed("<", builder.xor(rest, b), zero)
    apart = builder.and_(apart, builder.icmp_signed("!=", rest, zero))
    return builder.select(apart, builder.add(rest, b), rest)


def _compared(builder: Any, sign: str, code: str, a: Any, b: Any) -> Any:
    if code in _FLOATS:
        return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, a, b)
    return (builder.icmp_signed if code == "i8" else builder.icmp_unsigned)(sign, a, b)
