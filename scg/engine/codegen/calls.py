"""What kernels write to call the functions of :mod:`scg.engine.codegen.symbols`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from scg.engine.codegen import symbols

_INT, _BYTES = ir.IntType(32), ir.IntType(8).as_pointer()
_NUMBA = {"f4": types.float32, "f8": types.float64, "i8": types.int64}
_LLVM = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": ir.IntType(64)}


def _call(name: str) -> Any:
    """Return signature and code of a call."""
    symbol = symbols.PREFIX + name
    codes, capsule = symbols.FUNCTIONS[name]
    result, parameters = _LLVM[codes[0]], [_LLVM[code] for code in codes]

    def of_scipy(context, builder, signature, args):
        known = ir.FunctionType(result, [*parameters, _INT])
        function = cgutils.get_or_insert_function(builder.module, known, symbol)
        return builder.call(function, [*args, _INT(0)])  # the last: whether to skip overrides

    def of_numba(context, builder, signature, args):
        head = [result.as_pointer(), _BYTES.as_pointer()]
        known = ir.FunctionType(_INT, head + parameters)
        function = cgutils.get_or_insert_function(builder.module, known, symbol)
        with builder.goto_entry_block():
            value, exception = builder.alloca(result), builder.alloca(_BYTES)
        builder.call(function, [value, exception, *args])
        return builder.load(value)

    of = [_NUMBA[code] for code in codes]
    return of[0](*of), of_scipy if capsule else of_numba


def _caller(name: str) -> Any:
    """Return an intrinsic; what it calls is looked up when it is first compiled."""
    rules = (
        lambda typingctx, x: _call(name),
        lambda typingctx, x, y: _call(name),
        lambda typingctx, x, y, z: _call(name),
        lambda typingctx, x, y, z, i: _call(name),
        lambda typingctx, x, y, z, i, j: _call(name),
    )
    return intrinsic(rules[len(symbols.FUNCTIONS[name].codes) - 1])


#: Name to what calls it.
CALLS = {name: _caller(name) for name in symbols.FUNCTIONS}
