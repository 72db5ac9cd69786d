"""The first run: how each node is sampled, and how scores and weighted costs are summed.

The surrogate (:mod:`scg.compiler.surrogate`) and the views of estimators on it
(:mod:`scg.compiler.downstream`) are made from it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add, mul
from typing import Any

from scg.common.arguments import said
from scg.common.lazy import cached_property
from scg.compiler.analyse import Influence, Reach, reached
from scg.compiler.continuation import Continuation
from scg.compiler.credit import scores
from scg.compiler.elimination import averaged, conditions
from scg.compiler.forward import ForwardPassage, past_scores
from scg.compiler.given import present
from scg.compiler.members import Members, shared_sum
from scg.compiler.memory import NodeMemory
from scg.compiler.noise import NodeNoise
from scg.compiler.perturbation import Perturbation
from scg.compiler.plan import Plan
from scg.compiler.recur import NeedsSteps, Passage, run
from scg.compiler.requirements import draws_of
from scg.compiler.sequences import sequences
from scg.compiler.truncation import along, directed
from scg.distributions.base import Distribution
from scg.errors import CompilerError
from scg.estimators.forward import Forward
from scg.estimators.pes import PES
from scg.estimators.protocol import Draw, divided
from scg.estimators.truncation import Cutting
from scg.graph.carry import backwards, discounts
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import constant
from scg.ir.plate import Plate, Plates, ordered, same
from scg.ir.walk import topological
from scg.ops.elementwise import exp, possible, where
from scg.ops.gradient import cross, stop
from scg.ops.reductions import expand, plate_sum, zeros


class FirstRun:
    """A planned graph in which a sample takes the place of each stochastic node."""

    def __init__(self, plan: Plan):
        self.plan, self.influence, self.graph = plan, plan.influence, plan.influence.graph
        #: What each declared expression is.
        self.env: dict[Expr, Expr] = plan.given.values(self.graph)
        self.recorded = plan.given.recorded(plan.influence)
        #: The samples of each node, its distribution given the samples of its parents, its noise.
        self.draws: dict[StochasticNode, Draw] = {}
        self.dists: dict[StochasticNode, Distribution] = {}
        self.noises: dict[StochasticNode, NodeNoise] = {}
        #: The memory of the estimators, by node; the steps of a scan share one.
        self.memories: dict[str, NodeMemory] = {}
        self._names: dict[str, dict[str, Any]] = {}
        #: The weight of each sample on a sample plate, and the nodes whose samples lie on it.
        self.weights: dict[Plate, Expr] = {}
        self.owners: dict[Plate, Members[StochasticNode]] = {}
        #: The noise leaves of nodes in loops at the first step.
        self._begin: dict[StochasticNode, dict[str, Any]] = {}
        self._sequences = sequences(plan)
        self._plates: dict[object, Plate] = {}
        self._values: dict[StochasticNode, Plate] = {}
        self._twins: dict[Plate, Plate] = {}
        self._sums: dict[Any, Expr | None] = {}
        #: What is taken over from the window before, if the graph runs in windows.
        self.window = window = Continuation(self.graph) if plan.stream else None
        how, cut = plan.truncation, not plan.stream
        #: The factors between the steps of each scan, if credit is truncated.
        self.factors = along(self.graph, how, cut) if isinstance(how, Cutting) else {}
        self.passage = Passage(self.factors, window, ends=True)
        if isinstance(how, Forward):
            self.passage = ForwardPassage(how, self.influence.learned.values(), window)
        #: Particles with parameters of their own, if these are perturbed.
        self.particles = None
        if isinstance(how, PES) and (learned := tuple(self.influence.learned.values())):
            self.particles = Perturbation(self.graph, how, learned, window)
            self.env |= self.particles.values
            self.weights |= self.particles.weights
            self.owners |= dict.fromkeys(self.particles.weights, self.influence.nodes.none)
        run(self.influence.order, self.env, self._draw, self._ahead, self.passage)

    # --- draws ------------------------------------------------------------------------------------
    def draw_of(self, node: StochasticNode, env: dict[Expr, Expr]) -> Draw:
        """Let a node's estimator sample it, given what `env` holds for its parents.

        The noise lies on the plates that the node has in the surrogate, so that a replay meets
        the same leaves.
        """
        args = tuple(env[arg] for arg in node.args)
        dist, estimator, name = node.given(args), self.plan.estimators[node], node.name or ""
        if node not in self.noises:
            plates = ordered(
                (*node.plates, *self._joint(node), *(p for arg in args for p in arg.plates))
            )
            if self.particles is not None:
                plates = tuple(p for p in plates if p is not self.particles.mirror)
            self.noises[node] = NodeNoise.of(
                node, plates, lambda n: self._plate(node, n), self.memories, self._names
            )
            self.dists[node] = dist
        noise: Any = self.noises[node]  # a Sampler
        if node in self.recorded:
            draw = self.plan.given.draw(node, dist, env)
        else:
            draw = estimator.draw(dist, noise)
        if not isinstance(draw, Draw) or not isinstance(draw.value, Expr):
            raise CompilerError(
                f"node {name!r}: draw of {estimator!r} must be a Draw of a node, got {said(draw)}"
            )
        if estimator.drop_discount:
            draw = divided(draw, self.discount(node, env))
        if draw.value.shape != node.shape or draw.value.kind != node.kind:
            raise CompilerError(
                f"node {name!r} of shape {node.shape} and kind {node.kind}: {estimator!r} returns "
                f"{draw.value!r} of kind {draw.value.kind}, but samples have the shape and the "
                f"kind of the node"
            )
        # Every later expression must keep the declared plates, also where the value is constant.
        plates = (*draw.value.plates, *node.plates)
        return draw._replace(value=expand(draw.value, plates, node.shape))

    def discount(self, node: StochasticNode, env: dict[Expr, Expr]) -> Expr:
        """γ^t, by which a discounted scan multiplies the costs beside a node; otherwise 1."""
        weights = discounts(self.graph, node)
        run(backwards(self.graph, weights), env, self._draw, self._ahead, self.passage)
        return reduce(mul, (env[weight] for weight in weights), constant(self.graph, 1.0))

    def present(self, node: StochasticNode) -> Expr | None:
        """How many elements of a node of a scan are not padded; None without a mask."""
        there = present(node, self.env)
        return None if there is None else plate_sum(where(there, 1.0, 0.0), there.plates)

    def _ahead(self, node: StochasticNode, env: dict[Expr, Expr]) -> Expr:
        """The sample of a node in a loop, of which the plates may still grow."""
        name = node.name or ""
        begin = self._begin.setdefault(node, dict(self._names.pop(name, {})))
        value = self.draw_of(node, env).value
        del self.noises[node]  # it is sampled once more, outside of the loop
        if not begin:
            begin |= self._names[name]
        if begin != self._names[name]:
            raise NeedsSteps
        return value

    def _draw(self, node: StochasticNode, env: dict[Expr, Expr]) -> Expr:
        self.graph.origin = node.origin
        draw = self.draw_of(node, env)
        if draw.plate is not None:
            if node in self._begin and not self._as_one(node, draw):
                raise NeedsSteps
            plate = draw.plate
            assert plate.length is not None
            uniform = constant(self.graph, 1.0 / plate.length)
            self.weights[plate] = uniform if draw.weight is None else draw.weight
            nodes = self.influence.nodes
            self.owners[plate] = self.owners.get(plate, nodes.none) | nodes.only(node)
        self.draws[node] = draw
        return draw.value

    def _joint(self, node: StochasticNode) -> list[Plate]:
        """The plates of whole sequences on which all steps of a node are sampled, also the first.

        They are those of the declared graph, where samples of one step lead to the next.
        """
        graph, name = self.graph, node.name or ""
        name, found = graph.declared_node(name), []
        for key, length in self._sequences.get(name, {}).items():
            if key not in self._plates:
                self._plates[key] = Plate.internal(f"samples of {node.name}", length, rank=1)
            found.append(self._plates[key])
        return found

    def _as_one(self, node: StochasticNode, draw: Draw) -> bool:
        """Whether all steps of a node share a sample plate of equal weights."""
        return self.plan.estimators[node].joint is True and draw.weight is None

    def _plate(self, node: StochasticNode, length: int) -> Plate:
        key, name = self.plan.plate_key(node), node.name or ""
        estimator = self.plan.estimators[node]
        single = draws_of(estimator, node.declared) == 1 and estimator.credit != "weight"
        if single and name in self.graph.steps:
            key = name = self.graph.steps[name].node  # it does not leave the draw: steps may share
        if key not in self._plates:
            self._plates[key] = Plate.internal(f"samples of {name}", length, rank=1)
        return self._plates[key]

    def value_plate(self, node: StochasticNode) -> Plate:
        """The plate of all values of a node, for exact expectations in a replay.

        The plates of all nodes are made at once, because deeper ones must be summed over first.
        """
        for other in self.influence.nodes:
            if other not in self._values and other.attrs["family"].supports("cardinality"):
                plate = Plate.internal(
                    f"values of {other.name}", other.declared.cardinality(), rank=1
                )
                self._values[other] = plate
                self.owners[plate] = self.influence.nodes.only(other)
        return self._values[node]

    def twin(self, plate: Plate) -> Plate:
        """A plate of the same length for the element of `plate` that is left out."""
        if plate not in self._twins:
            self._twins[plate] = plate.twin()
        return self._twins[plate]

    # --- sums -------------------------------------------------------------------------------------
    def score(self, ancestors: tuple[Reach, ...], cost: str | None = None) -> Expr | None:
        """Σ_n Σ_{plates(n) ∖ sep} ℓ_n over ancestors on open paths, by shared prefix sums.

        Credit from a `cost` of an unrolled graph passes boundaries that are cut.
        """
        boundaries = self.graph.boundaries if cost is not None else None
        parts: list[Expr] = []
        for reach in ancestors if boundaries is None else _apart(self.influence, ancestors):
            part = self._prefix(reach.sep, reach.members) if reach.open else None
            if part is not None and boundaries is not None:
                (node,) = reach.members
                part = reduce(cross, boundaries.between(node.name, cost), part)
            parts += [] if part is None else [part]
        return reduce(add, parts) if parts else None

    def weight(self, ancestors: tuple[Reach, ...]) -> Expr | None:
        """exp Σ_n Σ_{plates(n) ∖ sep} log ρ_n: the importance ratios of recorded ancestors."""
        members = ((r.sep, r.members & self.recorded) for r in ancestors)
        parts = [p for sep, some in members if (p := self._ratios(sep, some)) is not None]
        return exp(stop(reduce(add, parts))) if parts else None

    def own_weight(self, node: StochasticNode) -> Expr | None:
        """The importance ratios of a recorded node and of its ancestors, on its plates."""
        if self.draws[node].ratio is None:
            return None
        itself = Reach(same(node.plates), True, False, self.influence.nodes.only(node))
        return self.weight((*self.influence.ancestors[node], itself))

    def _ratios(self, sep: frozenset[Any], members: Members[StochasticNode]) -> Expr | None:
        def value(node: StochasticNode) -> Expr | None:
            ratio = self.draws[node].ratio
            return None if ratio is None else scores(ratio, sep, {})

        return shared_sum(self._sums, ("ratio", sep), members, lambda some: some.last, value)

    def _prefix(self, sep: frozenset[Any], members: Members[StochasticNode]) -> Expr | None:
        def score(node: StochasticNode) -> Expr | None:
            logp = self.draws[node].logp
            if logp is None:
                return None
            found = scores(logp, sep, directed(self.graph, node, self.factors))
            return found + self._past(node, found, sep) if self.window else found

        return shared_sum(self._sums, sep, members, lambda some: some.last, score)

    def _past(self, node: StochasticNode, score: Expr, sep: frozenset[Any]) -> Expr:
        """The score of a node in the windows before, which counts where credit leaves a step."""
        window, forward = self.window, isinstance(self.plan.truncation, Forward)
        steps = {made.plate for made in self.graph.scans.values()}
        logp, at_start = self.draws[node].logp, node not in self._moves
        stays = any(p in sep for p in node.plates if p in steps)
        if stays or not forward or node not in self._carried or window is None or logp is None:
            return zeros(score)
        kept = tuple(p for p in score.plates if p not in steps)
        total = plate_sum(logp, [p for p in logp.plates if p not in kept])
        total = total * window.begins if at_start else total
        name = f"{node.name}/score/{','.join(p.name for p in kept)}"
        return past_scores(window, name, total, self.influence.learned.values())

    @cached_property
    def _carried(self) -> set[Expr]:
        """What carries depend on."""
        scans = self.graph.scans.values()
        return set(backwards(self.graph, [x for made in scans for x in made.carries]))

    @cached_property
    def _moves(self) -> set[Expr]:
        """What carries depend on after the first step."""
        scans = self.graph.scans.values()
        known = {x for made in scans for x in made.carries}
        return set(topological([x for made in scans for x in made.news], known))

    def counted(self, cost: Expr, weights: dict[Plate, Expr] | None = None) -> Expr:
        """A cost, 0 where it is infinite at an impossible value: 0 · ∞ must not meet a box."""
        weights = self.weights if weights is None else weights
        for plate in cost.plates:
            if plate in weights and weights[plate].value is None:
                cost = possible(cost, weights[plate])
        return cost

    def frozen(self, cost: Expr) -> Members[StochasticNode]:
        """The nodes that reach a cost through stops alone: their weights get no credit."""
        return reached(self.influence.nodes, self.influence.ancestors[cost], opened=False)

    def collapse(
        self,
        value: Expr,
        keep: Plates = (),
        frozen: Members[StochasticNode] | None = None,
        weights: dict[Plate, Expr] | None = None,
    ) -> Expr:
        """R: the weighted sum over sample plates other than `keep`.

        A plate on which the weights of a kept plate depend is kept, too: given one value of the
        child, the values of its parent are no longer weighted by their prior.
        """
        weights = self.weights if weights is None else weights
        if frozen:
            weights = {p: stop(w) if frozen & self.owners[p] else w for p, w in weights.items()}
        return averaged(value, weights, conditions(keep, weights))


def _apart(influence: Influence, ancestors: tuple[Reach, ...]) -> list[Reach]:
    """Ancestors one by one."""
    only = influence.nodes.only
    return [replace(r, members=only(node)) for r in ancestors for node in r.members]
