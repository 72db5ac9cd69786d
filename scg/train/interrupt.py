"""Ctrl-C between updates."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def between_updates() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until it is asked for; pressed a second time, it interrupts at once.

    An interrupt that is raised wherever Python happens to be can be lost, in a finalizer say.
    In other threads than the main one, and where somebody else handles the signal, nothing changes.

    Yields
    ------
    callable
        Raises ``KeyboardInterrupt`` if Ctrl-C was pressed.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: None
        return
    pressed = threading.Event()

    def press(number: int, frame: Any) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    def ask() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    try:
        yield ask
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
