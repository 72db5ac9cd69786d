"""What functions of one element are written with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from scg.engine.codegen.instruction import instruction
from scg.engine.codegen.jit import jit

part = jit(fastmath={"contract"})

#: Name to the function of one element.
SCALARS: dict[str, Any] = {}


def scalar(function: Callable[..., Any]) -> Any:
    """Make a function of one element, and let kernels call it by its name."""
    made = SCALARS[function.__name__] = part(function)
    return made


def numbers(values: Any) -> Any:
    """Return k -> values[k], for k ≥ 0, from a table in the object code."""
    array = ir.ArrayType(ir.DoubleType(), len(values))

    @instruction(types.float64, types.int64)
    def look_up(builder, k):
        name = builder.module.get_unique_name("scg.numbers")
        table = ir.GlobalVariable(builder.module, array, name)
        table.initializer = array([float(x) for x in values])  # type: ignore[assignment]
        table.linkage, table.global_constant = "internal", True
        return builder.load(builder.gep(table, [k.type(0), k]))

    return look_up
