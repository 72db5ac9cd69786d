"""A team: threads that walk one table together, without a word to Python between its rows.

The table is cut into *tasks*, numbered in the order of their stages. Whoever is free takes the next
number from a shared counter, waits until all tasks of earlier stages are done, and runs it. Nobody
has a place in the plan: helpers may come late, or never, and the thread that calls ends when every
task is done. What a late helper finds is a counter that has run out.

Threads are Python's, which stay outside of its lock while they walk.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.layout import LINE, Counters, Job, Shared, Task, kernel
from scg.engine.walk import blas


class Rows(NamedTuple):
    """Words of the kernel that walks rows of (function, operands): how many, and their address."""

    count: int
    at: int


SERIAL = kernel(
    Rows,
    """    code = table.at
    for i in range(table.count):
        if call(load_i8(code, i + i, 0, 0), load_i8(code, i + i + u8(1), 0, 0)):
            raise IndexError("an index is out of bounds")
""",
)
#: Leads a team; its words are :class:`scg.engine.codegen.layout.Shared`.
LEAD = """def kernel(table):
    if lead(table):
        raise IndexError("an index is out of bounds")
"""
#: Helps; its words are :class:`scg.engine.codegen.layout.Job`.
HELP = """def kernel(table):
    help_out(table)
"""
SOURCES = (SERIAL, LEAD, HELP)

CLOSED = 1 << 62
#: Operations that are worth waking helpers for.
WORTH = 1 << 20


class Stage(NamedTuple):
    """Rows of a table.

    Attributes
    ----------
    rows : range
        The rows; an op that Python computes has none.
    work : int
        Operations of rows that may run at once; 0 where they run one after the other.
    number : int or None
        The step of the program that they belong to, if any.
    draws : bool
        Whether they draw noise.
    """

    rows: range
    work: int
    number: int | None
    draws: bool = False


def walk(code: np.ndarray, stages: Sequence[Stage], owned: list[Any]) -> Callable[[], int]:
    """Return what runs stages of a table, and returns what is not 0 where a kernel failed.

    Parameters
    ----------
    code : ndarray of int64, shape (rows, 2)
        Function and operands of each row.
    stages : sequence of Stage
        What runs, in order.
    owned : list
        What must live as long as a thread may look at the table; more is added.
    """
    code = code[[row for stage in stages for row in stage.rows]]
    merged: list[Stage] = []
    end = 0
    for stage in stages:
        start, end = end, end + len(stage.rows)
        if merged and not (merged[-1].work or stage.work):
            merged[-1] = merged[-1]._replace(rows=range(merged[-1].rows.start, end))
        else:
            merged.append(stage._replace(rows=range(start, end)))
    headers = np.zeros((len(merged) + 1, 2), np.int64)
    owned += [code, headers]
    tasks: list[Task] = []
    serial = native.address(SERIAL)
    for header, stage in zip(headers, merged, strict=False):
        before = len(tasks)
        if stage.work:
            tasks += [Task(int(code[row, 0]), int(code[row, 1]), before) for row in stage.rows]
        else:
            header[:] = list(Rows(len(stage.rows), code[stage.rows.start :].ctypes.data))
            tasks.append(Task(serial, header.ctypes.data, before))
    shared = [stage for stage in merged if stage.work]
    if not shared:
        return native.caller(SERIAL, headers.ctypes.data)
    enough = sum(stage.work for stage in shared) >= WORTH
    return Team(tasks, max(len(stage.rows) for stage in shared) if enough else 1, owned)


class Team:
    """Tasks that some threads run together.

    Parameters
    ----------
    tasks : sequence of Task
        What runs, in order.
    most : int
        Threads that find something to do.
    owned
        What must live as long as a thread may look at the table.
    """

    def __init__(self, tasks: Sequence[Task], most: int, owned: Any):
        words = np.array(tasks, np.int64)
        memory = np.zeros((2 + len(Counters._fields), LINE // 8), np.int64)
        start = -memory.ctypes.data % LINE // 8
        first, *lines = memory.reshape(-1)[start : start - LINE // 8].reshape(-1, LINE // 8)
        shared, counters = Shared(*first[: len(Shared._fields), None]), Counters(*lines)
        shared.tasks[0], shared.at[0], shared.idle[0] = len(tasks), words.ctypes.data, _idle()
        counters.following[0] = CLOSED
        self._owned, self._most, self._table = (owned, words, memory), most, first.ctypes.data
        self._number, self._present = shared.number, counters.present
        self._lead = native.caller(LEAD, self._table)
        self._calls = 0

    def __call__(self) -> int:
        """Run all tasks; return what is not 0 where a kernel failed."""
        with blas.one_thread as threads:
            self._number[0] = self._calls = self._calls + 1
            for _ in range(_ready(min(threads, self._most) - 1) - int(self._present[0])):
                _waiting.put(functools.partial(self._help, self._calls))
            return self._lead()

    def _help(self, number: int) -> None:
        """What a helper calls; it holds the memory of the table while it does."""
        job = (ctypes.c_int64 * 2)(*Job(self._table, number))
        native.caller(HELP, ctypes.addressof(job))()


@functools.cache
def _idle() -> int:
    """Return the address of a function without arguments that lets other threads run."""
    windows = getattr(ctypes, "windll", None)
    function = windows.kernel32.SwitchToThread if windows else ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


# --- threads ------------------------------------------------------------------------------------
_waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_helpers: list[threading.Thread] = []
_lock = threading.Lock()
_apart_from, _room = -2, 0  # a processor, and the number of others


def _ready(helpers: int) -> int:
    """Have helpers that may run beside this thread; return how many, of those that are wanted.

    Linux likes to wake a thread on the processor of the one that wakes it, which is busy: helpers
    are therefore kept off it.
    """
    global _apart_from, _room
    if helpers < 1:
        return 0
    processor = _processor()
    if processor == _apart_from and len(_helpers) >= min(helpers, _room):
        return min(helpers, _room)
    with _lock:
        others = _others(processor)
        _apart_from, _room = processor, len(others)
        while len(_helpers) < min(helpers, _room):
            thread = threading.Thread(target=_help, args=(_waiting,), name="scg", daemon=True)
            thread.start()
            _helpers.append(thread)
        for thread in _helpers if processor >= 0 and others else ():
            with contextlib.suppress(OSError):  # a sandbox may forbid it
                os.sched_setaffinity(thread.native_id or 0, others)
    return min(helpers, _room)


def _others(processor: int) -> set[int]:
    """Return the processors beside one that this thread may run on."""
    if processor < 0:
        return set(range(1, os.cpu_count() or 1))
    return os.sched_getaffinity(0) - {processor}


def _processor() -> int:
    """Return the number of the processor that this thread runs on; -1 where nobody tells."""
    return _sched_getcpu() if _sched_getcpu is not None else -1


_sched_getcpu = None
if hasattr(os, "sched_setaffinity"):
    _sched_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None)


def _help(waiting: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        waiting.get()()


def _forget() -> None:
    """A forked process has no threads but the one that forked."""
    global _waiting, _lock, _apart_from
    _waiting, _lock, _apart_from = queue.SimpleQueue(), threading.Lock(), -2
    _helpers.clear()


if os.name == "posix":
    os.register_at_fork(after_in_child=_forget)
