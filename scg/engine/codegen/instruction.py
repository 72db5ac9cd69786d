"""Functions that kernels call by name: each builds LLVM's instructions from typed values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

#: LLVM's types by type code: floats, signed and unsigned words, and truth values.
TYPES = {
    "f4": ir.FloatType(),
    "f8": ir.DoubleType(),
    "i8": ir.IntType(64),
    "u8": ir.IntType(64),
    "b1": ir.IntType(1),
}


class Value(NamedTuple):
    """A value of a kernel: its type code, and LLVM's value."""

    code: str
    ir: Any


class Intrinsic(NamedTuple):
    """A function ``build(builder, *values)`` of LLVM's builder.

    `codes` are type codes, first of the result, which is None for a statement. A parameter's code
    is None for a number that is known when the kernel is compiled, and "float" for the type of the
    first argument.
    """

    build: Callable[..., Any]
    codes: tuple[str | None, ...]


def instruction(*codes: str | None) -> Callable[[Callable[..., Any]], Any]:
    """Decorate ``build(builder, *values)``; see :class:`Intrinsic`."""
    return lambda build: Intrinsic(build, codes)


def of_floats(count: int) -> Callable[[Callable[..., Any]], Any]:
    """Decorate ``build(builder, *values)``: `count` floats of one type to a float of that type."""
    return instruction(*["float"] * (1 + count))
