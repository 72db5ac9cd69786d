"""Attributes that are computed when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class cached_property(Generic[T]):
    """Like :class:`functools.cached_property`, without a lock.

    Up to Python 3.11 that holds one lock for all instances while it computes. A process that is
    forked meanwhile by another thread would wait for it forever. Here two threads may compute at
    once; both get what the first one found.
    """

    def __init__(self, function: Callable[[Any], T]):
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        if instance is None:
            return self  # pyright: ignore[reportReturnType]
        return instance.__dict__.setdefault(self.name, self.function(instance))
