"""An executable: a schedule with its compiled kernels, and its tables by plate sizes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.engine.codegen import helper, native
from scg.engine.codegen.kernels import generate
from scg.engine.interpreter import Sizes
from scg.engine.noise import keys, streams
from scg.engine.table import prefetch
from scg.engine.table.frame import Compiled
from scg.engine.table.parts import join_source, joins_of
from scg.engine.table.repeat import MOVE, TURNS
from scg.engine.table.table import Table
from scg.engine.walk import blas, stretches, team
from scg.engine.walk.connection import Connection
from scg.engine.walk.ports import Ports
from scg.ir.expr import Expr
from scg.schedule.entries import Entry, Gemm, Loop, Repeat, Uses
from scg.schedule.schedule import Schedule

if TYPE_CHECKING:
    from scg.engine.profile import Timing
    from scg.schedule.listing import Line

#: Tables that are kept, one for each combination of plate sizes and threads.
PLANS = 8


class Executable:
    """Computes expressions from the values of their leaves with compiled kernels.

    It takes what :class:`scg.engine.interpreter.Interpreter` takes. `sources` are the texts of the
    entries' kernels, or None.
    """

    def __init__(self, outputs: Mapping[Any, Expr], dtype: Any = np.float64):
        self.schedule = schedule = Schedule(outputs, dtype, products=blas.check())
        self.dtype, self.leaves, self.merges = schedule.dtype, schedule.leaves, schedule.merges
        self.code = "f4" if self.dtype == np.float32 else "f8"
        self._products = any(isinstance(entry, Gemm) for entry in schedule.entries)
        steps = [_written(entry, self.code) for entry in schedule.entries]
        self.leaf_keys = keys.leaf_keys([leaf.attrs["name"] for leaf in schedule.noise])
        noise = {leaf: streams.source_of(leaf, self.code) for leaf in schedule.noise}
        helper.prepare([*noise.values(), *self._needed(steps)], blas.threads())
        self._fill = {leaf: native.address(source) for leaf, source in noise.items()}
        self._steps = [_linked(step) for step in steps]
        self.sources = [step.source for step in self._steps]
        self._plans: dict[tuple[int, ...], Table] = {}

    @property
    def source(self) -> str:
        """Text of all distinct kernels."""
        return "\n\n".join(dict.fromkeys(s.source for s in _every(self._steps) if s.source))

    def _needed(self, steps: list[Compiled]) -> list[str]:
        """Sources of the entries' kernels, and of all that tables for any plate sizes need."""
        schedule, every = self.schedule, list(_every(steps))
        found = [step.source for step in every if step.source]
        if any(isinstance(step.entry, Repeat) for step in every):
            found.append(MOVE)
        if any(plate.length is None for plate in schedule.plates):
            loops = [step.entry for step in every if isinstance(step.entry, Loop)]
            found += sorted({source for loop in loops for source in joins_of(loop, self.dtype)})
            found += [join_source(self.code, True)] if self._products else []
            found += stretches.sources(self.code) if schedule.merges else ()
            found += [prefetch.SOURCE] if len(schedule.entries) >= prefetch.FEWEST else []
            found += [keys.SOURCE] if schedule.noise else []
            found += team.SOURCES
        return found

    # --- running --------------------------------------------------------------------------------
    def threads(self) -> int:
        """Number of threads that tables are made for: 1 without matrix products."""
        return blas.threads() if self._products else 1

    def plan(self, sizes: Sizes) -> Table:
        """Table for these plate sizes."""
        schedule = self.schedule
        threads = self.threads()
        key = (threads, *(plate.elements(sizes) for plate in schedule.plates))
        found = self._plans.get(key)
        if found is None:
            for old in list(self._plans)[: 1 - PLANS]:  # other threads may do the same
                self._plans.pop(old, None)
            own = dict(zip(schedule.plates, key[1:], strict=True))
            ports = Ports(schedule, own)
            kept = Uses(tuple(schedule.noise) if schedule.noise_is_read else (), ())
            used = [*schedule.order, kept]
            steps, fill, leaf_keys = self._steps, self._fill, self.leaf_keys
            slots, real = schedule.slots, self.dtype
            kept_zero = schedule.kept
            made = Table(steps, used, slots, fill, leaf_keys, own, real, threads, ports, kept_zero)
            found = self._plans.setdefault(key, made)
        return found

    def connect(self, leaves: Mapping[Expr, Any], sizes: Sizes, drawing: bool) -> Connection:
        """Bind the program to the arrays of a call; see :class:`Connection`."""
        return Connection(self.schedule, self.plan(sizes), leaves, drawing)

    def run(self, leaves: Mapping[Expr, Any], sizes: Sizes) -> dict[Any, Any]:
        """Compute the outputs from an array for each leaf."""
        return self.connect(leaves, sizes, drawing=False).run()

    def profile(
        self, leaves: Mapping[Expr, Any], sizes: Sizes, rounds: int = 20
    ) -> dict[int, Timing]:
        """The timing of each entry by its number."""
        from scg.engine.profile import Timing  # a first call is to be fast

        connection = self.connect(leaves, sizes, drawing=False)
        single, _owned = connection.plan.singly(connection.frame)
        steps = [(stage, connection.caller(what)) for stage, what in single]
        seconds = np.zeros((rounds, len(self.schedule.entries)))
        for turn in range(rounds):
            for stage, call in steps:
                start = time.perf_counter()
                call()
                seconds[turn, stage.number] += time.perf_counter() - start
        rows = np.zeros((len(self.schedule.entries), 2), int)
        for stage, _ in steps:
            count = len(stage.rows) or 1
            rows[stage.number] += count, count if stage.work and count > 1 else 0
        median = np.median(seconds, axis=0).tolist()
        pairs = zip(median, rows.tolist(), strict=True)
        return {i: Timing(s, *counts) for i, (s, counts) in enumerate(pairs)}

    def listing(self) -> list[Line]:
        """Lines of the entries, with the numbers of their kernels."""
        from scg.schedule.listing import listing  # a first call is to be fast

        sources = {step.entry: step.source for step in _every(self._steps)}
        return listing(self.schedule.entries, self.schedule.order, sources)

    def __str__(self) -> str:
        lines = [f"{i:>4}  {line}" for i, line in enumerate(self.listing())]
        sources = {step.source for step in _every(self._steps)}
        distinct, fallbacks = len(sources - {None}), len(self.schedule.fallbacks)
        count = f"{len(lines)} entries, {distinct} kernels, {fallbacks} in NumPy"
        return "\n".join([count, *lines])


def _written(entry: Entry, code: str) -> Compiled:
    """An entry with the source of its kernel, and with those of its body."""
    if isinstance(entry, Loop):
        kernel = generate(entry, code)
        return Compiled(entry, kernel.source, words=kernel.words)
    if isinstance(entry, Gemm):
        return Compiled(entry, blas.source(code))
    if isinstance(entry, Repeat):
        inner = tuple(_written(one, code) for one in entry.schedule.entries)
        return Compiled(entry, TURNS, inner=inner)
    return Compiled(entry)


def _linked(step: Compiled) -> Compiled:
    """An entry with the addresses of its kernels."""
    if step.source is None:
        return step
    inner = tuple(_linked(one) for one in step.inner)
    return step._replace(function=native.address(step.source), inner=inner)


def _every(steps: Iterable[Compiled]) -> Iterator[Compiled]:
    """Entries, and those of their bodies."""
    for step in steps:
        yield step
        yield from _every(step.inner)
