"""What a node may ask about its future: influenced costs, other draws, replays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from scg.compiler.analyse import bits
from scg.compiler.differentiate import gradients, through
from scg.compiler.leave_out import LeaveOut
from scg.compiler.objective import contribution, reduction
from scg.compiler.rerun import blanket, central, law, rerun
from scg.ir.expr import Expr, Plate, Plates, StochasticNode, rewrite
from scg.ops.base import constant, plate_size
from scg.ops.gradient import mark
from scg.ops.reductions import expand, plate_sum

if TYPE_CHECKING:
    from scg.compiler.surrogate import Surrogate
    from scg.distributions.base import Distribution


class NodeDownstream:
    """The influenced part of the surrogate, as one node sees it."""

    def __init__(self, surrogate: Surrogate, node: StochasticNode):
        self.surrogate = surrogate
        self.node = node
        self.draw = surrogate.draws[node]
        self.plates: Plates = tuple(p for p in node.plates)
        self._samples = tuple(p for p in self.draw.value.plates if not p.owned_by_user)

    @cached_property
    def cost(self) -> Expr:
        """The influenced costs as contributions to the objective; own plates kept."""
        return self.reduced(self.surrogate.env, "draws", self._samples)

    @cached_property
    def unit(self) -> Expr:
        """Factor that turns a contribution into the user's units of a cost."""
        unit = constant(self.surrogate.graph, 1.0)
        for plate in self.plates:
            if reduction(plate) == "mean":
                unit = unit * plate_size(self.surrogate.graph, plate)
            elif plate.size is not None:
                unit = unit * plate_size(self.surrogate.graph, plate) / float(plate.size)
        return unit

    @cached_property
    def inputs(self) -> tuple[Expr, ...]:
        """The data and the draws on which each element of the node directly depends."""
        found: dict[Expr, None] = {}
        seen: set[Expr] = set()
        stack = list(self.node.args)
        while stack:
            expr = stack.pop()
            if expr in seen:
                continue
            seen.add(expr)
            if isinstance(expr, StochasticNode) or expr.op.name == "data":
                if set(expr.plates) <= set(self.node.plates):
                    found[expr] = None
            else:
                stack.extend(expr.args)
        position = {expr: i for i, expr in enumerate(self.surrogate.influence.order)}
        return tuple(self.surrogate.env[expr] for expr in sorted(found, key=position.__getitem__))

    @property
    def mean_field(self) -> FieldReplay:
        """The shared deterministic pass, as this node sees it."""
        return self.surrogate.mean_field.replay(self)

    def at(self, value: Expr, below: str, temperature: Expr | float = 1.0) -> NodeReplay:
        """Replay with the node at `value`; see :func:`scg.compiler.rerun.rerun` for `below`."""
        value = expand(value, (*value.plates, *self.node.plates), self.node.shape)
        point = mark(value, label=f"{self.node.name}:{below}")
        run = rerun(self.surrogate, {self.node: point}, below, temperature=temperature)
        kept = tuple(p for p in point.plates if not p.owned_by_user)
        cost = self.reduced(run.env, None, (*self._samples, *kept), run.weights)
        if below == "relax":
            cost = through(cost, point)
        return NodeReplay(point, cost, blanket(self.surrogate, self.node, run))

    def without(self, plate: Plate, impute: str = "geometric") -> Expr:
        """The cost with each reduction over `plate` leaving out the element's own part."""
        left = LeaveOut(self.surrogate, self.node, plate, impute)
        run = left.run()
        return left.back(self.reduced(run.env, None, (*self._samples, left.twin), run.weights))

    def expected(self, of: Callable[[Distribution, Expr, Expr], Expr]) -> Expr:
        """Return the exact mean over the whole graph of `of` (law of the node, value, cost)."""
        surrogate, run = self.surrogate, self.surrogate.expectation
        value = run.env[self.node]
        above = {self.node}
        for reach in surrogate.influence.ancestors[self.node]:
            above.update(surrogate.influence.nodes[i] for i in bits(reach.members))
        kept = tuple(surrogate.value_plate(node) for node in above)
        cost = self.reduced(run.env, None, kept, run.weights)
        return surrogate.collapse(of(law(self.node, run.env), value, cost), weights=run.weights)

    def plate(self, length: int) -> Plate:
        """Return a plate of alternatives; the term must sum over it."""
        return Plate.internal(f"alternatives of {self.node.name}", length, rank=1)

    def others(self, plate: Plate, of: Expr | None = None) -> Expr:
        """Mean of the cost, or `of` something else, over the other draws of a sample plate."""
        assert plate.length is not None
        own = self.cost if of is None else of
        own = expand(own, (*own.plates, plate), own.shape)
        return (plate_sum(own, (plate,)) - own) / (plate.length - 1.0)

    def twin(self, plate: Plate) -> Plate:
        """Return a plate of the same length, for pairs of draws."""
        return self.surrogate.twin(plate)

    def average(self, expr: Expr) -> Expr:
        """Weighted mean over all plates of the node."""
        total = self.surrogate.collapse(expr)
        for plate in total.plates:
            total = plate_sum(total, (plate,)) / plate_size(total.graph, plate)
        return total

    def reduced(
        self,
        env: dict[Expr, Expr],
        shared: str | None,
        samples: Plates,
        weights: dict[Plate, Expr] | None = None,
    ) -> Expr:
        """Sum the influenced costs of a run, all but the node's own plates summed over.

        Sums over sets of costs are shared between nodes where `shared` names the run. `weights`
        replaces the weights of sample plates whose draws differ in the run.
        """
        total: Expr | None = None
        for reach in self.surrogate.influence.downstream[self.node]:
            if reach.open:
                part = self._suffix(env, shared, reach.sep, reach.members, samples, weights)
                total = part if total is None else total + part
        return total if total is not None else constant(self.surrogate.graph, 0.0)

    def _suffix(
        self,
        env: dict[Expr, Expr],
        shared: str | None,
        sep: frozenset[Plate],
        members: int,
        samples: Plates,
        weights: dict[Plate, Expr] | None,
    ) -> Expr:
        sums = self.surrogate.suffixes if shared else {}
        pending = []
        while members and (shared, sep, members, samples) not in sums:
            pending.append(members)
            members &= members - 1
        total = sums.get((shared, sep, members, samples))
        for mask in reversed(pending):
            _, cost = self.surrogate.influence.costs[next(bits(mask))]
            own = self._element(cost, env[cost], sep, samples, weights)
            total = own if total is None else own + total
            sums[shared, sep, mask, samples] = total
        assert total is not None
        return total

    def _element(
        self,
        cost: Expr,
        value: Expr,
        sep: frozenset[Plate],
        samples: Plates,
        weights: dict[Plate, Expr] | None,
    ) -> Expr:
        value = contribution(cost, value)
        value = self.surrogate.collapse(value, samples, self.surrogate.frozen(cost), weights)
        gone = tuple(p for p in value.plates if p.owned_by_user and p not in sep)
        return plate_sum(value, gone)


