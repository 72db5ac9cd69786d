"""Mixing: which ops mix the elements of a plate on the way from a node to its costs."""

from __future__ import annotations

from scg.compiler.analyse import Cost, Influence
from scg.compiler.members import Members
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate

#: The costs on the way to which a plate is lost, by the op that loses it, in words.
Lost = dict[str, Members[Cost]]


_BOTH_WAYS = "a scan in one direction and one in the other"


class Mixers:
    """The ops that mix plates; the first question about a plate costs one pass over the graph.

    Parameters
    ----------
    influence : Influence
        The analysed graph.
    """

    def __init__(self, influence: Influence):
        self._influence = influence
        self._found: dict[Plate, dict[Expr, Lost]] = {}

    def groups(
        self, node: StochasticNode, costs: Members[Cost], plates: list[Plate]
    ) -> dict[tuple[str, ...], Members[Cost]]:
        """Split costs to which some plates of a node do not survive, by the op of each plate."""
        groups: dict[tuple[str, ...], Members[Cost]] = {(): costs}
        for plate in plates:
            lost = dict(self.lost(plate)[node])
            if rest := costs - self._influence.costs.union(lost.values()):
                lost[_BOTH_WAYS] = rest
            groups = {
                (*ops, op): both
                for ops, group in groups.items()
                for op, behind in lost.items()
                if (both := group & behind)
            }
        return groups

    def lost(self, plate: Plate) -> dict[Expr, Lost]:
        """For each expression on a plate the costs that lose it; the first op on a path counts."""
        if plate in self._found:
            return self._found[plate]
        influence = self._influence
        found: dict[Expr, Lost] = {}
        for expr in reversed(influence.order):
            if plate in expr.plates:
                here = found.setdefault(expr, {})
            else:
                reaches = influence.downstream[expr]
                here = {_op(expr): influence.costs.union(reach.members for reach in reaches)}
            for arg in dict.fromkeys(expr.args):
                if plate in arg.plates:
                    found[arg] = _first(here, found[arg]) if arg in found else here
        self._found[plate] = found
        return found


def _first(first: Lost, then: Lost) -> Lost:
    """Join two, of which the first one decides."""
    if first is then or not then:
        return first
    joined = dict(first)
    for op, costs in then.items():
        for known in first.values():
            costs = costs - known
        if costs:
            joined[op] = joined[op] | costs if op in joined else costs
    return joined


def _op(expr: Expr) -> str:
    if isinstance(expr, StochasticNode):
        return f"stochastic node {expr.name!r}"
    return f"{expr.op.name!r} (node {expr.name!r})" if expr.name else f"{expr.op.name!r}"
