"""Recur: the loops of a run of a graph, in which each carry becomes what it is before each step.

A run puts expressions of parameters, data and noise in the place of declared ones. What a cell
declares lives on the plate of its scan, for all steps at once, and so do its values in a run, once
the carry before each step is known. A loop computes this carry, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from scg.compiler.continuation import Continuation
from scg.graph.carry import CARRY, Scan, backwards, end_of, is_output
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import ordered
from scg.ir.walk import rewrite, topological
from scg.ops.border import below, place
from scg.ops.gradient import cross
from scg.ops.recurrence import Recurrence, rolled
from scg.ops.reductions import expand

#: What a stochastic node is in a run, given what its parents are.
Value = Callable[[StochasticNode, dict[Expr, Expr]], Expr]


class NeedsSteps(Exception):
    """Raised where an estimator must look at the steps of a scan one by one."""


class Passage:
    """How values and credit pass from step to step: here by the loop and its derivative.

    Credit is multiplied by the `factors` of a scan. With a `continuation` the first carries are
    those of the window before; if the passage `ends` the window, it hands the last ones over.
    """

    #: Whether what a loop computes on the way is a result of it, too, if it has a derivative.
    stacks = True

    def __init__(
        self,
        factors: Mapping[str, Expr] = MappingProxyType({}),
        continuation: Continuation | None = None,
        ends: bool = False,
    ):
        self.factors, self.continuation, self.ends = factors, continuation, ends

    def run(
        self, made: Scan, loop: Recurrence, roots: Sequence[Expr]
    ) -> tuple[list[Expr], Sequence[Expr]]:
        """The carries before each step and further roots, and the carries after all steps."""
        window = self.continuation
        if window is None:
            return rolled(roots, loop)
        names = [f"{made.name}/{i}" for i in range(len(loop.init))]
        begin = tuple(window.over(*pair) for pair in zip(names, loop.init, strict=True))
        found, last = rolled(roots, loop._replace(init=begin))
        if self.ends:
            for name, value in zip(names, last, strict=True):
                window.end(name, value)
        return found, last


BACKWARD = Passage()


def run(
    order: Sequence[Expr],
    env: dict[Expr, Expr],
    value: Value,
    ahead: Value | None = None,
    passage: Passage = BACKWARD,
) -> None:
    """Put expressions in the place of declared ones, which `env` maps to them.

    Inside a loop, `ahead` says what a stochastic node is; by default it is `value`.
    """
    used: set[Expr] = set()
    for expr in order:
        if expr in env:
            continue
        if isinstance(expr, StochasticNode):
            env[expr] = value(expr, env)
        elif expr.op is CARRY:
            used = used or {*backwards(expr.graph, order)}
            made = expr.graph.scans[expr.attrs["scan"]]  # pyright: ignore[reportAttributeAccessIssue]
            made = _planned(made, used)
            for other in topological(made.news, known=env):
                if other.op is CARRY and made.plate not in other.plates and other not in env:
                    # the loop of a scan around this one, which contains this one's
                    run(topological((other,), known=env), env, value, ahead, passage)
            found = _carried(made, env, ahead or value, passage)
            env |= {e: x for e, x in found.items() if e not in env}  # carries may be recorded
        elif is_output(expr):
            env[expr] = env[expr.args[0]]
        else:
            rewrite((expr,), env)


def _planned(made: Scan, used: Container[Expr]) -> Scan:
    """A scan without the carries of samples from which nothing is computed: these have no plan."""
    kept = {
        x: new
        for x, new in made.before.items()
        if x in used
        or not any(e.op.stochastic and e not in used for e in backwards(x.graph, (x, new)))
    }
    return replace(made, carries=tuple(kept), news=tuple(kept.values()))


def _carried(
    made: Scan, env: Mapping[Expr, Expr], value: Value, passage: Passage
) -> dict[Expr, Expr]:
    """The carries of a scan before each step, and after the last one."""
    order = topological(made.news, known=env)
    inits = [leaf.args[0] for leaf in made.carries]
    before = dict(env)
    run(topological(inits, known=before), before, value, passage=passage)
    plates = [
        ordered((*leaf.plates, *before[init].plates))
        for leaf, init in zip(made.carries, inits, strict=True)
    ]
    looped, factors = below(order, made.carries), passage.factors
    while True:
        places = [place(x.graph, x, on) for x, on in zip(made.carries, plates, strict=True)]
        crossed = [
            cross(x, factors[made.name]) if made.name in factors and x.kind == "float" else x
            for x in places
        ]
        inside = dict(zip(made.carries, crossed, strict=True)) | before
        run(order, inside, value, passage=passage)
        news = [inside[new] for new in made.news]
        wide = [ordered((*new.plates, *on)) for new, on in zip(news, plates, strict=True)]
        if wide == plates:
            break
        plates = wide
    # What the loop computes anyway, and is expensive, is stacked for the expressions outside.
    kept = [e for e in order if e in looped and not e.op.elementwise and not e.op.stochastic]
    kept = [e for e in kept if passage.stacks or not e.op.vjps]
    begin = tuple(
        expand(before[init], tuple(p for p in on if p is not made.plate), init.shape)
        for init, on in zip(inits, plates, strict=True)
    )
    loop = Recurrence(tuple(places), begin, tuple(news), made.plate, made.reverse)
    stacked, last = passage.run(made, loop, [*crossed, *(inside[e] for e in kept)])
    found = dict(zip((*made.carries, *kept), stacked, strict=True))
    return found | {end_of(made, i): x for i, x in enumerate(last)}
