"""Ctrl-C, and what else asks a process to end, between updates."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

#: Signals that ask a process to end, and what Python does about them if nobody else cares.
_SIGNALS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
for _name in ("SIGTERM", "SIGHUP"):
    if hasattr(signal, _name):
        _SIGNALS[getattr(signal, _name)] = signal.SIG_DFL


@contextmanager
def between_updates() -> Iterator[Callable[[], None]]:
    """Hold back what asks the process to end until it is asked for; sent twice, it acts at once.

    An interrupt that is raised wherever Python happens to be can be lost, in a finalizer say.
    In other threads than the main one, and where somebody else handles a signal, nothing changes.

    Yields
    ------
    callable
        Raises ``KeyboardInterrupt`` if Ctrl-C was pressed, and ``SystemExit`` with the exit code
        that shells use if another signal came.
    """
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        if came:
            _raise(number)
        came.append(number)

    def ask() -> None:
        if came:
            _raise(came[0])

    here = threading.current_thread() is threading.main_thread()
    ours = [s for s, usual in _SIGNALS.items() if here and signal.getsignal(s) is usual]
    for number in ours:
        signal.signal(number, note)
    try:
        yield ask
    finally:
        for number in ours:
            signal.signal(number, _SIGNALS[number])
    ask()  # what came after the last time


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
