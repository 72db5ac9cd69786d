"""Compile a kernel's source with numba to object code, and load object code with llvmlite.

Fresh and cached kernels share one path: source, object code, address. Loading needs no numba, so
that a warm start does not import it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from scg.common.lazy import building
from scg.engine.codegen import cache, symbols
from scg.engine.codegen.settings import settings
from scg.errors import ScgError

#: Folders with the functions that kernels may call; object code depends on their text.
_HELPERS = ("engine/codegen", "engine/noise", "seeds", "special")

#: Source of a kernel, and type codes of its result and arguments where these are numbers.
Kernel = tuple[str, tuple[str, ...]]
#: Types of functions that let other threads run Python's code, or not. With argument types, each
#: call would check them.
_Function = {True: ctypes.CFUNCTYPE(ctypes.c_int), False: ctypes.PYFUNCTYPE(ctypes.c_int)}

_scratch = (ctypes.c_int64 * 2)()
#: Pointers, because a call would convert numbers every time.
_nowhere = ctypes.byref(_scratch), ctypes.byref(_scratch, 8)

#: Addresses of kernels; the compiler is the same for the whole process.
_addresses: dict[Kernel, int] = {}


def address(source: str, codes: tuple[str, ...] = ()) -> int:
    """Address of the kernel that `source` defines, which is compiled if needed.

    The source is the text of one function ``kernel(table)`` of the address of an operand table or,
    with `codes`, of numbers of these types, of which the first is the result's. The kernel has
    numba's calling convention, ``int32 (void**, void**, uint64)``.
    """
    with building:
        if not load(source, codes):
            payload = compiled(source, codes)
            cache.write(identity(source, codes), payload)
            _addresses[source, codes] = _load(payload)
        return _addresses[source, codes]


def load(source: str, codes: tuple[str, ...] = ()) -> bool:
    """Load a kernel from the cache; False if it is not there."""
    with building:
        if (source, codes) not in _addresses:
            payload = cache.read(identity(source, codes))
            if payload is None:
                return False
            _addresses[source, codes] = _load(payload)
        return True


def caller(source: str, table: int, releases: bool = True) -> Callable[[], int]:
    """Function that calls a kernel with a table; its result is not 0 after a failure.

    Other threads may run Python's code meanwhile if the call `releases` Python's lock. A kernel
    that reads Python's objects must hold it.
    """
    at = ctypes.byref(ctypes.c_char.from_address(table))
    return functools.partial(_function(source, releases), *_nowhere, at)


@functools.cache
def _function(source: str, releases: bool) -> Any:
    return _Function[releases](address(source))


def identity(source: str, codes: tuple[str, ...] = ()) -> str:
    """Content address of a kernel: the hash of its source and of what compiles it."""
    made_by = f"{_environment()}\n{settings()}"
    return hashlib.sha256(f"{made_by}\n{codes}\n{source}".encode()).hexdigest()


@functools.cache
def _environment() -> str:
    """Description of all that object code depends on besides its source."""
    parts = [_numba_version(), llvmlite.__version__, llvm.get_process_triple()]
    parts += [llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    package = Path(__file__).parents[2]
    for folder in _HELPERS:
        for file in sorted((package / folder).rglob("*.py")):
            parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
    return "\n".join(parts)


def _numba_version() -> str:
    """Text that names numba's version: importing numba, or importlib.metadata, takes longer."""
    found = find_spec("numba")
    file = Path(found.origin).with_name("_version.py") if found and found.origin else None
    if file is not None and file.is_file():
        return file.read_text()
    from importlib.metadata import version

    return version("numba")


@functools.cache
def _engine() -> Any:
    """The LLVM engine that holds all loaded kernels, for the life of the process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        codemodel="jitdefault", jit=True
    )
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _load(payload: bytes) -> int:
    """Load object code: a payload is the kernel's symbol, those it needs, a zero byte, the code."""
    head, _, code = payload.partition(b"\0")
    symbol, *needed = head.split()
    for name in needed:
        _register(name.decode().removeprefix(symbols.PREFIX))
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine.get_function_address(symbol.decode())


@functools.cache
def _register(name: str) -> None:
    """Make a function of :data:`scg.engine.codegen.symbols.FUNCTIONS` known to object code."""
    capsule = symbols.FUNCTIONS[name].capsule
    at = address(*_scalar(name)) if capsule is None else symbols.exported(capsule)
    llvm.add_symbol(symbols.PREFIX + name, at)


