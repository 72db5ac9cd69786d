"""Machine code of modules, for the processor that this process runs on."""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager


@functools.cache
def machine() -> Any:
    """The processor, as LLVM generates code for it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


class _Passes(llvm.ModulePassManager):
    # llvmlite's own class does not inherit this method, and keeps a third of a megabyte each.
    _dispose: Any = NewPassManager._dispose


def object_code(text: str) -> bytes:
    """Object code of the text of a module."""
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine().triple, str(machine().target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization, options.slp_vectorization = True, False
    builder = llvm.create_pass_builder(machine(), options)
    passes = builder.getModulePassManager()  # of use for one module
    passes.__class__ = _Passes
    passes.run(module, builder)
    return machine().emit_object(module)
