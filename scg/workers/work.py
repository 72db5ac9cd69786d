"""Work: what each worker builds once, and then computes chunk by chunk."""

from __future__ import annotations

import functools
import os
import pickle
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from scg.common.lazy import cached_property
from scg.engine.threads import set_threads
from scg.errors import CallError


class Outcome(NamedTuple):
    """What became of a chunk: a value, or the reason of a failure.

    Attributes
    ----------
    value : object
        What the function returned.
    failure : str
        Empty, or why there is no value.
    lost : bool
        Whether the worker was lost; otherwise a failing function raised.
    """

    value: Any = None
    failure: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Work:
    """A function of a chunk, which each worker builds once as ``factory(*arguments)``.

    Factory and arguments are pickled, so that functions are those of a module. A chunk's value may
    depend on nothing but the arguments and the chunk: it may be computed twice, anywhere.

    Attributes
    ----------
    factory : callable
        Returns the function of a chunk.
    arguments : tuple
        What it is called with.
    threads : int
        Threads of each worker that is another process, see :func:`scg.set_threads`.
    """

    factory: Callable[..., Callable[[Any], Any]]
    arguments: tuple[Any, ...] = ()
    threads: int = 1

    @cached_property
    def packed(self) -> bytes:
        """Bytes that :func:`perform` builds from, in this process or another one."""
        parts = self.factory, self.arguments, self.threads, _process()
        return packed(parts, "what workers build")


def packed(value: Any, what: str) -> bytes:
    """A value as pickle; the error names what to write instead of a function without a module."""
    try:
        return pickle.dumps(value)
    except Exception as error:  # objects raise what they like here
        raise CallError(
            f"{what} cannot be sent to workers ({reason(error)}); functions must be defined at "
            "the top level of a module, not as lambda or inside a function"
        ) from error


def perform(work: bytes, chunk: bytes, attempt: int) -> tuple[bytes, str]:
    """Compute a chunk in this process: its pickled value, or why there is none.

    It returns errors, so that what a future raises means that the worker is lost. The number of
    the `attempt` makes a repeated call another one for executors that cache.
    """
    try:
        return pickle.dumps(_built(work)(pickle.loads(chunk))), ""
    except (Exception, SystemExit) as error:  # a job may raise anything
        return b"", reason(error)


def reason(error: BaseException) -> str:
    """An error in one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


@functools.lru_cache(maxsize=4)
def _built(work: bytes) -> Callable[[Any], Any]:
    """The function of a piece of work, which a process builds once."""
    factory, arguments, threads, origin = pickle.loads(work)
    if origin != _process():
        set_threads(threads)
    return factory(*arguments)


def _process() -> str:
    return f"{platform.node()}:{os.getpid()}"
