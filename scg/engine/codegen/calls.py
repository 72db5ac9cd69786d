"""Calls of the functions of :mod:`scg.engine.codegen.symbols` in kernels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from scg.engine.codegen import symbols, vectors
from scg.engine.codegen.instruction import instruction

_INT, _BYTES = ir.IntType(32), ir.IntType(8).as_pointer()
_NUMBA = {"f4": types.float32, "f8": types.float64, "i8": types.int64}
_LLVM = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": ir.IntType(64)}


def _caller(name: str) -> Any:
    symbol = symbols.PREFIX + name
    codes, capsule, lanes = symbols.FUNCTIONS[name]
    result, parameters = _LLVM[codes[0]], [_LLVM[code] for code in codes]

    @instruction(_NUMBA[codes[0]], *(_NUMBA[code] for code in codes))
    def called(builder, *args):
        if lanes:
            return builder.call(vectors.declared(builder.module, name), args)
        if capsule:
            known = ir.FunctionType(result, [*parameters, _INT])
            function = cgutils.get_or_insert_function(builder.module, known, symbol)
            return builder.call(function, [*args, _INT(0)])  # the last: whether to skip overrides
        known = ir.FunctionType(_INT, [result.as_pointer(), _BYTES.as_pointer(), *parameters])
        function = cgutils.get_or_insert_function(builder.module, known, symbol)
        with builder.goto_entry_block():
            value, exception = builder.alloca(result), builder.alloca(_BYTES)
        builder.call(function, [value, exception, *args])
        return builder.load(value)

    return called


#: Intrinsics by the name of the function that they call, which is found when a kernel is loaded.
CALLS = {name: _caller(name) for name, f in symbols.FUNCTIONS.items() if f.lanes < 2}