def _scalar(name: str) -> Kernel:
    codes, _, lanes = symbols.FUNCTIONS[name]
    if lanes:
        return name, ()
    arguments = ", ".join(f"x{i}" for i in range(len(codes)))
    return f"def kernel({arguments}):\n    return scalar_{name}({arguments})\n", codes


def scalars(source: str) -> list[Kernel]:
    """Kernels of our own functions of numbers that a kernel names, which it calls by symbol."""
    names = set(re.findall(r"\w+", source)) & symbols.FUNCTIONS.keys()
    return [_scalar(name) for name in sorted(names) if symbols.FUNCTIONS[name].capsule is None]


@functools.cache
def _namespace() -> dict[str, Any]:
    """Names that generated source may use."""
    import numpy as np

    from scg.engine.codegen import intrinsics
    from scg.engine.codegen.calls import CALLS
    from scg.engine.codegen.densities import DENSITIES
    from scg.engine.codegen.math import FUNCTIONS
    from scg.engine.codegen.rows import ROWS
    from scg.engine.codegen.scalars import SCALARS
    from scg.engine.codegen.tasks import TASKS
    from scg.engine.noise.random import DRAWS, stream_key

    names = {k: v for k, v in vars(intrinsics).items() if not k.startswith("_")}
    names |= {f"draw_{'_'.join(key)}": function for key, function in DRAWS.items()}
    names |= CALLS | DENSITIES | TASKS | {"stream_key": stream_key}
    names |= {f"scalar_{name}": function for name, function in SCALARS.items()}
    names |= {f"row_{name}_{code}": function for (name, code), function in ROWS.items()}
    names |= {f"{name}_{code}": function for (name, code), function in FUNCTIONS.items()}
    names |= {"tan": math.tan, "arctan": math.atan, "sinh": math.sinh, "cosh": math.cosh}
    return names | {
        "inf": np.inf,
        "nan": np.nan,
        "f4": np.float32,
        "f8": np.float64,
        "i8": np.int64,
        "u8": np.uint64,
    }


def _scope(source: str) -> dict[str, Any]:
    """Names that a source may use: also those of functions that are made for its constants."""
    from scg.engine.codegen.planes import PLANES

    names = dict(_namespace())
    for made, code, numbers in re.findall(rf"row_({'|'.join(PLANES)})_(f\d)_(\w+)", source):
        function = PLANES[made](code, *map(int, numbers.split("_")))
        names[f"row_{made}_{code}_{numbers}"] = function
    return names


def compiled(source: str, codes: tuple[str, ...] = ()) -> bytes:
    """Payload for :func:`_load`, in which only the kernel has a public name.

    numba numbers functions by the order of their compilation. Object code of two processes may
    therefore call different functions by one name, and the function that is loaded first would
    serve both.
    """
    import numpy as np

    try:
        import numba
    except ImportError as error:
        raise ScgError(
            f"numba cannot be imported ({error}); install a numba that fits NumPy "
            f"{np.__version__}, or use backend='numpy' (environment variable SCG_BACKEND)"
        ) from error

    from scg.engine.codegen import vectors
    from scg.engine.codegen.jit import jit, kernel, object_code

    name = f"scg_{identity(source, codes)[:32]}"
    if source in symbols.FUNCTIONS:
        return _payload(vectors.built(source, name), name, object_code)
    scope = _scope(source)
    exec(source.replace("def kernel(", f"def {name}(", 1), scope)
    types = [numba.from_dtype(np.dtype(code)) for code in codes]
    signature = types[0](*types) if types else numba.void(numba.uint64)
    module, entry = kernel(jit(signature, fastmath={"contract"})(scope[name]))
    return _payload(module, entry, object_code)


def _payload(module: llvm.ModuleRef, entry: str, object_code: Callable[..., bytes]) -> bytes:
    called = []
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = llvm.Linkage.internal
        elif function.name.startswith(symbols.PREFIX):
            called.append(function.name)
    code = object_code(module)
    needed = [name for name in called if name.encode() + b"\0" in code]  # not all variants are
    return " ".join([entry, *needed]).encode() + b"\0" + code
