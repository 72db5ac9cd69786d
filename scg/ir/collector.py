"""Python's collector of reference cycles, paused while a graph is rewritten."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_pausing: int | None = None  # the thread that will switch it on again


@contextmanager
def paused() -> Iterator[None]:
    """Let no collection run in this block, or in the function that this decorates.

    Passes make millions of small objects that live as long as their graph: to look through them
    again and again finds nothing and takes a third of the time. Reference counts work as ever.
    """
    global _pausing
    running = gc.isenabled()
    if running:
        _pausing = threading.get_ident()
    gc.disable()
    try:
        yield
    finally:
        if running:
            _pausing = None
            gc.enable()


def _resume() -> None:
    """In a forked process, do what a thread that is not there would have done."""
    global _pausing
    if _pausing not in (None, threading.get_ident()):
        _pausing = None
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resume)
