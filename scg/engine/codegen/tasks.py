"""What threads do with a table of tasks; numba compiles it into the kernels of a team."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.engine.codegen import intrinsics
from scg.engine.codegen.jit import jit

# numba calls an intrinsic with its typing context, which a type checker does not know.
atomic_add: Any = intrinsics.atomic_add
atomic_read: Any = intrinsics.atomic_read
atomic_write: Any = intrinsics.atomic_write
call: Any = intrinsics.call
rest: Any = intrinsics.rest
word: Any = intrinsics.word

_one, _zero = np.uint64(1), np.uint64(0)
#: Where the shared words of a table lie, each in a cache line of its own: bytes from its beginning.
_FOLLOWING, _DONE, _FAILED, _OPENED, _PRESENT = (np.uint64(64 * i) for i in range(1, 6))
_TASK = np.uint64(24)
#: Looks at a counter before another thread of this processor may run, and until a helper leaves.
_PATIENCE, _LOOKS = np.uint64((1 << 16) - 1), np.uint64(1 << 17)

_inlined = jit(forceinline=True)


@_inlined
def _wait(table, count):
    """Wait until a number of tasks is done."""
    turns = _zero
    while atomic_read(table + _DONE) < count:
        turns = turns + _one
        if turns & _PATIENCE == _zero:
            rest(word(table, 2))


@_inlined
def follow(table):
    """Run tasks until none is left; after a failure they are counted and left out."""
    tasks = word(table, 0)
    i = atomic_add(table + _FOLLOWING, _one)
    while i < tasks:
        task = word(table, 1) + i * _TASK
        _wait(table, word(task, 2))
        if atomic_read(table + _FAILED) == _zero:
            if call(word(task, 0), word(task, 1)):
                atomic_add(table + _FAILED, _one)
        atomic_add(table + _DONE, _one)
        i = atomic_add(table + _FOLLOWING, _one)


@_inlined
def help_out(job):
    """Follow in a call of a table, given its number, and in the next ones if they come soon.

    To wake a thread takes as long as many a row.
    """
    table, number, turns = word(job, 0), word(job, 1), _zero
    atomic_add(table + _PRESENT, _one)
    while turns < _LOOKS:
        opened = atomic_read(table + _OPENED)
        if opened >= number:
            follow(table)
            number, turns = opened + _one, _zero
        turns = turns + _one
        if turns & _PATIENCE == _zero:
            rest(word(table, 2))
    atomic_add(table + _PRESENT, -_one)


@_inlined
def lead(table):
    """Open the table, run tasks, and wait for those of the others; return how many failed."""
    atomic_write(table + _FAILED, _zero)
    atomic_write(table + _DONE, _zero)
    atomic_write(table + _FOLLOWING, _zero)
    atomic_write(table + _OPENED, word(table, 3))
    follow(table)
    _wait(table, word(table, 0))
    return atomic_read(table + _FAILED)


TASKS = {"help_out": help_out, "lead": lead}
