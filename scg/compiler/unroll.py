"""Unroll: the ordinary graph of a number of steps, in which each step of a scan has its own nodes.

It is what a graph with scans means: every other way to run one must agree with it. A node z on the
plate of a scan becomes z[0], z[1], …; its noise and its estimator's memory are those of z, of which
step t reads slice t of the noise. Data stay on the plate and are taken by step, and so is all else
that no random node decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from scg.compiler.objective import reduction
from scg.compiler.truncation import Boundaries
from scg.errors import DeclarationError
from scg.estimators.truncation import Cutting
from scg.graph.carry import CARRY, backwards, discounts, is_output
from scg.graph.core import CoreGraph
from scg.graph.nodes import NodeStep
from scg.graph.parameters import Parameter
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import DATA, PLATE_SIZE, intern, plate_size
from scg.ir.plate import Plate, ordered
from scg.ir.walk import named_below
from scg.ops.gradient import cross, observed
from scg.ops.reductions import expand
from scg.ops.steps import at_step, at_steps, join_steps

#: The steps of some plates, in canonical order.
At = tuple[tuple[Plate, int], ...]
Key = tuple[Expr, At]


class Unrolled:
    """A graph unrolled along the plates of its scans.

    If `fixed`, these plates get the lengths; otherwise they stay those of the declared graph, and
    calls bring the same lengths.
    """

    def __init__(
        self,
        graph: CoreGraph,
        lengths: Mapping[Plate, int],
        fixed: bool = False,
        truncation: Cutting | None = None,
    ):
        self.declared = graph
        plates = ordered(scan.plate for scan in graph.scans.values())
        self.lengths = {plate: lengths[plate] for plate in plates}
        self.plates = {p: p.of_length(n) if fixed else p for p, n in self.lengths.items()}
        self.graph: Any = type(graph)(graph.name)
        self.graph.declared, self.graph.apart = graph, fixed
        self.graph.boundaries = truncation and Boundaries(graph, truncation, self)
        self.before = {k: (s, v) for s in graph.scans.values() for k, v in s.before.items()}
        self.series = self._series()
        #: What a step is given: data, samples and carries.
        order = (*backwards(graph, graph.costs.values()), *self.series)
        given = dict.fromkeys(e for e in order if e.op in (DATA, CARRY) or e.op.stochastic)
        self._given = {expr: i for i, expr in enumerate(given)}
        self._made: dict[Key, Expr] = {}
        for name, (node, role) in graph.roles.items():
            self._declare(name, node, role)
        self._densities()

    def _series(self) -> dict[Expr, frozenset[Plate]]:
        """The plates along which each expression has a node for each step."""
        scans = self.declared.scans.values()  # of which no cost may be discounted
        weights = [made.carries[-1] for made in scans if made.discounted]
        named = [node for node, _ in self.declared.roles.values()]
        order = backwards(self.declared, [*named, *weights])
        found = dict.fromkeys(order, frozenset[Plate]())
        news = {leaf: new for leaf, (_, new) in self.before.items()}
        changed = True
        while changed:
            changed = False
            for expr in order:
                own = frozenset().union(*(found[arg] for arg in expr.args))
                if expr in news:
                    own |= found[news[expr]] | {self.before[expr][0].plate}
                if isinstance(expr, StochasticNode):
                    own |= self.lengths.keys()
                own &= frozenset(expr.plates)
                changed |= own != found[expr]
                found[expr] = own
        return found

    # --- declaring --------------------------------------------------------------------------------
    def _declare(self, name: str, node: Expr, role: str) -> None:
        graph, old = self.graph, self.declared
        series = ordered(self.series[node])
        for at, new in self.steps_of(node):
            full = _at(name, at)
            if role == "stochastic":
                continue  # declared where it is built
            if at:
                graph.steps[full] = NodeStep(name, self._mapped(at))
            if role == "parameter":
                known = old.parameters[name]
                leaf = self[known.node, ()]
                graph.parameters[name] = Parameter(leaf, known.init, known.constraint)
            elif role == "data":
                graph.data_nodes[name] = new
            elif role == "deterministic":
                graph.deterministics[full] = new
            else:
                graph.costs[full] = new = self._weighted(node, new, series)
                if name in old.observations:
                    graph.observations[full] = self._observation(name, at)
            if new not in graph.names and role != "cost" and node in old.names:
                graph.names[new] = full
            graph._check_plates(full, new.plates)
            graph._enter(full, new, role)

    def _weighted(self, cost: Expr, value: Expr, series: tuple[Plate, ...]) -> Expr:
        """A cost of one step, with its share of a mean over the steps."""
        share = 1.0
        for plate in series:
            if reduction(plate, cost) == "mean":
                share /= self.lengths[plate]
        if share == 1.0:
            return value
        return observed(value.args[0] * share) if value.op is observed else value * share

    def _observation(self, name: str, at: At) -> Any:
        seen = self.declared.observations[name]

        def of(value: Any) -> Any:
            return self[value, _within(value, at)] if isinstance(value, Expr) else value

        dist = type(seen.dist).rebuild(
            tuple(map(of, seen.dist.parameters.values())), seen.dist.static
        )
        return type(seen)(dist, of(seen.value), of(seen.mask))

    def _densities(self) -> None:
        """Record of which distributions the steps of declared expressions are densities."""
        for (expr, at), new in [*self._made.items()]:
            for density in self.declared.densities.get(expr, ()):

                def of(value: Expr, at: At = at) -> Expr:
                    return self[value, _within(value, at)]

                value = None if density.value is None else of(density.value)
                mapped = density._replace(args=tuple(map(of, density.args)), value=value)
                known = self.graph.densities.setdefault(new, ())
                self.graph.densities[new] = (*known, mapped)

    def _sample(self, node: StochasticNode, at: At, args: tuple[Expr, ...]) -> Expr:
        assert node.name is not None
        graph, full = self.graph, _at(node.name, at)
        if full in graph.roles:
            raise DeclarationError(f"unroll: graph {graph.name!r} already has a node {full!r}")
        plates = self._plates(node, at)
        signature = (node.shape, plates, node.kind)
        new = intern(graph, node.op, args, {**node.attrs, "name": full}, signature)
        if at:
            graph.steps[full] = NodeStep(node.name, self._mapped(at))
            inputs = [e for e in named_below(node, self._given) if _can_see(node, e)]
            inputs.sort(key=self._given.__getitem__)
            graph.inputs[full] = tuple(self[e, _within(e, at)] for e in inputs)
        weights = discounts(self.declared, node)
        graph.discounts[full] = tuple(self[w, _within(w, at)] for w in weights)
        graph._check_plates(full, plates)
        graph._enter(full, new, "stochastic")
        graph.stochastic[full] = new
        return new

    def steps_of(self, node: Expr) -> Iterator[tuple[At, Expr]]:
        """The steps of a node, and what it is there."""
        series = ordered(self.series[node])
        for steps in itertools.product(*(range(self.lengths[plate]) for plate in series)):
            at = tuple(zip(series, steps, strict=True))
            yield at, self[node, at]

    def slice(self, value: Expr, at: At) -> Expr:
        """An expression of the unrolled graph at some steps."""
        return at_steps(value, self._mapped(at))

    # --- building ---------------------------------------------------------------------------------
    def whole(self, expr: Expr) -> Expr:
        """An expression of the declared graph for all steps."""
        return self[expr, ()]

    def __getitem__(self, key: Key) -> Expr:
        pending, entered = [key], set[Key]()
        while pending:
            now = pending[-1]
            if now in self._made:
                pending.pop()
                continue
            needs = self._needs(now)
            waiting = [other for other in needs if other not in self._made]
            if waiting and now in entered:
                raise DeclarationError(
                    f"a scan that leads to {describe(now[0])} needs later steps for earlier ones"
                )
            entered.add(now)
            pending += waiting[::-1]
            if not waiting:
                self.graph.origin = now[0].origin
                self._made[now] = self._build(now, [self._made[other] for other in needs])
                pending.pop()
        return self._made[key]

    def _needs(self, key: Key) -> list[Key]:
        """What an expression at some steps is made from."""
        expr, at = key
        given = dict(at)
        for plate in self.series[expr]:
            if plate not in given:  # one element for each step
                steps = range(self.lengths[plate])
                return [(expr, ordered_at({**given, plate: k})) for k in steps]
        kept = {plate: k for plate, k in at if plate in self.series[expr]}
        if len(kept) < len(given):  # a slice of what all steps share
            return [(expr, ordered_at(kept))]
        if expr.op is CARRY:
            scan, new = self.before[expr]
            k, last = given[scan.plate], self.lengths[scan.plate] - 1
            if k == (last if scan.reverse else 0):
                return [(expr.args[0], _within(expr.args[0], at))]
            earlier = ordered_at({**given, scan.plate: k + 1 if scan.reverse else k - 1})
            return [(new, _within(new, earlier))]
        if expr.op is at_step and expr.attrs["plate"] in self.series[expr.args[0]]:
            plate = expr.attrs["plate"]
            k = expr.attrs["index"] % self.lengths[plate]
            return [(expr.args[0], ordered_at({**given, plate: k}))]
        return [(arg, _within(arg, at)) for arg in expr.args]

    def _build(self, key: Key, args: list[Expr]) -> Expr:
        expr, at = key
        given = dict(at)
        for plate in self.series[expr]:
            if plate not in given:
                return join_steps(*args, plate=self.plates[plate])
        kept = {plate for plate in given if plate in self.series[expr]}
        if len(kept) < len(given):
            return self.slice(args[0], tuple((p, k) for p, k in at if p not in kept))
        if expr.op is CARRY:
            scan, first = self.before[expr][0], args[0]
            if self.graph.boundaries is not None and expr.kind == "float":
                first = cross(first, self.graph.boundaries.before(scan, given[scan.plate]))
            return expand(first, self._plates(expr, at), expr.shape)
        if expr.op is at_step and expr.attrs["plate"] in self.series[expr.args[0]]:
            return args[0]
        if isinstance(expr, StochasticNode):
            return self._sample(expr, at, tuple(args))
        if is_output(expr):
            return args[0]
        if expr.op is PLATE_SIZE:
            return plate_size(self.graph, self.plates.get(expr.attrs["plate"], expr.attrs["plate"]))
        attrs = {name: self._attribute(value, given) for name, value in expr.attrs.items()}
        if expr.args:
            return expr.op.build(self.graph, tuple(args), attrs)
        signature = (expr.shape, self._plates(expr, at), expr.kind)
        return intern(self.graph, expr.op, (), attrs, signature, expr.value)

    def _attribute(self, value: Any, given: Mapping[Plate, int]) -> Any:
        if isinstance(value, Plate):
            return self.plates.get(value, value)
        if isinstance(value, tuple):
            return tuple(self._attribute(v, given) for v in value if not _is_in(v, given))
        return value

    def _plates(self, expr: Expr, at: At) -> tuple[Plate, ...]:
        taken = dict(at)
        return tuple(self.plates.get(p, p) for p in expr.plates if p not in taken)

    def _mapped(self, at: At) -> At:
        return tuple((self.plates[plate], k) for plate, k in at)


def _can_see(node: Expr, other: Expr) -> bool:
    """Whether each element of a node depends on one element of another that has any."""
    return bool(other.size) and set(other.plates) <= set(node.plates)


def _is_in(value: Any, given: Mapping[Plate, int]) -> bool:
    return isinstance(value, Plate) and value in given


def ordered_at(steps: Mapping[Plate, int]) -> At:
    """Boundaries of plates in canonical order."""
    return tuple((plate, steps[plate]) for plate in ordered(steps))


def _within(expr: Expr, at: At) -> At:
    return tuple((plate, k) for plate, k in at if plate in expr.plates)


def _at(name: str, at: At) -> str:
    return f"{name}[{','.join(str(k) for _, k in at)}]" if at else name


def by_node(graph: CoreGraph, values: Mapping[str, Expr]) -> dict[str, Expr]:
    """Values of named nodes, those of the steps of one declared node added up.

    A graph that ``g.unroll`` made keeps its steps apart.
    """
    found: dict[str, Expr] = {}
    for full, value in values.items():
        name = graph.declared_name(full)
        found[name] = found[name] + value if name in found else value
    return found
