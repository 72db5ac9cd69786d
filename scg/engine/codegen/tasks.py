"""Functions of the kernels that lead a team, and that help it."""

from __future__ import annotations

import numpy as np

from scg.engine.codegen.intrinsics import atomic_add, atomic_read, atomic_write, call, rest, word
from scg.engine.codegen.jit import jit
from scg.engine.codegen.layout import LINE, Counters, Job, Shared, Task, positions

_one, _zero = np.uint64(1), np.uint64(0)
_shared, _task, _job = map(positions, (Shared, Task, Job))
_TASKS, _AT, _IDLE, _NUMBER = _shared.tasks, _shared.at, _shared.idle, _shared.number
_FUNCTION, _OPERANDS, _BEFORE = _task.function, _task.operands, _task.before
_TABLE, _CALL = _job.table, _job.number
#: Bytes from the beginning of a team's table to each of its counters.
_FOLLOWING, _DONE, _FAILED, _OPENED, _PRESENT = (
    np.uint64(LINE * (1 + line)) for line in positions(Counters)
)
_LENGTH = np.uint64(8 * len(Task._fields))
#: Reads of a counter before a thread lets others run, and before a helper leaves.
_PATIENCE, _LOOKS = np.uint64((1 << 16) - 1), np.uint64(1 << 17)

_inlined = jit(forceinline=True)


@_inlined
def _wait(table, count):
    """Wait until a number of tasks is done."""
    turns = _zero
    while atomic_read(table + _DONE) < count:
        turns = turns + _one
        if turns & _PATIENCE == _zero:
            rest(word(table, _IDLE))


@_inlined
def follow(table):
    """Run tasks until none is left; after a failure the rest is counted and skipped."""
    tasks = word(table, _TASKS)
    i = atomic_add(table + _FOLLOWING, _one)
    while i < tasks:
        task = word(table, _AT) + i * _LENGTH
        _wait(table, word(task, _BEFORE))
        if atomic_read(table + _FAILED) == _zero:
            if call(word(task, _FUNCTION), word(task, _OPERANDS)):
                atomic_add(table + _FAILED, _one)
        atomic_add(table + _DONE, _one)
        i = atomic_add(table + _FOLLOWING, _one)


@_inlined
def help_out(job):
    """Follow in a call of a table, given its number, and in the next calls if they come soon.

    Waking a thread takes as long as many rows.
    """
    table, number, turns = word(job, _TABLE), word(job, _CALL), _zero
    atomic_add(table + _PRESENT, _one)
    while turns < _LOOKS:
        opened = atomic_read(table + _OPENED)
        if opened >= number:
            follow(table)
            number, turns = opened + _one, _zero
        turns = turns + _one
        if turns & _PATIENCE == _zero:
            rest(word(table, _IDLE))
    atomic_add(table + _PRESENT, -_one)


@_inlined
def lead(table):
    """Open the table, run tasks, and wait for other threads; return how many tasks failed."""
    atomic_write(table + _FAILED, _zero)
    atomic_write(table + _DONE, _zero)
    atomic_write(table + _FOLLOWING, _zero)
    atomic_write(table + _OPENED, word(table, _NUMBER))
    follow(table)
    _wait(table, word(table, _TASKS))
    return atomic_read(table + _FAILED)


TASKS = {"help_out": help_out, "lead": lead}
