"""The schedule: which entries run, in which order, on which arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ir.op import NOISE, SIZED
from scg.ir.walk import everywhere, topological
from scg.schedule.clear import keep_zeros
from scg.schedule.entries import Entry, Fallback, Loop, Repeat, uses
from scg.schedule.fuse import fuse
from scg.schedule.lift import is_mean_alone
from scg.schedule.lower import lower, owned
from scg.schedule.order import order
from scg.schedule.sources import sources
from scg.schedule.stack import stack
from scg.schedule.views import is_whole


class Schedule:
    """A lowered program: entries in the order in which they run; ``print`` it.

    Without `products`, because the engine has no matrix products, contractions are loops. If
    `apart`, each output has an array of its own.

    Attributes
    ----------
    entries, order : list
        Loop nests, matrix products and users' ops in order, and the arrays that each one uses.
    slots : dict
        Numbers of the arrays that callers bring or receive.
    leaves, noise, constants : dict
        Slots of the leaves and of the noise among them; arrays of constants by slot.
    results : list of Expr
        The arrays that callers receive; they have the last slots.
    fallbacks : list of str
        Names of the users' ops, which Python computes.
    """

    def __init__(
        self,
        outputs: Mapping[Any, Expr],
        dtype: Any = np.float64,
        products: bool = True,
        apart: bool = False,
    ):
        self.dtype = np.dtype(dtype)
        self.declared = dict(outputs)
        self.outputs, self.views = lower(outputs, products=products)
        if apart:
            self.outputs = owned(self.outputs, self.views)
        fused = [self._nested(entry, products) for entry in fuse(self.outputs, self.views)]
        entries = stack(fused, self.outputs, self.views)
        kept = {self.views[expr].base for expr in self.outputs.values()}
        used = [uses(entry, self.views) for entry in entries]
        turns = order(used, kept)
        self.entries: list[Entry] = [entries[turn] for turn in turns]
        self.order = [used[turn] for turn in turns]
        #: Arrays that hold zeros before and after each run.
        self.kept: list[Expr] = []
        for loop, use in [] if apart else keep_zeros(self.entries, kept):
            self.entries.append(loop)
            self.order.append(use)
            self.kept.append(loop.items[0].to.base)
        self.fallbacks = [e.expr.op.name for e in self.entries if isinstance(e, Fallback)]
        self._give_slots()
        self.noise = {leaf: slot for leaf, slot in self.leaves.items() if leaf.op is NOISE}
        self.noise_slots = np.array(list(self.noise.values()), np.intp)

    def _nested(self, entry: Entry, products: bool) -> Entry:
        """The entry; a loop gets the schedule of its body, unless Python computes a part of it."""
        if not isinstance(entry, Repeat):
            return entry
        entry.schedule = Schedule(entry.steps.outputs, self.dtype, products, apart=True)
        return Fallback(entry.exprs) if entry.schedule.fallbacks else entry

    def _give_slots(self) -> None:
        below = topological(self.outputs.values())
        leaves, constants = sources(below, self.dtype)
        self.slots: dict[Expr, int] = {expr: i for i, expr in enumerate((*leaves, *constants))}
        self.leaves = {leaf: self.slots[leaf] for leaf in leaves}
        self.constants = {self.slots[expr]: array for expr, array in constants.items()}
        written = {base for use in self.order for base in use.written}
        bases = dict.fromkeys(self.views[expr].base for expr in self.outputs.values())
        #: True if noise must be readable from Python (fallback ops, error reports, outputs).
        self.noise_is_read = self._may_fail() or any(base.op is NOISE for base in bases)
        self.results = [base for base in bases if base in written]
        for base in self.results:
            self.slots[base] = len(self.slots)
        #: Outputs, and the slots of those that are whole arrays of their own; others are copied.
        self.finals: dict[Any, tuple[Expr, int | None]] = {}
        free = {*self.results}.difference(self.outputs.values())
        for key, expr in self.outputs.items():
            base = self.views[expr].base
            own = expr in written or (base in free and is_whole(self.views[expr], expr))
            free.discard(base)
            self.finals[key] = expr, self.slots[base] if own else None
        spread = [key for key in self.finals if ("spread", key) in self.finals]
        names = [name for key in spread for name in (key, ("spread", key))]
        names += filter(is_mean_alone, self.finals)
        kept = all(self.finals[name][1] is not None for name in names)
        #: Whether kernels compute all moments, each in an array of its own, as stretches need.
        self.merges = bool(names) and kept and not self.fallbacks
        every = list(everywhere(self.outputs.values()))
        self.plates = sorted(
            {plate for expr in every for plate in expr.plates}
            | {expr.attrs["plate"] for expr in every if expr.op in SIZED}
            | {expr.attrs["along"] for expr in every if expr.op.loop is not None},
            key=lambda plate: plate.serial,
        )

    def _may_fail(self) -> bool:
        loops = [entry for entry in self.entries if isinstance(entry, Loop)]
        rows = any(i.kind == "row" for loop in loops for i in loop.items)
        return bool(self.fallbacks) or rows or any(body._may_fail() for body in self.bodies)

    @property
    def bodies(self) -> list[Schedule]:
        """The schedules of loops' bodies."""
        return [entry.schedule for entry in self.entries if isinstance(entry, Repeat)]

    def __str__(self) -> str:
        from scg.schedule.listing import listing  # a first call is to be fast

        lines = [f"{i:>4}  {line}" for i, line in enumerate(listing(self.entries, self.order))]
        return "\n".join([f"{len(lines)} entries, {len(self.fallbacks)} in NumPy", *lines])
