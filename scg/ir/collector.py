"""Python's collector of reference cycles, paused while a graph is rewritten."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Let no collection run in this block, or in the function that this decorates.

    Passes make millions of small objects that live as long as their graph: to look through them
    again and again finds nothing and takes a third of the time. Reference counts work as ever.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
