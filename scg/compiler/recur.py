"""Recur: the loops of a run of a graph, in which each carry becomes what it is before each step.

A run puts expressions of parameters, data and noise in the place of declared ones. What a cell
declares lives on the plate of its scan, for all steps at once, and so do its values in a run, once
the carry before each step is known. A loop computes this carry, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scg.errors import CompilerError
from scg.graph.scan import CARRY, Scan, end_of
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate, ordered
from scg.ir.walk import rewrite, topological
from scg.ops.base import broadcast
from scg.ops.body import closed, place
from scg.ops.reductions import expand
from scg.ops.scan import scan

#: What a stochastic node is in a run, given what its parents are.
Value = Callable[[StochasticNode, dict[Expr, Expr]], Expr]


class NeedsSteps(Exception):
    """Raised where an estimator must look at the steps of a scan one by one."""


def run(
    order: Iterable[Expr], env: dict[Expr, Expr], value: Value, ahead: Value | None = None
) -> None:
    """Put expressions in the place of declared ones, which `env` maps to them.

    Inside a loop, `ahead` says what a stochastic node is; by default it is `value`.
    """
    for expr in order:
        if expr in env:
            continue
        if isinstance(expr, StochasticNode):
            env[expr] = value(expr, env)
        elif expr.op is CARRY:
            made = expr.graph.scans[expr.attrs["scan"]]  # pyright: ignore[reportAttributeAccessIssue]
            env |= _carried(made, env, ahead or value)
        else:
            rewrite((expr,), env)


def _carried(made: Scan, env: Mapping[Expr, Expr], value: Value) -> dict[Expr, Expr]:
    """The carries of a scan before each step, and after the last one."""
    order = topological(made.news, known=env)
    inits = [leaf.args[0] for leaf in made.carries]
    before = dict(env)
    run(topological(inits, known=before), before, value)
    plates = [
        ordered((*leaf.plates, *before[init].plates))
        for leaf, init in zip(made.carries, inits, strict=True)
    ]
    while True:
        places = [place(x.graph, x, on) for x, on in zip(made.carries, plates, strict=True)]
        inside = before | dict(zip(made.carries, places, strict=True))
        run(order, inside, value)
        news = [inside[new] for new in made.news]
        wide = [ordered((*new.plates, *on)) for new, on in zip(news, plates, strict=True)]
        if wide == plates:
            break
        plates = wide
    step = _Step(made.plate, places)
    carry = tuple(step(x) for x in places)
    after = tuple(map(step, news))
    steps = step.slices
    body, constants = closed(carry, tuple(steps.values()), after, carry)
    begin = [
        expand(before[init], inner.plates, inner.shape)
        for init, inner in zip(inits, carry, strict=True)
    ]
    last, stacked = scan(body, tuple(begin), tuple(steps), constants, made.plate, made.reverse)
    found = dict(zip(made.carries, stacked, strict=True))
    return found | {end_of(made, i): x for i, x in enumerate(last)}


class _Step:
    """Takes what depends on the carry off the plate of the steps: it is the body of the loop.

    `slices` maps what it reads of the steps, for all of them, to the placeholder of a slice.
    """

    def __init__(self, plate: Plate, places: list[Expr]):
        self.plate = plate
        self.slices: dict[Expr, Expr] = {}
        self.env = {x: place(x.graph, x, self._off(x.plates)) for x in places}

    def __call__(self, root: Expr) -> Expr:
        for expr in topological((root,), known=self.env):
            if any(arg in self.env for arg in expr.args):
                args = tuple(self._inner(arg) for arg in expr.args)
                attrs = {name: self._attribute(expr, v) for name, v in expr.attrs.items()}
                self.env[expr] = expr.op.build(expr.graph, args, attrs)
        return self._inner(root)

    def _inner(self, expr: Expr) -> Expr:
        if expr in self.env or self.plate not in expr.plates:
            return self.env.get(expr, expr)
        if expr.op is broadcast and self.plate not in expr.args[0].plates:
            return expand(expr.args[0], self._off(expr.plates), expr.shape)
        if expr not in self.slices:
            self.slices[expr] = place(expr.graph, expr, self._off(expr.plates))
        return self.slices[expr]

    def _off(self, plates: Iterable[Plate]) -> tuple[Plate, ...]:
        return tuple(plate for plate in plates if plate is not self.plate)

    def _attribute(self, expr: Expr, value: Any) -> Any:
        if isinstance(value, tuple) and self.plate in value:
            if expr.op is not broadcast:
                raise CompilerError(f"{expr!r} mixes the steps of {self.plate!r} inside a cell")
            return self._off(value)
        return value
