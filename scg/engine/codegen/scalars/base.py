"""What functions of one element are written with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from scg.engine.codegen import intrinsics
from scg.engine.codegen.calls import CALLS
from scg.engine.codegen.jit import jit

# Functions of the system: to inline ours takes long to compile.
exp, expm1, log, log1p = math.exp, math.expm1, math.log, math.log1p
betainc, betainccinv, betaincinv, betaln = (
    CALLS[name] for name in ("betainc", "betainccinv", "betaincinv", "betaln")
)
gamma, gammaincc, gammainccinv, gammaincinv, gammaln = (
    CALLS[name] for name in ("gamma", "gammaincc", "gammainccinv", "gammaincinv", "gammaln")
)
expit, i0e, psi = (CALLS[name] for name in ("expit", "i0e", "psi"))
cos: Any = intrinsics.cos
sin: Any = intrinsics.sin
floor: Any = intrinsics.floor
ceil: Any = intrinsics.ceil
sqrt: Any = intrinsics.sqrt
inf, nan = math.inf, math.nan
largest, tiny = float(np.finfo(np.float64).max), float(np.finfo(np.float64).tiny)

scalar = jit(fastmath={"contract"})


def numbers(values: Any) -> Any:
    """Return k -> values[k], for an unsigned k, from a table in the object code."""
    array = ir.ArrayType(ir.DoubleType(), len(values))

    @intrinsic
    def look_up(typingctx, k):
        def codegen(context, builder, signature, args):
            name = builder.module.get_unique_name("scg.numbers")
            table = ir.GlobalVariable(builder.module, array, name)
            table.initializer = array([float(x) for x in values])  # type: ignore[assignment]
            table.linkage, table.global_constant = "internal", True
            return builder.load(builder.gep(table, [args[0].type(0), args[0]]))

        return types.float64(k), codegen

    return look_up
