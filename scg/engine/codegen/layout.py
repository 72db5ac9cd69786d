"""Operand tables by name: the words of a kernel are the fields of a layout."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from scg.engine.codegen.nests import Axis
from scg.schedule.entries import Axes


def positions(layout: Any) -> Any:
    """Layout whose fields hold their own positions."""
    return layout(*range(len(layout._fields)))


def kernel(layout: Any, text: str) -> str:
    """Source of a kernel, in whose text ``table.name`` stands for a word of its layout."""
    at = positions(layout)
    body = re.sub(r"\btable\.(\w+)", lambda found: f"word(table, {getattr(at, found[1])})", text)
    return f"def kernel(table):\n{body}"


class Word(NamedTuple):
    """The content of one word of an operand table.

    ``kind`` is the "size" of merged axes, the "address" of an operand, its "step" along an axis in
    bytes or its "stride" in elements, the "count" of elements of its whole array, or a "number".
    """

    kind: str
    axes: Axes | None
    along: tuple[Axis, ...]
    value: int = 0


#: Bytes of a line of a processor's cache.
LINE = 64


class Task(NamedTuple):
    """Words of a task: a kernel, its operands, and how many tasks must be done before."""

    function: int
    operands: int
    before: int


class Shared(NamedTuple):
    """Words of a team's table; its :class:`Counters` follow."""

    tasks: Any
    at: Any  # address of the first task
    idle: Any  # address of a function that lets other threads run
    number: Any  # of the call


class Counters(NamedTuple):
    """Counters that the threads of a team share, each in a cache line of its own."""

    following: Any  # the next task
    done: Any  # tasks
    failed: Any  # tasks
    opened: Any  # the number of the open call
    present: Any  # helpers that look for tasks


class Job(NamedTuple):
    """Words of a helper: the address of a team's table, and the number of the call."""

    table: int
    number: int
