"""Surrogate: the compiler's law.

Every stochastic node is replaced by its draw, and the objective becomes

    S = Σ_c Σ_{plates of c} w_c · R[ ⊠( Σ_{n≺c} Σ_{plates(n) ∖ sep(n,c)} ℓ_n ) · c ]
      + Σ_n Σ_r Σ_{sep(n,r)} R[ ⊠( Σ_{m≺n} Σ_{plates(m) ∖ sep(m,r)} ℓ_m ) · t_{n,r} ]

an ordinary deterministic expression whose value is the cost estimate and whose derivatives are
the gradient estimates. ⊠ is the magic box of DiCE, R the weighted sum over sample plates, w_c the
factor of one element of c in the objective, and t_{n,r} the estimator's term of value 0 for a
route r, which ends at the node or at costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from scg.compiler.analyse import Reach
from scg.compiler.downstream import MeanField, NodeDownstream
from scg.compiler.memory import NodeMemory
from scg.compiler.noise import NodeNoise
from scg.compiler.objective import contribution, total
from scg.compiler.plan import Plan
from scg.compiler.rerun import Run, expectation
from scg.compiler.routes import Route
from scg.compiler.simplify import simplify
from scg.errors import CompilerError, DeclarationError
from scg.estimators.protocol import Draw
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import constant
from scg.ir.plate import Plate, Plates, ordered
from scg.ir.walk import rewrite
from scg.lazy import cached_property
from scg.ops.base import is_constant
from scg.ops.elementwise import possible
from scg.ops.gradient import box, stop
from scg.ops.reductions import expand, plate_sum, sum_mixed


@dataclass
class Term:
    """What one node adds to the surrogate."""

    node: StochasticNode
    draw: Draw
    parts: dict[Route, Expr]


@dataclass
class Surrogate:
    """The surrogate of a planned graph, as expressions.

    Attributes
    ----------
    objective : Expr
        S, a scalar.
    costs : dict
        The value of each cost, as its contribution to the objective.
    terms : dict
        For each node its draw and its terms t_{n,r} by route.
    memory : dict
        The estimators' own parameters and state, by node.
    loss : Expr or None
        The sum of the auxiliary losses.
    """

    plan: Plan
    objective: Expr = field(init=False)
    costs: dict[str, Expr] = field(init=False)
    terms: dict[StochasticNode, Term] = field(init=False)
    memory: dict[str, NodeMemory] = field(init=False)
    loss: Expr | None = field(init=False)

    def __post_init__(self) -> None:
        self.graph = self.plan.influence.graph
        self.influence = self.plan.influence
        self.weights: dict[Plate, Expr] = {}
        self.owners: dict[Plate, int] = {}  # the nodes on each sample plate, as bits
        self._plates: dict[object, Plate] = {}
        self._values: dict[StochasticNode, Plate] = {}
        self._twins: dict[Plate, Plate] = {}
        self._simple: dict[Expr, Expr] = {}
        self._sums: dict[Any, Expr | None] = {}
        self.suffixes: dict[Any, Expr] = {}
        self.draws: dict[StochasticNode, Draw] = {}
        self.dists: dict[StochasticNode, Any] = {}
        self.noises: dict[StochasticNode, NodeNoise] = {}
        self.env: dict[Expr, Expr] = {}
        self._draw_all()

        parts = [self.boxed(node) for _, node in self.influence.costs]
        self.costs = {name: total([p]) for name, p in zip(self.graph.costs, parts, strict=True)}
        self.terms, self.memory, summands = {}, {}, list(self.costs.values())
        losses: list[Expr] = []
        for node in self.influence.nodes:
            self.graph.origin = node.origin
            draw, estimator = self.draws[node], self.plan.estimators[node]
            memory = self.noises[node].memory
            down: Any = NodeDownstream(self, node)
            parts: Any = estimator.term(self.dists[node], draw, down, memory)
            if not isinstance(parts, Mapping):
                parts = {} if parts is None else {down.own: parts}
            self.terms[node] = Term(node, draw, dict(parts))
            if memory.leaves:
                self.memory[memory.node] = memory
            losses += memory.losses
            for route, part in parts.items():
                self._check_term(node, route, part)
                upstream = self.score(route.above)
                boxed = part if upstream is None else box(upstream) * part
                summands.append(total([self.collapse(boxed)]))
        if not summands:
            raise DeclarationError(
                f'graph {self.graph.name!r} declares no cost; write g.cost("loss", ...)'
            )
        self.objective = reduce(add, summands)
        self.loss = reduce(add, losses) if losses else None

    # --- draws ------------------------------------------------------------------------------------
    def _draw_all(self) -> None:
        for expr in self.influence.order:
            self.graph.origin = expr.origin
            if isinstance(expr, StochasticNode):
                self._draw(expr)
            else:
                rewrite((expr,), self.env)

    def draw_of(self, node: StochasticNode, env: dict[Expr, Expr]) -> Draw:
        """Let a node's estimator draw it, its parents being what `env` holds.

        The noise lies on the plates that the node has in the surrogate, so that a replay meets
        the same leaves.
        """
        args = tuple(env[arg] for arg in node.args)
        dist = node.given(args)
        if node not in self.noises:
            plates = ordered((*node.plates, *(p for arg in args for p in arg.plates)))
            self.noises[node] = NodeNoise(
                self.graph,
                node.name or "",
                plates,
                lambda n: self._plate(node, n),
                NodeMemory(self.graph, node.name or ""),
            )
            self.dists[node] = dist
        noise: Any = self.noises[node]
        draw = self.plan.estimators[node].draw(dist, noise)
        if draw.value.shape != node.shape or draw.value.kind != node.kind:
            raise CompilerError(
                f"{self.plan.estimators[node]!r} drew {draw.value!r} for node {node.name!r} "
                f"of shape {node.shape}"
            )
        # Every later expression must keep the declared plates, also where the value is constant.
        plates = (*draw.value.plates, *node.plates)
        return draw._replace(value=expand(draw.value, plates, node.shape))

    def _draw(self, node: StochasticNode) -> None:
        draw = self.draw_of(node, self.env)
        if draw.plate is not None:
            plate = draw.plate
            assert plate.length is not None
            uniform = constant(self.graph, 1.0 / plate.length)
            self.weights[plate] = uniform if draw.weight is None else draw.weight
            self.owners[plate] = self.owners.get(plate, 0) | 1 << self.influence.index[node]
        self.draws[node], self.env[node] = draw, draw.value

    def _plate(self, node: StochasticNode, length: int) -> Plate:
        key = self.plan.plate_key(node)
        if key not in self._plates:
            self._plates[key] = Plate.internal(f"samples of {node.name}", length, rank=1)
        return self._plates[key]

    def value_plate(self, node: StochasticNode) -> Plate:
        """Return the plate of all values of a node, for exact expectations in a replay.

        The plates of all nodes are made at once: deeper ones are to be summed over first.
        """
        for i, other in enumerate(self.influence.nodes):
            if other not in self._values and other.attrs["family"].supports("cardinality"):
                plate = Plate.internal(
                    f"values of {other.name}", other.declared.cardinality(), rank=1
                )
                self._values[other], self.owners[plate] = plate, 1 << i
        return self._values[node]

    def twin(self, plate: Plate) -> Plate:
        """Return a plate of the same length for the element of `plate` that is left out."""
        if plate not in self._twins:
            self._twins[plate] = Plate.internal(f"left out of {plate.name}", plate.length, rank=1)
        return self._twins[plate]

    # --- the law ----------------------------------------------------------------------------------
    def score(self, ancestors: tuple[Reach, ...]) -> Expr | None:
        """Σ_n Σ_{plates(n) ∖ sep} ℓ_n over ancestors on open paths, by shared prefix sums."""
        parts = [
            part
            for reach in ancestors
            if reach.open and (part := self._prefix(reach.sep, reach.members)) is not None
        ]
        return reduce(add, parts) if parts else None

    def _prefix(self, sep: frozenset[Plate], members: int) -> Expr | None:
        pending = []
        while members and (sep, members) not in self._sums:
            pending.append(members)
            members ^= 1 << (members.bit_length() - 1)
        total = self._sums.get((sep, members))
        for mask in reversed(pending):
            own = self._score_of(self.influence.nodes[mask.bit_length() - 1], sep)
            if own is not None:
                total = own if total is None else total + own
            self._sums[sep, mask] = total
        return total

    def _score_of(self, node: StochasticNode, sep: frozenset[Plate]) -> Expr | None:
        logp = self.draws[node].logp
        return None if logp is None else sum_mixed(logp, sep)

    def boxed(self, node: Expr) -> Expr:
        """R[⊠(Σ ℓ) w_c c] of a cost, on the user's plates."""
        self.graph.origin = node.origin
        value = self.counted(contribution(node, self.env[node]))
        score = self.score(self.influence.ancestors[node])
        boxed = value if score is None else box(score) * value
        return self.collapse(boxed, frozen=self.frozen(node))

    def counted(self, cost: Expr, weights: dict[Plate, Expr] | None = None) -> Expr:
        """The cost, without infinite ones of impossible values: 0 · ∞ must not meet a box."""
        weights = self.weights if weights is None else weights
        for plate in cost.plates:
            if plate in weights and weights[plate].value is None:
                cost = possible(cost, weights[plate])
        return cost

    def frozen(self, cost: Expr) -> int:
        """Nodes from which a cost is reached through stops alone: their weights get no credit."""
        members = 0
        for reach in self.influence.ancestors[cost]:
            members |= 0 if reach.open else reach.members
        return members

    def collapse(
        self,
        value: Expr,
        keep: Plates = (),
        frozen: int = 0,
        weights: dict[Plate, Expr] | None = None,
    ) -> Expr:
        """R: the weighted sum over sample plates other than `keep`, innermost first."""
        weights = self.weights if weights is None else weights
        while True:
            plates = [p for p in value.plates if not p.owned_by_user and p not in keep]
            if not plates:
                return value
            plate = plates[-1]
            weight = weights[plate]
            if frozen & self.owners[plate]:
                weight = stop(weight)
            value = plate_sum(weight * value, plate)

    @cached_property
    def mean_field(self) -> MeanField:
        """The deterministic pass with every node at its mean, shared by all nodes."""
        return MeanField(self)

    @cached_property
    def expectation(self) -> Run:
        """The run with every node on a plate of all its values, shared by all nodes."""
        return expectation(self)

    def _check_term(self, node: StochasticNode, route: Route, term: Expr) -> None:
        """A term has value 0, and lives on the user's plates that survive on its route.

        Without stops and boxes nothing must remain of it.
        """
        plates = {plate for plate in term.plates if plate.owned_by_user}
        if plates != route.sep:
            raise CompilerError(
                f"the term of {self.plan.estimators[node]!r} at node {node.name!r} lives on the "
                f"plates {plates}, expected {set(route.sep)}"
            )
        (rest,) = simplify([term], self._simple)
        if not is_constant(rest, 0):
            raise CompilerError(
                f"the term of {self.plan.estimators[node]!r} at node {node.name!r} does not have "
                "the value 0; terms are written with control_variate(...)"
            )
