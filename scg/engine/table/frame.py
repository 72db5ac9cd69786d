"""What a table is made of, and what a running call owns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scg.engine.codegen.layout import Word
from scg.engine.table.parts import Call
from scg.schedule.entries import Fallback

#: Runs stages of the table, or names an op that Python computes.
Caller = Callable[[], int] | Fallback


class Compiled(NamedTuple):
    """An entry with its kernel's source, address and words, and the entries of its body.

    An op that Python computes has no kernel; `rows` may be known already.
    """

    entry: Any
    source: str | None = None
    function: int | None = None
    words: tuple[Word, ...] = ()
    inner: tuple[Compiled, ...] = ()
    rows: tuple[Call, ...] = ()


class Frame(NamedTuple):
    """What one running call owns: memory, and a table whose addresses point into it."""

    arena: np.ndarray  # the arrays that do not leave the call
    words: np.ndarray  # of all rows
    code: np.ndarray  # function and address of the words of each row
    walks: dict[bool, list[Caller]]  # how to run the table, with and without sampling noise
    seed: memoryview  # the word of the seed, and whether it is a hash
    first_run: np.ndarray
    noise_at: np.ndarray  # addresses of the noise leaves
    owned: list[Any]  # all memory that a walk looks at
