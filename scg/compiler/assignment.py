"""Assignment: properties of planned graphs that requirements read, each computed in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from scg.common.lazy import cached_property
from scg.compiler.analyse import Cost, Influence, continuous_in
from scg.compiler.angles import Invariance, invariances
from scg.compiler.members import Members
from scg.compiler.mixing import Mixers
from scg.estimators.protocol import Estimator
from scg.ir.expr import Expr, StochasticNode
from scg.ops.custom import continuous
from scg.ops.gradient import path_alone, stop

#: Says why a node does not meet a requirement, or None.
Rule = Callable[[StochasticNode, "Assignment"], "str | None"]


class Assignment:
    """An estimator for each stochastic node, and how credit then flows.

    Attributes
    ----------
    continuous : dict
        Whether every open path from an expression to the next credited sample is continuous.
    """

    def __init__(self, influence: Influence, estimators: Mapping[StochasticNode, Estimator]):
        self.influence, self.estimators = influence, estimators
        self.continuous = continuity(influence, lambda node, _: estimators[node].opens)
        self.mixers = Mixers(influence)
        self._lacking: dict[Rule, Members[StochasticNode]] = {}

    def lacking(self, rule: Rule, nodes: Members[StochasticNode]) -> str | None:
        """Why the first of some nodes that breaks a rule does so, or None."""
        if rule not in self._lacking:
            every = self.influence.nodes
            broken = (every.only(node) for node in every if rule(node, self) is not None)
            self._lacking[rule] = every.union(broken)
        found = nodes & self._lacking[rule]
        return rule(found.first, self) if found else None

    @cached_property
    def jumps(self) -> dict[Expr, Members[Cost]]:
        """The costs to which some path from each expression jumps, all samples on it being relaxed.

        Stopped paths count: a node that reaches the cost on an open path, too, is credited with
        all of it.
        """
        influence, none = self.influence, self.influence.costs.none
        bare = influence.spread(  # on a path that no promise of the user covers
            influence.at_costs, none, lambda expr, _: expr.op is not continuous
        )
        start: dict[Expr, Members[Cost]] = {}
        for expr in influence.order:
            if not isinstance(expr, StochasticNode) and expr.op is not stop:
                for k, arg in enumerate(expr.args):
                    if not continuous_in(expr, k):
                        start[arg] = start.get(arg, none) | bare[expr]
        return influence.spread(start, none)

    @cached_property
    def related(self) -> dict[Expr, Members[StochasticNode]]:
        """The stochastic nodes on which the credited costs of each expression depend."""
        influence, nodes = self.influence, self.influence.nodes
        start = {
            cost.node: nodes.union(reach.members for reach in influence.ancestors[cost.node])
            for cost in influence.costs
        }
        return influence.spread(start, nodes.none, lambda expr, _: expr.op is not stop)

    @cached_property
    def invariances(self) -> dict[Expr, Invariance]:
        """Changes of each expression, such as a full turn of an angle, that change no cost."""
        return invariances(self.influence)

    @cached_property
    def learned(self) -> dict[Expr, bool]:
        """Whether an expression depends, without a stop, on a learned leaf or a pathwise sample."""
        found: dict[Expr, bool] = {}
        leaves = set(self.influence.learned.values())
        for expr in self.influence.order:
            if isinstance(expr, StochasticNode):
                found[expr] = self.estimators[expr].opens
            else:
                above = expr.op is not stop and any(found[arg] for arg in expr.args)
                found[expr] = above or expr in leaves
        return found

    @cached_property
    def paths_alone(self) -> set[str]:
        """Declared names of nodes whose cost has a gradient for pathwise samples only."""
        return {expr.attrs["label"] for expr in self.influence.order if expr.op is path_alone}

    @cached_property
    def outcomes(self) -> int:
        """Joint values of all nodes, which must have a finite support."""
        return math.prod(node.declared.cardinality() for node in self.influence.nodes)


def continuity(
    influence: Influence, opens: Callable[[StochasticNode, bool], bool]
) -> dict[Expr, bool]:
    """Whether every open path from each expression to the next credited sample is continuous.

    `opens` is called at each stochastic node, costs first, with what holds for the node itself: a
    path ends at a node whose value is stopped. What stands inside ``scg.continuous`` is
    taken to be continuous.
    """
    found = dict.fromkeys(influence.order, True)
    bare = dict.fromkeys(influence.order, False)  # has a path that no promise of the user covers
    bare |= {cost: True for _, cost in influence.costs}
    for expr in reversed(influence.order):
        if isinstance(expr, StochasticNode):
            through = opens(expr, found[expr])
            for arg in expr.args:
                found[arg] &= found[expr] or not through
                bare[arg] |= bare[expr] or not through
        elif expr.op is not stop:
            for i, arg in enumerate(expr.args):
                found[arg] &= found[expr] and (continuous_in(expr, i) or not bare[expr])
                bare[arg] |= bare[expr] and expr.op is not continuous
    return found


def broken_path(node: StochasticNode, view: Assignment) -> list[Expr]:
    """A path from a node to the first op that is not continuous; there must be one."""
    walk: list[Expr] = [node]
    while True:
        here = walk[-1]
        for expr in view.influence.order:
            index = next((i for i, arg in enumerate(expr.args) if arg is here), None)
            if expr.op is stop or index is None:
                continue
            if isinstance(expr, StochasticNode):
                if view.estimators[expr].opens and not view.continuous[expr]:
                    walk.append(expr)
                    break
            elif not continuous_in(expr, index):
                return [*walk, expr]
            elif not view.continuous[expr]:
                walk.append(expr)
                break
