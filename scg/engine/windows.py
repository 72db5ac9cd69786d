"""The engine of windows: runs a program's sweeps, each window with another engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.engine.profile import Timing
from scg.ir.expr import Expr
from scg.ir.walk import topological
from scg.schedule.listing import Line
from scg.schedule.sources import sources, type_of
from scg.schedule.sweeps import StepWindows, Sweeps, WindowSweep

Outputs = Mapping[Any, Expr]


class Windowed:
    """Computes expressions from the values of their leaves, a window of steps at a time.

    Use it where the steps of a run do not fit into memory. The value of a leaf at the steps is an
    array, or a function from a range of steps to their values.

    Parameters
    ----------
    outputs, dtype
        Those of :class:`scg.engine.interpreter.Interpreter`.
    make : callable
        Function from outputs and a dtype to an engine, which computes a window or what is outside
        of windows.
    windows : StepWindows
        The plate of the steps, and the length of a window.

    Raises
    ------
    EstimatorError
        If an expression needs several steps at once and is not a sum over them.
    """

    def __init__(
        self,
        outputs: Outputs,
        dtype: Any,
        make: Callable[[Outputs, Any], Any],
        windows: StepWindows,
    ):
        self.dtype, self.windows, self.outputs = np.dtype(dtype), windows, dict(outputs)
        self.sweeps = Sweeps(outputs, windows.plate)
        if windows.beside is not None:
            make = partial(Windowed, make=make, windows=windows.beside)
        self.leaves, self.constants = sources(topological(outputs.values()), self.dtype)

        def made(exprs: Outputs) -> Any:
            return make(exprs, self.dtype) if exprs else None

        #: For each sweep the engine of what comes first, and that of a window.
        self.engines = [(made(s.before), made(s.inside)) for s in self.sweeps.passes]
        self.after = made(self.sweeps.after)
        #: Carries of which the values at all borders are kept, because a later sweep enters there.
        self.kept = {here for s in self.sweeps.passes for here in s.entered}

    def run(self, leaves: Mapping[Expr, Any], sizes: Sizes) -> dict[Any, Any]:
        """Compute the outputs from the value of each leaf, and the sizes of plates."""
        return _Run(self, leaves, sizes, _run).outputs()

    # --- products ---------------------------------------------------------------------------------
    @property
    def parts(self) -> list[tuple[str, Any]]:
        """The engines in the order in which they first run, each with its place in words."""
        found = []
        for number, pair in enumerate(self.engines, 1):
            names = f"before sweep {number}", f"in sweep {number}"
            found += list(zip(names, pair, strict=True))
        return [(name, one) for name, one in (*found, ("at the end", self.after)) if one]

    @property
    def source(self) -> str:
        """Text of all distinct kernels."""
        texts = (getattr(one, "source", "") for _, one in self.parts)
        return "\n\n".join(dict.fromkeys(text for text in texts if text))

    def listing(self) -> list[Line]:
        """Lines of the entries of all engines."""
        return [
            replace(line, space=f"{line.space} {name}")
            for name, one in self.parts
            for line in one.listing()
        ]

    def profile(
        self, leaves: Mapping[Expr, Any], sizes: Sizes, rounds: int = 20
    ) -> dict[int, Timing]:
        """The timing of each entry, added up over windows, by its number."""
        found = {id(one): dict[int, Timing]() for _, one in self.parts}

        def timed(engine: Any, values: Mapping[Expr, Any], own: Sizes) -> dict[Any, Any]:
            total = found[id(engine)]
            for number, timing in engine.profile(values, own, rounds).items():
                before = total.get(number, Timing())
                total[number] = Timing(
                    before.seconds + timing.seconds,
                    before.rows + timing.rows,
                    before.shared + timing.shared,
                )
            return engine.run(values, own)

        _Run(self, leaves, sizes, timed).outputs()
        starts = accumulate((len(one.listing()) for _, one in self.parts), initial=0)
        return {
            start + number: times
            for start, (_, one) in zip(starts, self.parts, strict=False)
            for number, times in found[id(one)].items()
        }

    def __str__(self) -> str:
        return "\n\n".join([str(self.sweeps), *(f"{name}:\n{one}" for name, one in self.parts)])


def _run(engine: Any, values: Mapping[Expr, Any], sizes: Sizes) -> dict[Any, Any]:
    return engine.run(values, sizes)


class _Run:
    """One run of all sweeps. `run` is how it lets an engine compute."""

    def __init__(
        self,
        engine: Windowed,
        leaves: Mapping[Expr, Any],
        sizes: Sizes,
        run: Callable[[Any, Mapping[Expr, Any], Sizes], dict[Any, Any]],
    ):
        self.engine, self.sizes, self.run = engine, sizes, run
        self.spans = engine.windows.spans(engine.windows.plate.elements(sizes))
        self.values = dict(leaves)
        #: Carries as each window is entered.
        self.entries: list[dict[Expr, Any]] = [{} for _ in self.spans]
        own = engine.sweeps.stacked.values()
        self.stacked = {e: np.empty(full(e, sizes), type_of(e, engine.dtype)) for e in own}

    def outputs(self) -> dict[Any, Any]:
        """The outputs by key."""
        engine = self.engine
        for sweep, (before, inside) in zip(engine.sweeps.passes, engine.engines, strict=True):
            self._sweep(sweep, before, inside)
        stacked = {key: self.stacked[e] for key, e in engine.sweeps.stacked.items()}
        return stacked | self._computed(engine.after)

    def _computed(self, engine: Any) -> dict[Any, Any]:
        """What an engine computes outside of windows."""
        if engine is None:
            return {}
        return self.run(engine, _of(engine, self.values), self.sizes)

    def _sweep(self, sweep: WindowSweep, before: Any, inside: Any) -> None:
        self.values |= {here: np.array(x) for here, x in self._computed(before).items()}
        carry = {here: self.values.pop(here) for here in sweep.carries}
        sums: dict[Expr, Any] = {}
        for i in range(len(self.spans))[:: -1 if sweep.reverse else 1]:
            span = self.spans[i]
            self.entries[i] |= {here: x for here, x in carry.items() if here in self.engine.kept}
            given = self.values | {here: self.entries[i][here] for here in sweep.entered} | carry
            given |= {here: self._slice(e, span) for here, e in sweep.sliced.items()}
            sizes = {**self.sizes, self.engine.sweeps.window: len(span)}
            found = self.run(inside, _of(inside, given), sizes)
            carry = {here: np.array(found[here]) for here in sweep.carries}
            for here in sweep.sums:
                if here in sums:
                    sums[here] += found[here]
                else:
                    sums[here] = np.array(found[here])
            for e, whole in self.stacked.items():
                if e in found:
                    whole[self._index(e, span)] = found[e]
        self.values |= sums | {here: carry[own] for here, own in sweep.lasts.items()}

    def _slice(self, leaf: Expr, span: range) -> Any:
        """The value of a leaf or a constant at some steps."""
        constants = self.engine.constants
        value = constants[leaf] if leaf in constants else self.values[leaf]
        return value(span) if callable(value) else value[self._index(leaf, span)]

    def _index(self, expr: Expr, span: range) -> Any:
        axis = expr.plates.index(self.engine.sweeps.over)
        return (*(slice(None),) * axis, slice(span.start, span.stop))


def _of(engine: Any, values: Mapping[Expr, Any]) -> dict[Expr, Any]:
    """The values of an engine's leaves."""
    return {leaf: values[leaf] for leaf in engine.leaves if leaf in values}
