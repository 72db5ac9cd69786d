"""Calls of the functions of :mod:`scg.engine.codegen.symbols` in kernels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from scg.engine.codegen import symbols
from scg.engine.codegen.arithmetic import declared
from scg.engine.codegen.instruction import TYPES, instruction

_SKIPS = ir.IntType(32)


def _caller(name: str) -> Any:
    symbol = symbols.PREFIX + name
    codes, capsule = symbols.FUNCTIONS[name]
    parameters = [TYPES[code] for code in codes]
    result = parameters[0]

    @instruction(codes[0], *codes)
    def called(builder, *args):
        if capsule:  # one more argument says whether to skip overrides of the function
            function = declared(builder, symbol, result, [*parameters, _SKIPS])
            return builder.call(function, [*args, _SKIPS(0)])
        return builder.call(declared(builder, symbol, result, parameters), args)

    return called


#: Intrinsics by the name of the function that they call, which is found when a kernel is loaded.
CALLS = {name: _caller(name) for name in symbols.FUNCTIONS}
