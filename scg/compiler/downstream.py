"""Downstream: influenced costs, other samples and replays, as an estimator sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from scg.common.lazy import cached_property
from scg.compiler import named
from scg.compiler.alone import AloneReplay
from scg.compiler.analyse import Cost, Reach
from scg.compiler.credit import signals
from scg.compiler.differentiate import gradients, through
from scg.compiler.first_run import FirstRun
from scg.compiler.given import present
from scg.compiler.leave_out import LeaveOut
from scg.compiler.members import Members, shared_sum
from scg.compiler.objective import contribution, reduction, total
from scg.compiler.recur import Passage, run
from scg.compiler.rerun import Rerun, central, conditional, expectation, rerun
from scg.compiler.routes import NodeRoute, own_route, routes
from scg.distributions.base import Distribution
from scg.graph.carry import CARRY
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, constant, plate_size
from scg.ir.plate import Plate, Plates, ordered
from scg.ir.walk import named_below, rewrite, topological
from scg.ops.elementwise import maximum, where
from scg.ops.gradient import mark
from scg.ops.powers import ratio
from scg.ops.reductions import expand, plate_sum, zeros


@dataclass(frozen=True)
class Seen:
    """A run of the graph as a node sees it."""

    env: dict[Expr, Expr]  #: What each declared expression is in the run.
    samples: Plates  #: The sample plates that the costs keep.
    #: The weights of sample plates, where they differ from those of the first run.
    weights: dict[Plate, Expr] | None = None
    #: The name of a run whose sums over sets of costs all nodes share.
    shared: str | None = None


class SharedRuns:
    """Runs, and sums over costs, that the nodes share."""

    def __init__(self, first: FirstRun):
        self.first = first
        self.suffixes: dict[Any, Expr] = {}
        self._views: dict[StochasticNode, NodeDownstream] = {}

    def view(self, node: StochasticNode) -> NodeDownstream:
        """The graph below a node."""
        if node not in self._views:
            self._views[node] = NodeDownstream(self.first, node, self)
        return self._views[node]

    @cached_property
    def inputs(self) -> dict[Expr, int]:
        """All data and stochastic nodes, with their positions."""
        order = enumerate(self.first.influence.order)
        return {e: i for i, e in order if e.op.stochastic or e.op in (DATA, CARRY)}

    @cached_property
    def mean_field(self) -> MeanField:
        """The deterministic pass with each node at its mean."""
        return MeanField(self.first)

    @cached_property
    def expectation(self) -> Rerun:
        """The run with each node on a plate of all its values."""
        return expectation(self.first)


class NodeDownstream:
    """The influenced part of the surrogate, as one node sees it."""

    def __init__(self, first: FirstRun, node: StochasticNode, shared: SharedRuns):
        self.first, self.node, self.shared = first, node, shared
        self.draw = first.draws[node]
        self.plates: Plates = tuple(p for p in node.plates)
        self._samples = tuple(p for p in self.draw.value.plates if not p.owned_by_user)

    @cached_property
    def cost(self) -> Expr:
        """The influenced costs as contributions to the objective; own plates kept."""
        cost = self.reduced(Seen(self.first.env, self._samples, shared="draws"))
        weight = self.first.own_weight(self.node)
        return cost if weight is None else ratio(cost, weight)

    @cached_property
    def unit(self) -> Expr:
        """Factor that turns a contribution into the user's units of a cost."""
        unit = constant(self.first.graph, 1.0)
        step = self.first.graph.steps.get(self.node.name or "")
        for plate in (*self.plates, *(plate for plate, _ in (step.at if step else ()))):
            if reduction(plate) == "mean":
                unit = unit * plate_size(self.first.graph, plate)
            elif plate.size is not None:
                unit = unit * plate_size(self.first.graph, plate) / float(plate.size)
        return unit

    @cached_property
    def there(self) -> Expr | None:
        """The mask of the node's scans, if they have one."""
        return present(self.node, self.first.env)

    def shown(self, value: Expr) -> Expr:
        """What a baseline reads of a value at the node's step: zeros where it is padded."""
        there, apart = self.there, self.node.name in self.first.graph.steps
        if there is None or not (apart or {*there.plates} & {*value.plates}):
            return value
        return where(there, value, zeros(value))

    @cached_property
    def discount(self) -> Expr:
        """The discount of the node's step in its scan."""
        return self.first.discount(self.node, self.first.env)

    def value(self, name: str, below: bool = False) -> Expr:
        """The value of a named node at the node's own step."""
        return named.value_of(self, name, below)

    def beyond(self, names: tuple[str, ...]) -> Expr:
        """The part of the cost below a separating set of named nodes."""
        return named.beyond(self, names, Seen(self.first.env, self._samples, shared="draws"))

    def later(self, of: Callable[[NodeDownstream], Expr], decay: float) -> Expr:
        """A decayed sum over the node at later steps of its scan."""
        return named.later(self, of, decay)

    @cached_property
    def inputs(self) -> tuple[Expr, ...]:
        """The data and the samples on which each element of the node directly depends."""
        env, given = self.first.env, self.first.graph.inputs.get(self.node.name or "")
        if given is not None:  # the same for each step of a scan
            rewrite(topological(given, known=env), env)
            return tuple(self.shown(env[expr]) for expr in given)
        turn, plates = self.shared.inputs, {*self.node.plates}
        found = [e for e in named_below(self.node, turn) if e.size and {*e.plates} <= plates]
        return tuple(self.shown(env[expr]) for expr in sorted(found, key=turn.__getitem__))

    @cached_property
    def own(self) -> NodeRoute:
        """The route that ends at the node itself."""
        return own_route(self.first.influence, self.node)

    @cached_property
    def routes(self) -> tuple[NodeRoute, ...]:
        """The influenced costs, by the plates that survive on the way to them."""
        return routes(self.first.influence, self.node)

    @property
    def mean_field(self) -> FieldReplay:
        """The shared deterministic pass, as this node sees it."""
        return self.shared.mean_field.replay(self)

    def at(self, value: Expr | float, below: str, temperature: Expr | float = 1.0) -> NodeReplay:
        """The replay with the node at `value`; for `below` see :func:`scg.compiler.rerun.rerun`."""
        value = value if isinstance(value, Expr) else constant(self.first.graph, value)
        value = expand(value, (*value.plates, *self.node.plates), self.node.shape)
        point = mark(value, label=f"{self.node.name}:{below}")
        run = rerun(self.first, {self.node: point}, below, temperature=temperature)
        return NodeReplay(self, point, run)

    def alone(self, value: Expr, below: str = "same") -> AloneReplay:
        """The replays with one element of the node's plates at a time at `value`."""

        def costs(reach: Reach, run: Rerun, samples: Plates) -> Expr:
            return self.costs(Seen(run.env, samples, run.weights), reach.sep, reach.members)

        return AloneReplay(self.first, self.node, value, below, costs)

    def without(self, plate: Plate, impute: str = "geometric") -> Expr:
        """The cost with each reduction over `plate` leaving out the element's own part."""
        left = LeaveOut(self.first, self.node, plate, impute)
        run = left.run()
        return left.back(self.reduced(Seen(run.env, (*self._samples, left.twin), run.weights)))

    def expected(self, of: Callable[[Distribution, Expr, Expr], Expr]) -> Expr:
        """The exact mean over the whole graph of `of` (distribution, value, cost of the node)."""
        first, run = self.first, self.shared.expectation
        value = run.env[self.node]
        above = {self.node}
        for reach in first.influence.ancestors[self.node]:
            above.update(reach.members)
        kept = tuple(first.value_plate(node) for node in above)
        cost = self.reduced(Seen(run.env, kept, run.weights))
        return first.collapse(of(conditional(self.node, run.env), value, cost), weights=run.weights)

    def plate(self, length: int) -> Plate:
        """A plate of alternatives; the term must sum over it."""
        return Plate.internal(f"alternatives of {self.node.name}", length, rank=1)

    def others(self, plate: Plate, of: Expr | None = None) -> Expr:
        """Mean of the cost, or `of` something else, over the other samples of a plate."""
        assert plate.length is not None
        own = self.cost if of is None else of
        own = expand(own, (*own.plates, plate), own.shape)
        return (plate_sum(own, (plate,)) - own) / (plate.length - 1.0)

    def twin(self, plate: Plate) -> Plate:
        """A plate of the same length, for pairs of samples."""
        return self.first.twin(plate)

    def average(self, expr: Expr) -> Expr:
        """Weighted mean over all plates of the node; padded elements of a scan do not count."""
        total = self.first.collapse(expr)
        if self.there is not None:
            counts = where(self.there, 1.0, 0.0)
            plates = ordered((*total.plates, *counts.plates))
            total, counts = (expand(x, plates, x.shape) for x in (counts * total, counts))
            return plate_sum(total, plates) / maximum(plate_sum(counts, plates), 1.0)
        for plate in total.plates:
            # 0 over no elements, so that an empty batch leaves numbers in a state
            total = plate_sum(total, (plate,)) / maximum(plate_size(total.graph, plate), 1.0)
        return total

    def reduced(self, seen: Seen) -> Expr:
        """Sum the influenced costs of a run, all but the node's own plates summed over."""
        parts = self.parts(seen)
        return reduce(add, parts) if parts else constant(self.first.graph, 0.0)

    def parts(self, seen: Seen) -> list[Expr]:
        """The influenced costs of a run, each sum on the plates that survive on the way to it."""
        reaches = self.first.influence.downstream[self.node]
        return [self.costs(seen, reach.sep, reach.members) for reach in reaches if reach.open]

    def costs(self, seen: Seen, sep: frozenset[Any], members: Members[Cost]) -> Expr:
        """Sum a set of costs of a run over the user's plates outside `sep`."""

        def value(cost: Cost) -> Expr:
            own = contribution(cost.node, seen.env[cost.node])
            own, frozen = self.first.counted(own, seen.weights), self.first.frozen(cost.node)
            weight = self.first.weight(self.first.influence.ancestors[cost.node])
            own = own if weight is None else weight * own
            return signals(self.first.collapse(own, seen.samples, frozen, seen.weights), sep)

        sums = self.shared.suffixes if seen.shared else {}
        key = seen.shared, sep, seen.samples
        return shared_sum(sums, key, members, lambda some: some.first, value)


