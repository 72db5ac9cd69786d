"""Truncation: factors m of credit at the boundaries between the steps of scans.

Credit goes back in time in two ways, and each passes a boundary through one op, `cross`: the carry,
and the running sum of scores, Λₜ = cross(Λₜ₋₁, mₜ) + ℓₜ. Each path from a cost to a parameter meets
a boundary at most once, so that its credit has the product of the factors between, of mean 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scg.compiler.analyse import Influence
from scg.errors import BiasWarning, EstimatorError
from scg.estimators.truncation import Cutting, Truncation
from scg.graph.carry import Scan
from scg.ir.expr import Expr
from scg.ir.op import NOISE, constant, intern
from scg.ir.origin import warn
from scg.ir.plate import Direction, Plate, Time
from scg.ops.body import Body
from scg.ops.border import place
from scg.ops.elementwise import maximum, where
from scg.ops.gradient import stop
from scg.ops.reductions import expand
from scg.ops.scan import scan
from scg.ops.steps import at_step


def check_truncation(
    graph: Any, truncation: Truncation, order: int, data_grads: Sequence[str]
) -> None:
    """Raise where a graph cannot be truncated; warn of bias."""
    if not graph.scans:
        raise EstimatorError(
            f"truncate={truncation!r}: graph {graph.name!r} has no scan; declare the recurrence "
            "with g.scan, or leave truncate out"
        )
    if order > 1:
        raise EstimatorError(
            f"truncate={truncation!r} is for first derivatives: a second one contains products of "
            "two paths, or slopes that are not taken along. Write order=1, or leave truncate out"
        )
    if data_grads and truncation.loops:
        raise EstimatorError(
            f"truncate={truncation!r} is for parameters, not for data; leave data_grads out, or "
            "truncate"
        )
    for made in graph.scans.values():
        ordered = {p for leaf in made.carries for p in leaf.plates if isinstance(p, Time)}
        if len(ordered) > 1:
            raise EstimatorError(
                f"truncate={truncation!r}: the carry of scan {made.name!r} lies on several ordered "
                f"plates ({', '.join(sorted(p.name for p in ordered))}); leave truncate out"
            )
    if not truncation.unbiased and not truncation.allow_biased:
        name = type(truncation).__name__
        warn(
            f"truncate={truncation!r} is biased: the mean of the estimate is not the gradient. To "
            f"use it without this warning, write {name}(..., allow_biased=True); scg.ARTBP(mean=…) "
            "is unbiased",
            BiasWarning,
        )


def _leaf(graph: Any, made: Scan, plate: Plate) -> Expr:
    """The noise of the boundaries before each step."""
    attrs = {"name": f"{made.name}#boundary", "law": "uniform"}
    return intern(graph, NOISE, (), attrs, ((), (plate,), "float"))


def _passed(truncation: Cutting, age: Expr, u: Expr) -> tuple[Expr, Expr]:
    """The factor of the boundary before a step, and the age after it; nothing is before age 0."""
    m = where(age < 0.5, 1.0, truncation.factor(maximum(age, 1.0), u))
    return m, where(m > 0.0, age + 1.0, 1.0)


def along(graph: Any, truncation: Cutting, cut: bool = True) -> dict[str, Expr]:
    """The factors before all steps of each scan, on its plate.

    Without a `cut` the sequence is a window that ends where the truncation cuts, and nowhere else.
    """
    found = {}
    for made in graph.scans.values():
        age, never = constant(graph, 0.0), expand(constant(graph, 1.0), (made.plate,), ())
        leaf = _leaf(graph, made, made.plate) if cut else never
        old, u = place(graph, age), place(graph, leaf, ())
        m, new = _passed(truncation, old, u)
        body = Body((old,), (u,), (), (new,), (m,))
        _, (factors,) = scan(body, (age,), (leaf,), (), made.plate, made.reverse)
        found[made.name] = stop(factors)
    return found


def directed(graph: Any, node: Expr, factors: dict[str, Expr]) -> dict[Direction, Expr]:
    """The factors that a node's score meets, by the direction of its scan."""
    if not factors:
        return {}
    scans = (graph.scans[name] for name in graph.homes[node])
    return {Direction(s.plate, not s.reverse): factors[s.name] for s in scans}


class Boundaries:
    """The factors before single steps, for an unrolled graph."""

    def __init__(self, declared: Any, truncation: Cutting, unrolled: Any):
        self.declared, self.truncation, self.unrolled = declared, truncation, unrolled
        self._found: dict[str, list[Expr]] = {}
        self._whole = Influence(declared)

    def before(self, made: Scan, k: int) -> Expr:
        """The factor before a step."""
        if made.name not in self._found:
            graph, plate = self.unrolled.graph, self.unrolled.plates[made.plate]
            leaf, age, found = _leaf(graph, made, plate), constant(graph, 0.0), []
            for i in self._order(made):
                u = at_step(leaf, plate=plate, index=i)
                m, age = _passed(self.truncation, age, u)
                found.append(stop(m))
            self._found[made.name] = [found[i] for i in self._order(made)]
        return self._found[made.name][k]

    def between(self, node: str, cost: str) -> list[Expr]:
        """The factors that the score of one step's node meets on its way to a cost."""
        (name, at), (other, to) = (self._declared(x) for x in (node, cost))
        declared = self.declared
        n = declared.stochastic[name]
        scans = [declared.scans[s] for s in declared.homes[n]]
        for reach in self._whole.ancestors[declared.costs[other]]:
            if n in reach.members:
                for made in scans:
                    p = made.plate
                    if p not in reach.sep and Direction(p, not made.reverse) in reach.sep:
                        i, j = (dict(x)[self.unrolled.plates[p]] for x in (at, to))
                        steps = range(j, i) if made.reverse else range(i + 1, j + 1)
                        return [self.before(made, k) for k in steps]
        return []

    def _declared(self, name: str) -> tuple[str, Any]:
        return self.unrolled.graph.steps.get(name, (name, ()))

    def _order(self, made: Scan) -> range:
        count = self.unrolled.lengths[made.plate]
        return range(count)[::-1] if made.reverse else range(count)
