"""Many runs in one call: each thread computes stretches of runs, block after block.

A stretch is one task of a team, with a frame of its own. It samples a block of runs, computes it in
memory that stays in the processor's cache, and merges its moments into those of the earlier blocks,
without a call of Python or a wait for other threads. Stretches and blocks depend only on sizes, so
that no bit depends on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scg.engine.blocks import STRETCHES
from scg.engine.codegen import native
from scg.engine.codegen.layout import Task, kernel, positions
from scg.engine.table.buffers import address
from scg.engine.walk.connection import Connection
from scg.engine.walk.team import SERIAL, Rows, Team
from scg.schedule.lift import is_mean_alone
from scg.seeds.noise import seed_word


class Stretch(NamedTuple):
    """Words of the kernel that runs one stretch; the last five are addresses."""

    blocks: int
    runs: int  # of a block
    first: int  # run of the stretch
    first_run: int  # of a block, which its rows read
    serial: int  # the kernel that walks rows
    block: int  # `Rows` of a block
    merges: int  # `Rows` that merge its moments
    before: int  # how many runs are merged


STRETCH = kernel(
    Stretch,
    """    for block in range(table.blocks):
        before = block * table.runs
        put_i8(table.first_run, u8(0), i8(table.first + before))
        if call(table.serial, table.block):
            raise IndexError("an index is out of bounds")
        put_f8(table.before, u8(0), f8(before))
        call(table.serial, table.merges)
""",
)


class Merge(NamedTuple):
    """Words of the kernel that merges moments of a block into those of the blocks before.

    Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance",
    The American Statistician 37(3).
    """

    count: int  # elements of the output
    runs: int  # address of the number of runs before, and in the block
    mean: int  # addresses of means, and of summed squared deviations
    squares: int
    block_mean: int
    block_squares: int


MERGE = kernel(
    Merge,
    """    before, new = get_f8(table.runs, u8(0)), get_f8(table.runs, u8(1))
    share = new / (before + new)
    mean, squares = table.mean, table.squares
    for j in range(table.count):
        delta = f8(load_{code}(table.block_mean, j, 2, 3)) - load_f8(mean, j, 0, 3)
        spread = f8(load_{code}(table.block_squares, j, 3, 3)) + delta * delta * (before * share)
        store_f8(squares, j, load_f8(squares, j, 1, 3) + spread, 1, 3)
        store_f8(mean, j, load_f8(mean, j, 0, 3) + delta * share, 0, 3)
""",
)


def sources(code: str) -> tuple[str, str]:
    """Kernels of stretches, given the type code of floats."""
    return STRETCH, MERGE.replace("{code}", code)


class Stretches:
    """Means and summed squared deviations of an executable's outputs over many runs.

    `connect` binds an executable of moments to a frame of its own, for the `runs` of a block; a
    stretch has `blocks` of them.
    """

    def __init__(self, connect: Callable[[], Connection], code: str, runs: int, blocks: int):
        self._connections = [connect() for _ in range(STRETCHES)]
        self._length = runs * blocks
        outputs = self._connections[0].outputs
        self._keys = [k for k in outputs if ("spread", k) in outputs or is_mean_alone(k)]
        self._ends = np.cumsum([0, *(outputs[key].size for key in self._keys)]).tolist()
        self._merged = np.zeros((STRETCHES, 2, self._ends[-1]))
        self._counts = np.tile([0.0, runs], (STRETCHES, 1))
        self._tables = np.zeros((STRETCHES, len(Stretch._fields)), np.int64)
        owned: list[Any] = [self._connections, self._merged, self._counts, self._tables]
        stretch, merge = map(native.address, sources(code))
        serial = native.address(SERIAL)
        for i, connection in enumerate(self._connections):
            block, merges = self._walks(i, connection, merge, owned)
            first_run, count = address(connection.frame.first_run), address(self._counts[i])
            walks = (address(block), address(merges))
            self._tables[i] = list(Stretch(blocks, runs, 0, first_run, serial, *walks, count))
        self._first = self._tables[:, positions(Stretch).first]
        tasks = [Task(stretch, address(row), 0) for row in self._tables]
        self._team = Team(tasks, STRETCHES, owned)

    def _walks(
        self, number: int, connection: Connection, merge: int, owned: list[Any]
    ) -> np.ndarray:
        """The rows of a block, and those that merge its moments, for the serial driver."""
        outputs, rows = connection.outputs, connection.frame.code
        merges = np.zeros((len(self._keys), len(Merge._fields)), np.int64)
        code = np.zeros((len(self._keys), 2), np.int64)
        for i, (key, start) in enumerate(zip(self._keys, self._ends, strict=False)):
            mean = outputs[key]
            spread = outputs.get(("spread", key))
            if spread is None:
                owned.append(spread := np.zeros_like(mean))
            means, squares = (address(self._merged[number, k, start:]) for k in (0, 1))
            runs, block = address(self._counts[number]), (address(mean), address(spread))
            merges[i] = list(Merge(mean.size, runs, means, squares, *block))
            code[i] = merge, address(merges[i])
        walks = np.array([Rows(len(x), address(x)) for x in (rows, code)], np.int64)
        owned += [merges, code, walks]
        return walks

    def __call__(self, seed: Any, first_run: int) -> dict[Any, Any]:
        """Means by key, and summed squared deviations by ("spread", key), in new arrays."""
        first, *_ = self._connections
        word = seed_word(seed)
        for connection in self._connections:
            connection.frame.seed[0], connection.frame.seed[1] = word
        self._first[:] = first_run + self._length * np.arange(STRETCHES)
        self._merged.fill(0.0)
        if self._team():
            for connection in self._connections:
                connection.plan.restore(connection.frame)
            for connection in self._connections:
                connection.explain()
            raise IndexError("an index is out of bounds")
        means = self._merged[:, 0]
        with np.errstate(over="ignore", invalid="ignore"):  # runs may be infinite
            mean = means.mean(axis=0)
            squares = self._merged[:, 1].sum(axis=0)
            squares += self._length * ((means - mean) ** 2).sum(axis=0)
        found = {key: np.array(value) for key, value in first.results().items()}
        for key, start, end in zip(self._keys, self._ends, self._ends[1:], strict=False):
            for name, values in ((key, mean), (("spread", key), squares)):
                if name in found:
                    found[name][...] = values[start:end].reshape(found[name].shape)
        return found
