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
from scg.engine.table.buffers import address
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
#: Least operations of a call that wakes helpers.
WORTH = 1 << 20


class Stage(NamedTuple):
    """Rows of a table, in order or at once."""

    rows: range  # none for an op that Python computes
    work: int  # operations of rows that may run at once; 0 for rows that run in order
    number: int | None  # the step of the program that they belong to, if any
    draws: bool = False  # whether they fill noise leaves
    apart: bool = False  # whether the products in it had better have all threads


def walk(code: np.ndarray, stages: Sequence[Stage], owned: list[Any]) -> Callable[[], int]:
    """Function that runs stages of a table; its result is not 0 after a failure.

    `code` holds the function and operands of each row. To `owned` is added what must live as long
    as a thread may look at the table.
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
            header[:] = list(Rows(len(stage.rows), address(code[stage.rows.start :])))
            tasks.append(Task(serial, address(header), before))
    shared = [stage for stage in merged if stage.work]
    if not shared:
        return native.caller(SERIAL, address(headers))
    enough = sum(stage.work for stage in shared) >= WORTH
    return Team(tasks, max(len(stage.rows) for stage in shared) if enough else 1, owned)


class Team:
    """Tasks that several threads run together.

    At most `most` threads find work at once; `owned` lives as long as a thread may look at the
    table.
    """

    def __init__(self, tasks: Sequence[Task], most: int, owned: Any):
        words = np.array(tasks, np.int64)
        memory = np.zeros((2 + len(Counters._fields), LINE // 8), np.int64)
        start = -address(memory) % LINE // 8
        first, *lines = memory.reshape(-1)[start : start - LINE // 8].reshape(-1, LINE // 8)
        shared, counters = Shared(*first[: len(Shared._fields), None]), Counters(*lines)
        shared.tasks[0], shared.at[0], shared.idle[0] = len(tasks), address(words), _idle()
        counters.following[0] = CLOSED
        self._owned, self._most, self._table = (owned, words, memory), most, address(first)
        self._number, self._present = shared.number, counters.present
        self._lead = native.caller(LEAD, self._table)
        self._calls = 0

    def __call__(self) -> int:
        """Run all tasks; the result is not 0 after a failure."""
        with blas.one_thread as threads:
            self._number[0] = self._calls = self._calls + 1
            for _ in range(_ready(min(threads, self._most) - 1) - int(self._present[0])):
                _waiting.put(functools.partial(self._help, self._calls))
            return self._lead()

    def _help(self, number: int) -> None:
        """Help in a call; the helper keeps the memory of the table alive."""
        job = (ctypes.c_int64 * 2)(*Job(self._table, number))
        native.caller(HELP, ctypes.addressof(job))()


@functools.cache
def _idle() -> int:
    """Address of a function without arguments that lets other threads run."""
    windows = getattr(ctypes, "windll", None)
    function = windows.kernel32.SwitchToThread if windows else ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


# --- threads ------------------------------------------------------------------------------------
_waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_helpers: list[threading.Thread] = []
_lock = threading.Lock()
_apart_from, _room = -2, 0  # a processor, and the number of others


def _ready(helpers: int) -> int:
    """Start helpers that may run beside this thread; return how many of those wanted there are.

    Linux tends to wake a thread on the processor of the thread that wakes it, which is busy;
    helpers are therefore kept off it.
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
    """Processors that this thread may run on, without one."""
    if processor < 0:
        return set(range(1, os.cpu_count() or 1))
    return os.sched_getaffinity(0) - {processor}


def _processor() -> int:
    """Number of the processor that this thread runs on, or -1 if unknown."""
    return _sched_getcpu() if _sched_getcpu is not None else -1


_sched_getcpu = None
if hasattr(os, "sched_setaffinity"):
    _sched_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None)


def _help(waiting: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        waiting.get()()


def _forget() -> None:
    """Reset after a fork: the child has no helpers."""
    global _waiting, _lock, _apart_from
    _waiting, _lock, _apart_from = queue.SimpleQueue(), threading.Lock(), -2
    _helpers.clear()


if os.name == "posix":
    os.register_at_fork(after_in_child=_forget)
