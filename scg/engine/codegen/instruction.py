"""Decorators that make functions of LLVM's builder callable in kernels."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numba.extending import intrinsic


def instruction(result: Any, *parameters: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate ``build(builder, *values)``, which returns a value of type `result`, or None."""
    return lambda build: _made(build, len(parameters), lambda *_: result(*parameters))


def of_floats(count: int) -> Callable[[Callable[..., Any]], Any]:
    """Decorate ``build(builder, *values)``: `count` floats of one type to a float of that type."""
    return lambda build: _made(build, count, lambda x, *_: x(*[x] * count))


def _made(build: Callable[..., Any], count: int, signature_of: Callable[..., Any]) -> Any:
    def typed(typingctx: Any, *given: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            built = build(builder, *values)
            return context.get_dummy_value() if built is None else built

        return signature_of(*given), codegen

    # numba reads the number of arguments here
    names = ["typingctx", *(f"x{i}" for i in range(count))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    typed.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    return intrinsic(typed)  # pyright: ignore[reportArgumentType]
