"""Compile kernels by numba's public interface, where our target does not work.

numba compiles for its own target, and shows the module (``inspect_llvm``); llvmlite strips it of
all but the kernel, and makes object code. That takes twice as long as
:mod:`scg.engine.codegen.target`, which uses private parts of numba.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import config

from scg.engine.codegen import symbols

_settings: Any = config


def jit(signature: Any = None, **options: Any) -> Any:
    """Like :func:`numba.njit`, which here also compiles where ``NUMBA_DISABLE_JIT`` is set."""

    def compiled(function: Any) -> Any:
        disabled, _settings.DISABLE_JIT = _settings.DISABLE_JIT, 0
        try:
            return numba.jit(signature, nopython=True, error_model="numpy", **options)(function)
        finally:
            _settings.DISABLE_JIT = disabled

    return compiled


def kernel(compiled: Any) -> tuple[llvm.ModuleRef, str]:
    """Module of a kernel, and the name of its function."""
    (signature,) = compiled.signatures
    module = llvm.parse_assembly(compiled.inspect_llvm(signature))
    named = [f.name for f in module.functions if compiled.__name__ in f.name]
    # numba adds two wrappers, for callers in Python and in C
    (entry,) = (name for name in named if not name.startswith(("_ZN7cpython", "cfunc.")))
    return module, entry


def object_code(module: llvm.ModuleRef) -> bytes:
    """Machine code of the functions that a module exports, and of those they need."""
    machine = _machine()
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = llvm.create_pipeline_tuning_options()
    passes.run(module, llvm.create_pass_builder(machine, options))
    return machine.emit_object(module)


@functools.cache
def _machine() -> Any:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


#: numba links also the functions that only kernels call, and must then find the symbols in them.
#: This function stands for all, until a kernel that needs one is loaded.
_unused = ctypes.cast(ctypes.pythonapi.Py_GetVersion, ctypes.c_void_p).value or 0
for _name in symbols.FUNCTIONS:
    if llvm.address_of_symbol(symbols.PREFIX + _name) is None:
        llvm.add_symbol(symbols.PREFIX + _name, _unused)
