"""The executable: a lowered program, its kernels, and the driver that walks their table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.codegen import native
from scg.engine.codegen.kernels import Word, generate
from scg.engine.interpreter import Sizes, elements
from scg.engine.noise import keys, streams
from scg.engine.table import prefetch, table
from scg.engine.table.buffers import Uses, type_of, uses
from scg.engine.table.order import order
from scg.engine.table.parts import joins_of
from scg.engine.table.plan import Plan
from scg.engine.walk import blas, stretches, team
from scg.engine.walk.connection import Connection, Ports
from scg.ir import collector
from scg.ir.expr import Expr
from scg.ir.walk import topological
from scg.schedule.fuse import Fallback, Gemm, Loop, fuse
from scg.schedule.lower import lower
from scg.schedule.stack import stack

#: Tables that are kept, one for each combination of plate sizes and threads.
PLANS = 8


class Executable:
    """Computes expressions from the values of their leaves with compiled kernels.

    Parameters
    ----------
    outputs : mapping
        Expressions by key, without stochastic nodes.
    dtype : numpy dtype
        The type of all floats, float64 or float32.

    Attributes
    ----------
    entries : list
        Loop nests, matrix products and the user's own ops, in order.
    fallbacks : list of str
        Names of the user's own ops, which Python computes.
    """

    @collector.paused()
    def __init__(self, outputs: Mapping[Any, Expr], dtype: Any = np.float64):
        self.dtype = np.dtype(dtype)
        self.code = "f4" if self.dtype == np.float32 else "f8"
        self.declared = dict(outputs)
        self.outputs, self.views = lower(outputs, products=blas.check())
        entries = stack(fuse(self.outputs, self.views), self.outputs, self.views)
        kept = {self.views[expr].base for expr in self.outputs.values()}
        used = [uses(entry, self.views) for entry in entries]
        turns = order(used, kept)
        self.entries = entries = [entries[turn] for turn in turns]
        self.order = [used[turn] for turn in turns]
        self.fallbacks = [e.expr.op.name for e in entries if isinstance(e, Fallback)]
        self._products = any(isinstance(entry, Gemm) for entry in entries)
        self._leaves_and_results()
        self.sources: list[str | None] = []
        self._steps: list[tuple[Any, int | None, tuple[Word, ...]]] = []
        for entry in entries:
            source, words = self._source(entry)
            self.sources.append(source)
            self._steps.append((entry, native.address(source) if source else None, words))
        self.noise = {leaf: slot for leaf, slot in self.leaves.items() if leaf.op.name == "noise"}
        self.leaf_keys = keys.leaf_keys([leaf.attrs["name"] for leaf in self.noise])
        self.noise_slots = np.array(list(self.noise.values()), np.intp)
        self._fill = {
            leaf: native.address(streams.source_of(leaf, self.code)) for leaf in self.noise
        }
        if any(plate.length is None for plate in self.plates):  # no size compiles anything later
            loops = [entry for entry in entries if isinstance(entry, Loop)]
            joins = {source for loop in loops for source in joins_of(loop, self.dtype)}
            merges = stretches.sources(self.code) if self.merges else ()
            ahead = (prefetch.SOURCE,) if len(entries) >= prefetch.FEWEST else ()
            hashing = (keys.SOURCE,) if self.noise else ()
            for source in (*team.SOURCES, *hashing, *merges, *ahead, *sorted(joins)):
                native.address(source)
        self._plans: dict[tuple[int, ...], Plan] = {}

    def _leaves_and_results(self) -> None:
        """Give every array from outside, or going there, a slot."""
        self.leaves: dict[Expr, int] = {}
        self.constants: dict[int, np.ndarray] = {}
        self.slots: dict[Expr, int] = {}
        for expr in topological(self.outputs.values()):
            if not expr.args:
                slot = self.slots[expr] = len(self.slots)
                if expr.value is None:
                    self.leaves[expr] = slot
                else:
                    array = np.ascontiguousarray(expr.value, type_of(expr, self.dtype))
                    self.constants[slot] = array.reshape(expr.value.shape)
        written = {base for use in self.order for base in use.written}
        bases = dict.fromkeys(self.views[expr].base for expr in self.outputs.values())
        #: Whether somebody else than kernels reads noise: NumPy, which also explains failures, or
        #: who asked for the outputs.
        self.noise_is_read = self._may_fail() or any(b.op.name == "noise" for b in bases)
        self.results = [base for base in bases if base in written]
        for base in self.results:
            self.slots[base] = len(self.slots)
        #: Outputs, and the slots of those that are arrays of their own, not views.
        self.finals = {
            key: (expr, self.slots[expr] if expr in written else None)
            for key, expr in self.outputs.items()
        }
        spread = [key for key in self.finals if ("spread", key) in self.finals]
        moments = (self.finals[name] for key in spread for name in (key, ("spread", key)))
        kept = all(slot is not None for _, slot in moments)
        #: Whether kernels alone compute moments, each to an array of its own, as stretches need.
        self.merges = bool(spread) and kept and not self.fallbacks
        self.plates = sorted(
            {p for e in topological(self.outputs.values()) for p in e.plates}
            | {e.attrs["plate"] for e in self.leaves if e.op.name == "plate_size"},
            key=lambda plate: plate.serial,
        )

    def _may_fail(self) -> bool:
        loops = [entry for entry in self.entries if isinstance(entry, Loop)]
        return bool(self.fallbacks) or any(i.kind == "row" for loop in loops for i in loop.items)

    def _source(self, entry: Any) -> tuple[str | None, tuple[Word, ...]]:
        if isinstance(entry, Loop):
            kernel = generate(entry, self.code)
            return kernel.source, kernel.words
        if isinstance(entry, Gemm):
            return blas.SOURCE.replace("{code}", self.code), ()
        return None, ()

    @property
    def source(self) -> str:
        """The text of all distinct kernels."""
        return "\n\n".join(dict.fromkeys(text for text in self.sources if text))

    # --- running --------------------------------------------------------------------------------
    def threads(self) -> int:
        """Return the number of threads that tables are made for: that of products, if any."""
        return blas.threads() if self._products else 1

    def plan(self, sizes: Sizes) -> Plan:
        """Return the table for these sizes of the plates."""
        threads = self.threads()
        key = (threads, *(elements(plate, sizes) for plate in self.plates))
        found = self._plans.get(key)
        if found is None:
            for old in list(self._plans)[: 1 - PLANS]:  # other threads may do the same
                self._plans.pop(old, None)
            own = dict(zip(self.plates, key[1:], strict=True))
            ports = Ports(self, own)
            kept = Uses(tuple(self.noise) if self.noise_is_read else (), ())
            used = [*self.order, kept]
            steps, fill, leaf_keys = self._steps, self._fill, self.leaf_keys
            made = Plan(steps, used, ports, fill, leaf_keys, own, self.dtype, threads)
            found = self._plans.setdefault(key, made)
        return found

    def connect(self, leaves: Mapping[Expr, Any], sizes: Sizes, drawing: bool) -> Connection:
        """Tie the program to the arrays of a call; see :class:`Connection`."""
        return Connection(self, leaves, sizes, drawing)

    def run(self, leaves: Mapping[Expr, Any], sizes: Sizes) -> dict[Any, Any]:
        """Compute the outputs, given an array for each expression of :attr:`leaves`."""
        return self.connect(leaves, sizes, drawing=False).run()

    def profile(
        self, leaves: Mapping[Expr, Any], sizes: Sizes, rounds: int = 20
    ) -> dict[int, tuple[float, int]]:
        """Return, for each entry, the median seconds and the number of its rows in the table."""
        connection = self.connect(leaves, sizes, drawing=False)
        single, _owned = connection.plan.singly(connection.frame)
        steps = [(number, rows, connection.caller(what)) for number, rows, what in single]
        seconds = np.zeros((rounds, len(self.entries)))
        for turn in range(rounds):
            for number, _, call in steps:
                start = time.perf_counter()
                call()
                seconds[turn, number] += time.perf_counter() - start
        rows = np.zeros(len(self.entries), int)
        for number, count, _ in steps:
            rows[number] += count
        median = np.median(seconds, axis=0).tolist()
        return {i: (s, n) for i, (s, n) in enumerate(zip(median, rows.tolist(), strict=True))}

    def __str__(self) -> str:
        return table.text(self)
