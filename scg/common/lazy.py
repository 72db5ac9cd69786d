"""Lazy: attributes, kernels, the engine's modules and SciPy are made or loaded at first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Held while the engine's modules are loaded and while a kernel is compiled.
building = threading.RLock()
if hasattr(os, "register_at_fork"):  # else a child could wait forever for a lock
    os.register_at_fork(
        before=building.acquire, after_in_parent=building.release, after_in_child=building.release
    )


def scipy_function(name: str) -> Callable[..., Any]:
    """Function of ``scipy.special``, imported at the first call: it takes twice NumPy's time."""

    def rule(*args: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*args)

    return rule


class cached_property(Generic[T]):
    """Like :class:`functools.cached_property`, without a lock.

    Up to Python 3.11 :mod:`functools` holds one lock for all instances while it computes, and a
    process that another thread forks meanwhile waits for it forever. Without a lock two threads may
    compute at once; both get the first value.
    """

    def __init__(self, function: Callable[[Any], T]):
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        if instance is None:
            return self  # pyright: ignore[reportReturnType]
        return instance.__dict__.setdefault(self.name, self.function(instance))
