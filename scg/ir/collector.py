"""Pause Python's collector of reference cycles while a graph is rewritten."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_pausing: int | None = None  # the thread that will switch collection on again


@contextmanager
def paused() -> Iterator[None]:
    """Let no collection run in this block, or in the function that this decorates.

    Passes make millions of small objects that live as long as their graph. The collector would
    search them again and again in vain, for a third of the time. Reference counting goes on.
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
    """Switch collection on in a forked process, where the thread that paused it does not exist."""
    global _pausing
    if _pausing not in (None, threading.get_ident()):
        _pausing = None
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resume)
