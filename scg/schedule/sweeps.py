"""Sweeps: a program over the steps of a plate, as passes over windows of steps.

Most expressions on the plate of the steps compute a value at a step from values at this step. Loops
lead from step to step, in one direction, and sums over the steps leave the plate. A *sweep* visits
the windows in order or in reverse. It runs loops of its direction from window to window, and adds
up sums. Each sweep computes the values at the steps that it reads again. For a loop that an earlier
sweep ran it starts each window from the carries that the earlier one kept.

A gradient usually takes two sweeps: one forward for the carries, and one in reverse for
costs-to-go, cotangents and sums. One window is in memory at a time, beside the carries between
windows. With windows of √T of T steps both are of order √T.

Source: Chen, Xu, Zhang & Guestrin (2016), "Training deep nets with sublinear memory cost", arXiv
1604.06174, for one chain of layers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from scg.errors import EstimatorError
from scg.ir.expr import Expr, describe
from scg.ir.op import SIZED
from scg.ir.plate import Plate
from scg.ir.walk import rewrite, together, topological
from scg.ops.border import Exprs, place
from scg.schedule.inner import SUMS, obstacle, renamed
from scg.schedule.steps import Steps


class StepWindows(NamedTuple):
    """Windows of some steps of a plate, by default √T of T steps, rounded up.

    Where scans over other plates lie beside those over this one, what is computed before, in and
    after these windows runs in windows of the other steps, `beside`.
    """

    plate: Plate
    steps: int | None = None
    beside: StepWindows | None = None

    def each(self) -> Iterator[StepWindows]:
        """These windows, and those beside."""
        yield self
        if self.beside is not None:
            yield from self.beside.each()

    def length(self, total: int) -> int:
        """Steps of a window."""
        return self.steps or math.isqrt(max(total - 1, 0)) + 1

    def spans(self, total: int) -> list[range]:
        """The steps of each window; the last one may be shorter."""
        length = self.length(total)
        return [range(i, min(i + length, total)) for i in range(0, total, length)]

    def __str__(self) -> str:
        size = "√T" if self.steps is None else str(self.steps)
        plates = " and ".join(repr(one.plate.name) for one in self.each())
        return f"windows of {size} steps of {plates}"


@dataclass
class WindowSweep:
    """A pass over all windows. Expressions have placeholders where a program reads their values.

    Attributes
    ----------
    reverse : bool
        Whether the last window comes first.
    before : dict
        What is computed first, by placeholder: values that windows read, and first carries.
    inside : dict
        What a window computes: carries after it and parts of sums, by placeholder; values at its
        steps, by the expression.
    carries, entered : list
        Placeholders of the carries of loops that the sweep runs, and of those that an earlier one
        ran.
    sums : list
        Placeholders of the sums.
    lasts : dict
        Carries after all steps: their placeholders, and those of the carries.
    sliced : dict
        Leaves and constants at the steps, by placeholder.
    """

    reverse: bool
    before: dict[Expr, Expr] = field(default_factory=dict)
    inside: dict[Expr, Expr] = field(default_factory=dict)
    carries: list[Expr] = field(default_factory=list)
    entered: list[Expr] = field(default_factory=list)
    sums: list[Expr] = field(default_factory=list)
    lasts: dict[Expr, Expr] = field(default_factory=dict)
    sliced: dict[Expr, Expr] = field(default_factory=dict)


class Sweeps:
    """The sweeps that compute outputs over the steps of a plate.

    Attributes
    ----------
    window : Plate
        The plate of a window's steps, which takes the place of the plate `over`.
    passes : list of WindowSweep
        The sweeps in order.
    after : dict
        What is computed after them, by the outputs' keys.
    stacked : dict
        Outputs that have a value for each step, by key; the last sweep computes them.

    Raises
    ------
    EstimatorError
        If an expression needs several steps at once and is not a sum over them.
    """

    def __init__(self, outputs: Mapping[Any, Expr], over: Plate):
        self.over, self.window = over, over.of_length(None)
        self.stacked = {key: e for key, e in outputs.items() if over in e.plates}
        self._outputs = dict.fromkeys(outputs.values())
        order = together(topological(outputs.values()))
        self._groups = [one for e in order for one in ([e] if self._is_loop(e[0]) else zip(e))]
        for results in self._groups:
            self._check(results[0])
        first = self._first()
        self._count = max((first[e] + self._is_on(e) for e in self._outputs), default=0)
        self._turns = self._joined(self._last())
        self._fixed = self._constant()
        self._serial = itertools.count()
        self._loop_of: dict[Expr, Exprs] = {}
        self._carries: dict[Exprs, dict[int, Expr]] = {}
        self._ends: dict[Exprs, dict[int, Expr]] = {}
        for results in self._groups:
            if self._is_loop(one := results[0]):
                carried = Steps(results).carried
                self._carries[results] = {i: self._new(one.args[i], "carry") for i in carried}
                self._ends[results] = ends = {i: _end(one, i) for i in carried}
                self._loop_of |= dict.fromkeys((*results, *ends.values()), results)
        #: The placeholders of values that are known after the sweeps so far.
        self._known: dict[Expr, Expr] = {}
        sweeps = map(self._sweep, range(self._count))
        self.passes = [sweep for sweep in sweeps if sweep.inside]
        self.after = self._outside({k: e for k, e in outputs.items() if k not in self.stacked})

    @property
    def ways(self) -> str:
        """How often windows are visited, and in which order."""
        ways = ", ".join(_way(sweep) for sweep in self.passes)
        several = "" if len(self.passes) == 1 else "s"
        return f"{len(self.passes)} sweep{several} ({ways})" if ways else "no sweep"

    def __str__(self) -> str:
        lines = [f"{self.ways} over windows of the steps of {self.over.name!r}"]
        for number, sweep in enumerate(self.passes, 1):
            inside = sum(1 for e in topological(sweep.inside.values()) if e.args)
            counts = f"operations {inside}, carries {len(sweep.carries)}, sums {len(sweep.sums)}"
            lines.append(f"{number:>4}  {_way(sweep):<12}{counts}")
        return "\n".join(lines)

    # --- kinds of expressions ---------------------------------------------------------------------
    def _is_on(self, expr: Expr) -> bool:
        return self.over in expr.plates

    def _is_loop(self, expr: Expr) -> bool:
        return expr.op.loop is not None and expr.attrs["along"] is self.over

    def _is_sum(self, expr: Expr) -> bool:
        return not self._is_on(expr) and any(map(self._is_on, expr.args))

    def _check(self, expr: Expr) -> None:
        if self._is_loop(expr):
            return
        on = self._is_on(expr)
        single = any(value is self.over for value in expr.attrs.values())
        if expr.op.loop is None:
            held = None if expr.op in SUMS or not self._is_sum(expr) else expr
        else:
            held = obstacle(expr, self.over)
        if (single and (on or expr.args)) or held is not None:
            what = f"{describe(expr)}{f', for {expr.origin},' if expr.origin.name else ''}"
            raise EstimatorError(
                f"checkpoint: {what} needs all steps of {self.over.name!r} at once. Windows of "
                "steps allow scans over this plate and sums; leave checkpoint out"
            )

    def _constant(self) -> set[Expr]:
        """Expressions of constants and sizes alone, which each program computes by itself."""
        found: set[Expr] = set()
        for results in self._groups:
            one = results[0]
            if one.op.loop is None and not self._is_on(one):
                given = one.value is not None or one.op in SIZED
                if given or (one.args and all(arg in found for arg in one.args)):
                    found.add(one)
        return found

    # --- when -------------------------------------------------------------------------------------
    def _first(self) -> dict[Expr, int]:
        """The first sweep that can read each expression. Sweeps of even number are forward."""
        found: dict[Expr, int] = {}
        for results in self._groups:
            one = results[0]
            turn = max((found[arg] for arg in one.args), default=0)
            if self._is_loop(one):
                turn += turn % 2 != one.attrs["reverse"]
                found |= {r: turn + (not self._is_on(r)) for r in results}
            else:
                found[one] = turn + self._is_sum(one)
        return found

    def _last(self) -> dict[Exprs, int]:
        """The sweep that runs each loop and adds up each sum: the last one that is early enough."""
        due = {e: self._count - self._is_on(e) for e in self._outputs}
        found: dict[Exprs, int] = {}
        for results in reversed(self._groups):
            one = results[0]
            turn = due[one]
            if self._is_loop(one):
                turn = min(due[r] - (not self._is_on(r)) for r in results)
                found[results] = turn = turn - (turn % 2 != one.attrs["reverse"])
            elif self._is_sum(one):
                found[results] = turn = turn - 1
            for arg in one.args:
                due[arg] = min(due.get(arg, turn), turn)
        return found

    def _joined(self, turns: dict[Exprs, int]) -> dict[Exprs, int]:
        """Turns in which each sum is in the last sweep with loops that can add it up, if any."""
        loops = sorted({t for results, t in turns.items() if self._is_loop(results[0])})
        ready: dict[Expr, int] = {}
        for results in self._groups:
            turn = max((ready[arg] for arg in results[0].args), default=0)
            if results in turns:
                last = turns[results]
                turns[results] = turn = max((t for t in loops if turn <= t <= last), default=last)
            ready |= {r: turn + (results in turns and not self._is_on(r)) for r in results}
        return turns

    # --- what -------------------------------------------------------------------------------------
    def _outside(self, goals: Mapping[Any, Expr]) -> dict[Any, Expr]:
        """Expressions that are not at the steps, of leaves and of what is known."""
        env = dict(self._known)
        rewrite(topological(goals.values(), known=env), env)
        return {key: env[goal] for key, goal in goals.items()}

    def _sweep(self, turn: int) -> WindowSweep:
        sweep = WindowSweep(turn % 2 == 1)
        now = [results for results, own in self._turns.items() if own == turn]
        runs = [results for results in now if self._is_loop(results[0])]
        goals: dict[Expr, Expr] = {}
        for results in runs:
            goals |= {here: self._ends[results][i] for i, here in self._carries[results].items()}
        sweep.carries = list(goals)
        sums = {one: self._new(one, "sum") for (one, *_) in now if not self._is_loop(one)}
        goals |= {here: one for one, here in sums.items()}
        sweep.sums = list(sums.values())
        if turn == self._count - 1:
            goals |= {e: e for e in self.stacked.values()}
        read = self._window(sweep, goals)
        begin = {here: one[0].args[i] for one in runs for i, here in self._carries[one].items()}
        sweep.before = self._outside({here: e for e, here in read.items()} | begin)
        self._known |= read | sums
        for results in runs:
            for e in results:
                if not self._is_on(e):
                    self._known[e] = here = self._new(e, "last")
                    sweep.lasts[here] = self._carries[results][e.attrs["last"]]
        return sweep

    def _window(self, sweep: WindowSweep, goals: Mapping[Expr, Expr]) -> dict[Expr, Expr]:
        """Let windows compute `goals`; return placeholders of the values that they still need."""
        env: dict[Expr, Expr] = {}
        read: dict[Expr, Expr] = {}

        def value(arg: Expr) -> Expr:
            if arg in env:
                return env[arg]
            if not arg.args or arg in self._fixed:
                return arg
            if arg in self._known:
                return self._known[arg]
            if arg not in read:
                read[arg] = self._new(arg, "value")
            return read[arg]

        entered: dict[Expr, None] = {}
        whole = {e for group in self._groups for e in group if not self._is_on(e)}
        outside = whole.difference(goals.values())
        for expr in topological(goals.values(), known=outside):
            expr.graph.origin = expr.origin
            if not expr.args:
                env[expr] = here = self._new(expr, expr.name or "constant")
                sweep.sliced[here] = expr
                continue
            carries = self._carries.get(self._loop_of.get(expr, ()), {})
            entered.update(dict.fromkeys(carries.values()))
            args = [carries[i] if i in carries else value(x) for i, x in enumerate(expr.args)]
            attrs = {name: renamed(a, self.over, self.window) for name, a in expr.attrs.items()}
            env[expr] = expr.op.build(expr.graph, tuple(args), attrs)
        sweep.inside = {here: env[goal] for here, goal in goals.items()}
        sweep.entered = list(entered.keys() - {*sweep.carries})
        return read

    def _new(self, expr: Expr, what: str) -> Expr:
        """A placeholder for a value, or for its slice; windows beside have others."""
        number = f"{what}#{next(self._serial)} by {self.over.name}"
        return place(expr.graph, expr, renamed(expr.plates, self.over, self.window), number)


def swept(outputs: Mapping[Any, Expr], windows: StepWindows) -> Sweeps:
    """The sweeps over these windows.

    Raises
    ------
    EstimatorError
        If these sweeps, or their parts in the windows beside, need several steps at once.
    """
    sweeps = Sweeps(outputs, windows.plate)
    if windows.beside is not None:
        for part in (*((s.before, s.inside) for s in sweeps.passes), (sweeps.after,)):
            for program in part:
                swept(program, windows.beside)
    return sweeps


def _end(loop: Expr, number: int) -> Expr:
    """The last value of a carry of a loop, of which an expression is a result."""
    body = replace(loop.attrs["body"], outputs=())
    attrs = {**loop.attrs, "body": body, "last": number}
    return loop.op.build(loop.graph, loop.args, attrs)


def _way(sweep: WindowSweep) -> str:
    return "in reverse" if sweep.reverse else "forward"
