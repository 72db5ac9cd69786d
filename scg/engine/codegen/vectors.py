"""Functions of vectors that kernels call by symbol, from the texts of :mod:`scg.special.gamma`.

A kernel calls a function of one number in its loop. The declaration names variants of it that take
vectors (LLVM's ABI of vector functions), so that LLVM may turn the loop into one of vectors that
calls a variant, and leaves the last elements to the function of one number. All lanes have the bits
of one number. Each is compiled once, and only if object code of a kernel needs it.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

from scg.engine.codegen.lanes import FLOATS, LLVM, Lanes, spread
from scg.engine.codegen.symbols import PREFIX, WIDTHS, vector
from scg.special.gamma import TEXTS

_REAL, _I32 = FLOATS["f8"], ir.IntType(32)
_KEPT = "llvm.compiler.used"
#: Lanes of the variant that computes one number.
FEW = 4


def declared(module: Any, name: str) -> Any:
    """Function of one number in a kernel's module, with its variants."""
    kind = ir.FunctionType(_REAL, [_REAL])
    function = cgutils.get_or_insert_function(module, kind, PREFIX + name)
    variants = (
        f"_ZGV_LLVM_N{lanes}v_{PREFIX}{name}({PREFIX}{vector(name, lanes)})" for lanes in WIDTHS
    )
    text = f'"vector-function-abi-variant"="{",".join(variants)}"'
    set.update(function.attributes, (text, "nounwind", "readnone", "willreturn"))
    if _KEPT not in module.globals:  # else LLVM would drop variants before it makes vectors
        _keep(module)
    return function


def _keep(module: Any) -> None:
    """Declare all variants as used."""
    kinds = [ir.VectorType(_REAL, lanes) for lanes in WIDTHS]
    functions = [
        ir.Function(module, ir.FunctionType(kind, [kind]), PREFIX + vector(name, kind.count))
        for name in TEXTS
        for kind in kinds
    ]
    pointer = ir.IntType(8).as_pointer()
    array = ir.ArrayType(pointer, len(functions))
    kept = ir.GlobalVariable(module, array, _KEPT)
    kept.linkage, kept.section = "appending", "llvm.metadata"
    kept.initializer = array([function.bitcast(pointer) for function in functions])  # type: ignore[assignment]


def built(name: str, entry: str) -> llvm.ModuleRef:
    """Module of a function of a vector, or of one number, whose name in it is `entry`."""
    module = ir.Module()
    module.triple = llvm.get_process_triple()
    text, _, lanes = name.partition("_x")
    wide = ir.VectorType(_REAL, int(lanes or FEW))
    kind = wide if lanes else _REAL
    function = ir.Function(module, ir.FunctionType(kind, [kind]), entry)
    builder, (x,) = ir.IRBuilder(function.append_basic_block()), function.args
    if lanes:
        builder.ret(TEXTS[text](Lanes(builder, x), LLVM("f8")).value)
    else:  # of the variant that kernels on most machines need, too
        variant = ir.Function(module, ir.FunctionType(wide, [wide]), PREFIX + vector(name, FEW))
        found = builder.call(variant, [spread(builder, x, FEW).value])
        builder.ret(builder.extract_element(found, _I32(0)))
    return llvm.parse_assembly(str(module))