@dataclass(frozen=True)
class NodeReplay:
    """A second run below a node; its slope is built when first asked for."""

    point: Expr
    cost: Expr
    logp: Expr

    @cached_property
    def slope(self) -> Expr:
        """The derivative of the cost in the point."""
        (slope,) = gradients(self.cost, [self.point])
        return slope


@dataclass(frozen=True)
class FieldReplay:
    """The mean-field pass as one node sees it."""

    point: Expr
    cost: Expr
    slope: Expr


class MeanField:
    """One deterministic pass with every stochastic node at its mean (Gu et al. 2016, sec. 3)."""

    def __init__(self, surrogate: Surrogate):
        self.surrogate = surrogate
        influence = surrogate.influence
        self.env: dict[Expr, Expr] = {}
        self.points: dict[Expr, Expr] = {}
        for expr in influence.order:
            if isinstance(expr, StochasticNode):
                point = mark(central(expr, self.env, "mean"), label=f"{expr.name}:field")
                self.points[expr] = self.env[expr] = point
            else:
                rewrite((expr,), self.env)
        total: Expr | None = None
        for _, cost in influence.costs:
            part = contribution(cost, self.env[cost])
            part = plate_sum(part, part.plates)
            total = part if total is None else total + part
        assert total is not None
        slopes = gradients(total, list(self.points.values()))
        self.slopes = dict(zip(self.points, slopes, strict=True))

    def replay(self, down: NodeDownstream) -> FieldReplay:
        """Return the pass as one node sees it: its point, its influenced costs, their slope."""
        cost = down.reduced(self.env, "field", ())
        return FieldReplay(self.points[down.node], cost, self.slopes[down.node])
