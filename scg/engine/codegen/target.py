"""A compilation target of numba for numbers and addresses alone.

numba's own target links every function with a runtime for arrays and objects, makes machine code
even of functions that only kernels call, and imports NumPy's and SciPy's linear algebra. Kernels
need none of that, and compile in half of the time.
"""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager
from numba import types
from numba.core import codegen, cpu, fastmathpass, typed_passes, typeinfer, untyped_passes
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.core.descriptors import TargetDescriptor
from numba.core.dispatcher import Dispatcher
from numba.core.target_extension import (
    CPU,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)
from numba.core.typing.context import Context

_NAME = "scg"


class Library(codegen.CPUCodeLibrary):
    """A function and those that it calls; they are optimized together, in a kernel."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        manager, builder = self._codegen._function_pass_manager()
        for function in ll_module.functions:
            if not function.is_declaration:
                manager.run(function, builder)

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """0, because no function runs by itself."""
        self._ensure_finalized()
        return 0

    def optimized(self) -> llvm.ModuleRef:
        """Module of a kernel."""
        super()._optimize_final_module()
        return self._final_module


class _ModulePasses(llvm.ModulePassManager):
    # llvmlite's own class does not inherit this method.
    _dispose: Any = NewPassManager._dispose


class _FunctionPasses(llvm.FunctionPassManager):
    _dispose: Any = NewPassManager._dispose


class _Codegen(codegen.JITCPUCodegen):
    _library_class = Library

    # Free the passes with their manager: a third of a megabyte for each kernel.
    def _module_pass_manager(self, **options: Any) -> Any:
        manager, builder = super()._module_pass_manager(**options)
        manager.__class__ = _ModulePasses
        return manager, builder

    def _function_pass_manager(self, **options: Any) -> Any:
        manager, builder = super()._function_pass_manager(**options)
        manager.__class__ = _FunctionPasses
        return manager, builder

    def set_env(self, env_name: str, env: Any) -> None:
        """Do nothing, because kernels hold no objects."""


class _Typing(Context):
    def load_additional_registries(self) -> None:
        from numba.core.typing import mathdecl

        self.install_registry(mathdecl.registry)


class _Context(cpu.CPUContext):
    def init(self) -> None:
        super().init()
        self._internal_codegen = _Codegen(_NAME)
        self._sizes: dict[Any, int] = {}  # numba copies this object for every function

    def load_additional_registries(self) -> None:
        from numba.cpython import mathimpl, numbers, rangeobj, tupleobj  # noqa: F401

        self.install_registry(mathimpl.registry)

    def get_abi_sizeof(self, ty: Any) -> int:
        """Bytes of a value, which LLVM would parse a module to find each time."""
        if ty not in self._sizes:
            self._sizes[ty] = super().get_abi_sizeof(ty)
        return self._sizes[ty]

    def post_lowering(self, mod: Any, library: Library) -> None:
        """Mark operations as fast-math allows, and link no runtime."""
        if self.fastmath:
            fastmathpass.rewrite_module(mod, self.fastmath)


class _Compiler(CompilerBase):
    """Numba's passes without those for closures, objects and their life, arrays, threads."""

    def define_pipelines(self) -> list[PassManager]:
        """numba's list of passes."""
        manager = PassManager(_NAME)
        for each in (
            untyped_passes.TranslateByteCode,
            untyped_passes.FixupArgs,
            untyped_passes.IRProcessing,
            untyped_passes.GenericRewrites,  # of exceptions
            untyped_passes.ReconstructSSA,
            typed_passes.NopythonTypeInference,
            typed_passes.PreLowerStripPhis,
            typed_passes.NativeLowering,
            typed_passes.NoPythonBackend,
        ):
            manager.add_pass(each, each.__name__)
        manager.finalize()
        return [manager]


class _Target(CPU):
    pass


class _Descriptor(TargetDescriptor):
    options = cpu.CPUTargetOptions

    @functools.cached_property
    def typing_context(self) -> _Typing:
        return _Typing()

    @functools.cached_property
    def target_context(self) -> _Context:
        return _Context(self.typing_context, _NAME)


class _Dispatcher(Dispatcher):
    targetdescr = _Descriptor(_NAME)

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named, pipeline_class=_Compiler)

    def compile(self, sig: Any) -> Any:
        """Compile for argument types, with the overloads of this target."""
        with target_override(_NAME):
            return super().compile(sig)


def jit(signature: Any = None, **options: Any) -> Any:
    """Like :func:`numba.jit`, for kernels and helpers, also if ``NUMBA_DISABLE_JIT`` is set."""
    ours = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def compiled(function: Any) -> _Dispatcher:
        dispatcher = _Dispatcher(function, targetoptions={**ours, "nopython": True, **options})
        if signature is not None:
            with typeinfer.register_dispatcher(dispatcher):
                dispatcher.compile(signature)
        return dispatcher

    return compiled


def probe() -> None:
    """Compile the smallest kernel: an error says that numba's private parts have changed."""

    @jit(types.void(types.uint64))
    def tiny(x):
        pass

    module, _ = kernel(tiny)
    object_code(module)


def kernel(compiled: Any) -> tuple[llvm.ModuleRef, str]:
    """Module of a kernel, and the name of its function."""
    (result,) = compiled.overloads.values()
    return result.library.optimized(), result.fndesc.llvm_func_name


def object_code(module: llvm.ModuleRef) -> bytes:
    """Machine code of a module."""
    return _Dispatcher.targetdescr.target_context.codegen()._tm.emit_object(module)


target_registry[_NAME] = _Target
dispatcher_registry[_Target] = _Dispatcher
jit_registry[_Target] = jit