@dataclass(frozen=True)
class NodeReplay:
    """A second run below a node; its attributes are built when they are first read."""

    down: NodeDownstream
    point: Expr
    run: Rerun

    @cached_property
    def seen(self) -> Seen:
        """The run on the sample plates of the first run and of the point."""
        lived = (self.down.draw.value, self.point)
        samples = dict.fromkeys(p for x in lived for p in x.plates if not p.owned_by_user)
        return Seen(self.run.env, tuple(samples), self.run.weights)

    @cached_property
    def cost(self) -> Expr:
        """The influenced costs, on the plates of the point."""
        return self.down.reduced(self.seen)

    @cached_property
    def costs(self) -> dict[NodeRoute, Expr]:
        """The influenced costs by route, each open in the point alone."""
        return {
            route: through(self.down.costs(self.seen, route.sep, route.costs), self.point)
            for route in self.down.routes
        }

    @cached_property
    def slope(self) -> Expr:
        """The derivative of the influenced costs, each counted once, in the point."""
        (slope,) = gradients(total(self.down.parts(self.seen) or [self.cost]), [self.point])
        return slope


@dataclass(frozen=True)
class FieldReplay:
    """The mean-field pass as one node sees it."""

    point: Expr
    cost: Expr
    slope: Expr


class MeanField:
    """One deterministic pass with each stochastic node at its mean (Gu et al. 2016, sec. 3)."""

    def __init__(self, first: FirstRun):
        self.first = first
        influence = first.influence
        self.env: dict[Expr, Expr] = first.plan.given.values(first.graph)
        self.points: dict[Expr, Expr] = {}
        #: Zeros that are added to each point, so that its slope holds also where it recurs.
        self.shifts: dict[Expr, Expr] = {}
        run(influence.order, self.env, self._point, passage=Passage(first.factors, first.window))
        objective = total(contribution(cost, self.env[cost]) for _, cost in influence.costs)
        slopes = gradients(objective, list(self.shifts.values()))
        self.slopes = dict(zip(self.shifts, slopes, strict=True))

    def _point(self, node: StochasticNode, env: dict[Expr, Expr]) -> Expr:
        point = self.points[node] = central(self.first, node, env, "mean")
        if node not in self.shifts:
            self.shifts[node] = mark(zeros(self.points[node]), label=f"{node.name}:field")
        return point + self.shifts[node]

    def replay(self, down: NodeDownstream) -> FieldReplay:
        """The pass for one node: its point, its influenced costs and their slope."""
        cost = down.reduced(Seen(self.env, (), shared="field"))
        return FieldReplay(self.points[down.node], cost, self.slopes[down.node])
