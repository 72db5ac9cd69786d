"""Analyse: which stochastic node influences which cost, and which plates survive on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scg.common.lazy import cached_property
from scg.compiler.members import LONGEST, Members, T, Universe, names
from scg.graph.carry import Scan, backwards
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plates, one_step, same, sign, survivors
from scg.ops.gradient import stop


class Cost(NamedTuple):
    """A declared cost; one expression may be declared under several names."""

    name: str
    node: Expr


@dataclass(frozen=True)
class Reach:
    """Properties of *all* paths between an expression and each member of a set."""

    #: The plates that survive on every path: no op on it reduces them. Of an ordered plate along
    #: which paths lead to other steps, the direction survives.
    sep: frozenset[Any]
    open: bool  #: Whether some path has no ``stop_gradient``.
    stopped: bool  #: Whether some path has one.
    members: Members[Any]  #: Stochastic nodes above the expression, or costs below it.

    def onward(self, sep: frozenset[Any], expr: Expr) -> Reach:
        """The reach of the paths that go on through an expression, where `sep` survives."""
        cut = expr.op is stop
        return Reach(sep, self.open and not cut, self.stopped or cut, self.members)


def merge(reaches: Iterable[Reach]) -> tuple[Reach, ...]:
    """Join the reaches of several paths into disjoint ones: each member is in exactly one."""
    found: dict[tuple[frozenset[Any], bool, bool], Members[Any]] = {}
    for new in reaches:
        rest, joined = new.members, []
        for (sep, opened, stopped), members in tuple(found.items()):
            if both := members & rest:
                rest -= both
                found[sep, opened, stopped] = members - both
                state = (sep & new.sep, opened or new.open, stopped or new.stopped)
                joined.append((state, both))
        joined.append(((new.sep, new.open, new.stopped), rest))
        for state, members in joined:
            found[state] = found[state] | members if state in found else members
    return tuple(Reach(*state, members) for state, members in found.items() if members)


def reached(universe: Universe[T], reaches: Iterable[Reach], opened: bool) -> Members[T]:
    """The members that some open path reaches, or those that only stopped paths reach."""
    return universe.union(reach.members for reach in reaches if reach.open is opened)


def continuous_in(expr: Expr, index: int) -> bool:
    """Whether an op is continuous in one argument (and differentiable almost everywhere)."""
    arg = expr.args[index]
    if expr.op.loop is not None:
        edges = expr.op.loop.between(expr, index)
        return arg.kind == "float" and all(continuous_in(*edge) for edge in edges)
    return expr.op.continuous and arg.kind == "float" and expr.op.vjp(index) is not None


def _in_words(node: Expr, sep: frozenset[Any]) -> str:
    """The plates that survive to a cost, and where paths lead along others."""
    kept = [plate for plate in node.plates if plate in sep]
    parts = [f"on {names(kept)}"] if kept else []
    parts += [f"steps {word} {plate.name}" for plate in node.plates if (word := sign(sep, plate))]
    return ", ".join(parts)


class Influence:
    """Which stochastic node of a graph influences which cost; ``print`` it."""

    def __init__(
        self, graph: CoreGraph, data: Sequence[str] = (), costs: Mapping[str, Expr] | None = None
    ):
        """Analyse `costs`, by default those that the graph declares."""
        self.graph = graph
        #: The leaves in which the objective is differentiated, by name: parameters, then data.
        self.learned = {name: parameter.node for name, parameter in graph.parameters.items()}
        self.learned |= {name: graph.data_nodes[name] for name in data}
        self.costs = Universe(Cost(*cost) for cost in (costs or graph.costs).items())
        #: All expressions that a cost depends on, arguments first.
        self.order = backwards(graph, [node for _, node in self.costs])
        #: What a carry is one step later, by the carry, and the scan.
        self.later: dict[Expr, tuple[Expr, Scan]] = {}
        for scan in graph.scans.values():
            self.later |= {leaf: (new, scan) for leaf, new in scan.before.items()}
        self._survivors: dict[Plates, frozenset[Any]] = {}
        #: The stochastic nodes among them.
        self.nodes = Universe(expr for expr in self.order if isinstance(expr, StochasticNode))

    def __str__(self) -> str:
        lines = []
        for node in self.nodes:
            every = self.costs.union(r.members for r in self.downstream[node])
            several = map(self.costs.only, every) if len(every) <= LONGEST else (every,)
            costs = [
                f"{names(own)} ({said})" if (said := _in_words(node, r.sep)) else names(own)
                for some in several
                for r in self.downstream[node]
                if (own := r.members & some)
            ]
            lines.append(f"{node.name} influences {', '.join(costs)}")
        return "\n".join(lines) or "no stochastic node influences a cost"

    @cached_property
    def ancestors(self) -> dict[Expr, tuple[Reach, ...]]:
        """The stochastic ancestors of each expression, with the properties of all paths."""
        found: dict[Expr, tuple[Reach, ...]] = {}
        news = {new for new, _ in self.later.values()}
        changed = True
        while changed:  # once more where carries bring what lies a step back
            changed = False
            for expr in self.order:
                kept, paths = self.survivors(expr), list[Reach]()
                for arg in dict.fromkeys(expr.args):
                    paths += (r.onward(r.sep & kept, expr) for r in self._with(arg, found))
                if expr in self.later:
                    new, scan = self.later[expr]
                    paths += (
                        r.onward(one_step(r.sep & kept, scan.plate, not scan.reverse), expr)
                        for r in self._with(new, found)
                    )
                now = merge(paths)
                changed |= expr in news and {*now} != {*found.get(expr, ())}
                found[expr] = now
        return found

    def survivors(self, expr: Expr) -> frozenset[Any]:
        """What may survive on a path to an expression."""
        known = self._survivors
        if expr.plates not in known:
            known[expr.plates] = survivors(expr.plates)
        return known[expr.plates]

    def made_of(self, expr: Expr) -> tuple[Expr, ...]:
        """The arguments of an expression; of a carry also what it is one step later."""
        return (*expr.args, self.later[expr][0]) if expr in self.later else expr.args

    def _with(self, expr: Expr, found: Mapping[Expr, tuple[Reach, ...]]) -> tuple[Reach, ...]:
        """The ancestors of an expression, and itself if it is stochastic."""
        above = found.get(expr, ())
        if not isinstance(expr, StochasticNode):
            return above
        return (*above, Reach(same(expr.plates), True, False, self.nodes.only(expr)))

    @cached_property
    def downstream(self) -> dict[Expr, tuple[Reach, ...]]:
        """The costs that each expression influences, with the properties of all paths."""
        found: dict[Expr, tuple[Reach, ...]] = {}
        changed = True
        while changed:
            changed = False
            paths: dict[Expr, list[Reach]] = {expr: [] for expr in self.order}
            for cost in self.costs:
                own = Reach(same(cost.node.plates), True, False, self.costs.only(cost))
                paths[cost.node].append(own)
            for leaf, (new, scan) in self.later.items():
                if new in paths:
                    paths[new] += (
                        r.onward(one_step(r.sep, scan.plate, not scan.reverse), leaf)
                        for r in found.get(leaf, ())
                    )
            for expr in reversed(self.order):
                now = merge(paths[expr])
                changed |= expr in self.later and {*now} != {*found.get(expr, ())}
                found[expr] = now
                for arg in dict.fromkeys(expr.args):
                    kept = self.survivors(arg)
                    paths[arg] += (r.onward(r.sep & kept, expr) for r in now)
        return found

    def credited(self, node: Expr) -> Members[Cost]:
        """The costs that an expression influences on an open path."""
        return reached(self.costs, self.downstream[node], opened=True)

    def spread(
        self,
        start: Mapping[Expr, Members[T]],
        none: Members[T],
        passes: Callable[[Expr, int], bool] = lambda expr, index: True,
    ) -> dict[Expr, Members[T]]:
        """For each expression the union of the sets in `start` of all expressions that it reaches.

        `passes` says whether paths lead from an argument, given by its index, to an expression.
        """
        found = {expr: start.get(expr, none) for expr in self.order}
        changed = True
        while changed:
            changed = False
            for expr in reversed(self.order):
                for k, arg in enumerate(expr.args):
                    if found[expr] and passes(expr, k):
                        found[arg] = found[arg] | found[expr]
            for leaf, (new, _) in self.later.items():
                if new in found and (onward := found.get(leaf, none) - found[new]):
                    found[new], changed = found[new] | onward, True
        return found

    @cached_property
    def at_costs(self) -> dict[Expr, Members[Cost]]:
        """The costs that each cost's expression is."""
        start = dict.fromkeys((cost.node for cost in self.costs), self.costs.none)
        for cost in self.costs:
            start[cost.node] = start[cost.node] | self.costs.only(cost)
        return start

    @cached_property
    def linearised(self) -> dict[Expr, Members[Cost]]:
        """The costs that have a slope in each expression where every sample is its mean."""

        def passes(expr: Expr, index: int) -> bool:
            return isinstance(expr, StochasticNode) or continuous_in(expr, index)

        return self.spread(self.at_costs, self.costs.none, passes)

    @cached_property
    def below(self) -> dict[Expr, Members[StochasticNode]]:
        """The stochastic nodes that each expression influences, a node itself included."""
        start: dict[Expr, Members[StochasticNode]] = {
            node: self.nodes.only(node) for node in self.nodes
        }
        return self.spread(start, self.nodes.none)

    def path(self, start: Expr, goal: Expr) -> list[Expr]:
        """A path of expressions from `start` to `goal`, both included."""
        parent: dict[Expr, Expr] = {}
        below = {start}
        while goal not in below:  # once more where a carry brings it
            for expr in self.order:
                arg = next((arg for arg in self.made_of(expr) if arg in below), None)
                if arg is not None and expr not in below:
                    below.add(expr)
                    parent[expr] = arg
        walk = [goal]
        while walk[-1] is not start:
            walk.append(parent[walk[-1]])
        return walk[::-1]
