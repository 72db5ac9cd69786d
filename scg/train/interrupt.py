"""Hold Ctrl-C, SIGTERM and SIGHUP back until an update is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

#: Signals that ask a process to end, and their default handlers in Python.
_SIGNALS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
for _name in ("SIGTERM", "SIGHUP"):
    if hasattr(signal, _name):
        _SIGNALS[getattr(signal, _name)] = signal.SIG_DFL


@contextmanager
def between_updates() -> Iterator[Callable[[], None]]:
    """Hold back signals that end the process; a second one acts at once.

    An interrupt that Python raises at any place can be lost, for instance in a finalizer. Signals
    are left alone in threads other than the main one, and if they have a handler already.

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
