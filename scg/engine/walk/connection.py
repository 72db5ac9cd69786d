"""A connection: an executable bound to arrays and to a frame of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scg.engine.interpreter import Interpreter, full, kernel_of
from scg.engine.table.frame import Caller
from scg.engine.table.table import Table
from scg.ir.expr import Expr
from scg.schedule.entries import Fallback
from scg.schedule.schedule import Schedule
from scg.schedule.views import View, is_whole
from scg.seeds.noise import seed_word


class Connection:
    """A schedule bound to the arrays of a call, and to a frame of its table.

    `leaves` has an array for each leaf but plate sizes. An array that is C-contiguous and has the
    leaf's type is read in place. If the connection is `drawing`, each run samples the noise of a
    seed, and `leaves` need not hold noise. Every run overwrites the `outputs`.
    """

    def __init__(self, schedule: Schedule, plan: Table, leaves: Mapping[Expr, Any], drawing: bool):
        self.schedule, self.plan = schedule, plan
        self.arrays, self.at = plan.ports.open(leaves, drawing)
        self.frame = frame = plan.frame()
        self._seed = frame.seed
        self._drawing, self._first = drawing, -1
        if drawing:
            self.at[schedule.noise_slots] = frame.noise_at
            for slot, array in plan.noise_arrays(frame) if schedule.noise_is_read else ():
                self.arrays[slot] = array
        plan.connect(frame, self.at)
        self._calls = [self.caller(w) for w in plan.callers(frame, drawing)]
        self.outputs: dict[Any, Any] = {}
        self._views: list[tuple[Any, np.ndarray]] = []
        for key, (expr, slot) in schedule.finals.items():
            if slot is None:
                view = self.view(expr)
                self._views.append((key, view))
                self.outputs[key] = np.empty(view.shape, view.dtype)
            else:
                self.outputs[key] = self.arrays[slot].reshape(full(expr, plan.sizes))

    def run(self, seed: Any = None, first_run: int = 0) -> dict[Any, np.ndarray]:
        """Run, on the noise of a seed if the connection samples; return :attr:`outputs`."""
        if self._drawing:
            self._seed[0], self._seed[1] = seed_word(seed)
            if first_run != self._first:
                self.frame.first_run[...] = self._first = first_run
        try:
            for call in self._calls:
                if call():
                    self.explain()
                    raise IndexError("an index is out of bounds")
        except BaseException:
            self.plan.restore(self.frame)
            raise
        return self.results() if self._views else self.outputs

    def results(self) -> dict[Any, np.ndarray]:
        """Outputs of the last run."""
        # Copies, because views would show the caller's arrays, or noise of the frame.
        for key, array in self._views:
            np.copyto(self.outputs[key], array)
        return self.outputs

    def explain(self) -> None:
        """Raise the interpreter's error; kernels only report that an index is wrong."""
        if self._drawing:
            for slot, array in self.plan.noise_arrays(self.frame):
                self.arrays[slot] = array
        schedule = self.schedule
        leaves = {leaf: self.arrays[slot] for leaf, slot in schedule.leaves.items()}
        Interpreter(schedule.declared, schedule.dtype).run(leaves, self.plan.sizes)

    def caller(self, what: Caller) -> Callable[[], Any]:
        """Function that runs stages, or an op; its result is true after a failure."""
        return Python(self, what) if isinstance(what, Fallback) else what

    def view(self, expr: Expr) -> np.ndarray:
        """Array of an expression."""
        view = self.schedule.views[expr]
        slot = self.plan.ports.slots.get(view.base)
        base = self.plan.array(self.frame, view.base) if slot is None else self.arrays[slot]
        if is_whole(view, expr) and view.base is expr:
            return base
        return strided(base, view, expr, self.plan)

    def __del__(self) -> None:
        if "frame" in self.__dict__:
            self.plan.frames.append(self.frame)


class Python:
    """An op that NumPy computes on the arrays of a connection."""

    def __init__(self, connection: Connection, entry: Fallback):
        self._rule = kernel_of(entry.exprs, connection.plan.real)
        self._sizes = connection.plan.sizes
        args = entry.args
        self._args = [connection.view(x) if x in args else None for x in entry.expr.args]
        self._targets = [connection.view(expr) for expr in entry.exprs]

    def __call__(self) -> None:
        """Compute the op."""
        with np.errstate(all="ignore"):
            found = self._rule(self._sizes, *self._args)
        for target, array in zip(self._targets, found, strict=True):
            target[...] = array


def strided(array: np.ndarray, view: View, expr: Expr, plan: Table) -> np.ndarray:
    """View of an expression as an array, in which repeated axes have a step of zero."""
    base, item = view.base, array.itemsize
    steps = dict(zip(base.plates, array.strides, strict=False))
    strides = [steps.get(plate, 0) for plate in expr.plates]
    strides += [item * s for s in view.strides]
    # An ndarray begins where its buffer does: step to the event's offset by hand.
    flat = array.reshape(-1)[view.offset :]
    return np.lib.stride_tricks.as_strided(flat, full(expr, plan.sizes), strides)
