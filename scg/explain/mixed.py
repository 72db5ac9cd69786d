"""Which ops mix the elements of a plate on the way from a node to its costs."""

from __future__ import annotations

from functools import reduce
from operator import or_

from scg.compiler.analyse import Influence
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate

#: Costs, as bits, by the op behind which a plate is lost on the way to them.
Lost = dict[str, int]


class Mixers:
    """The ops that mix plates, for every node of a graph: one pass for each plate.

    Parameters
    ----------
    influence : Influence
        The analysed graph.
    """

    def __init__(self, influence: Influence):
        self._influence = influence
        self._found: dict[Plate, dict[Expr, Lost]] = {}

    def groups(
        self, node: StochasticNode, members: int, plates: list[Plate]
    ) -> dict[tuple[str, ...], int]:
        """Split costs that have lost some plates of a node by the ops, one for each plate."""
        groups: dict[tuple[str, ...], int] = {(): members}
        for plate in plates:
            lost = self._lost(plate)[node]
            groups = {
                (*ops, op): both
                for ops, costs in groups.items()
                for op, behind in lost.items()
                if (both := costs & behind)
            }
        return groups

    def _lost(self, plate: Plate) -> dict[Expr, Lost]:
        """Say of every expression on a plate where costs lose it; the first op on a way counts."""
        if plate in self._found:
            return self._found[plate]
        influence = self._influence
        found: dict[Expr, Lost] = {}
        for expr in reversed(influence.order):
            if plate in expr.plates:
                here = found.setdefault(expr, {})
            else:
                reaches = influence.downstream[expr]
                here = {_op(expr): reduce(or_, (reach.members for reach in reaches), 0)}
            for arg in dict.fromkeys(expr.args):
                if plate in arg.plates:
                    found[arg] = _first(here, found[arg]) if arg in found else here
        self._found[plate] = found
        return found


def _first(first: Lost, then: Lost) -> Lost:
    """Join two, of which the first one decides."""
    if first is then or not then:
        return first
    known = reduce(or_, first.values(), 0)
    joined = dict(first)
    for op, costs in then.items():
        if rest := costs & ~known:
            joined[op] = joined.get(op, 0) | rest
    return joined


def _op(expr: Expr) -> str:
    if isinstance(expr, StochasticNode):
        return f"stochastic node {expr.name!r}"
    return f"{expr.op.name!r} (node {expr.name!r})" if expr.name else f"{expr.op.name!r}"
