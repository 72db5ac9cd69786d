"""Surrogate: the compiler's rule for the objective of a planned graph.

A sample takes the place of each stochastic node, and the objective becomes

    S = Σ_c Σ_{plates of c} w_c · R[ ρ_c · ⊠( Σ_{n≺c} Σ_{plates(n) ∖ sep(n,c)} ℓ_n ) · c ]
      + Σ_n Σ_r Σ_{sep(n,r)} R[ ⊠( Σ_{m≺n} Σ_{plates(m) ∖ sep(m,r)} ℓ_m ) · t_{n,r} ]

an ordinary deterministic expression whose value is the cost estimate and whose derivatives are
the gradient estimates. ⊠ is the magic box of DiCE, R the weighted sum over sample plates, w_c the
factor of one element of c in the objective, and t_{n,r} the estimator's term of value 0 for a
route r, which ends at the node or at costs. ρ_c is 1, or the importance ratios of recorded values;
the terms of a recorded node have its ratio and those of its ancestors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from scg.compiler.downstream import SharedRuns
from scg.compiler.first_run import FirstRun
from scg.compiler.memory import NodeMemory
from scg.compiler.objective import contribution, total
from scg.compiler.plan import Plan
from scg.compiler.terms import Term
from scg.compiler.words import replays, summands
from scg.errors import DeclarationError
from scg.ir.expr import Expr, StochasticNode
from scg.ir.origin import Origin
from scg.ops.gradient import box


@dataclass(repr=False)
class Surrogate:
    """The surrogate of a planned graph, as expressions; ``print`` it.

    Attributes
    ----------
    objective : Expr
        S, a scalar.
    costs : dict
        The contribution of each cost to the objective.
    terms : dict
        The sample and the terms t_{n,r} of each node, by route.
    added : list
        The nodes' terms as summands of the objective, each with its node.
    memory : dict
        The estimators' own parameters and state, by node.
    loss : Expr or None
        The sum of the auxiliary losses.
    first : FirstRun
        The run that it is made from, with a sample in the place of each node.
    """

    plan: Plan
    objective: Expr = field(init=False)
    costs: dict[str, Expr] = field(init=False)
    terms: dict[StochasticNode, Term] = field(init=False)
    added: list[tuple[StochasticNode, Expr]] = field(init=False)
    memory: dict[str, NodeMemory] = field(init=False)
    loss: Expr | None = field(init=False)
    first: FirstRun = field(init=False)

    def __post_init__(self) -> None:
        self.graph = self.plan.influence.graph
        self.influence = self.plan.influence
        first = self.first = FirstRun(self.plan)
        shared = SharedRuns(first)
        simple: dict[Expr, Expr] = {}

        self.costs = {name: total([self.boxed(node, name)]) for name, node in self.influence.costs}
        self.terms, self.added, self.memory = {}, [], {}
        losses: list[Expr] = []
        for node in self.influence.nodes:
            self.graph.origin = node.origin
            draw, estimator = first.draws[node], self.plan.estimators[node]
            memory = first.noises[node].memory
            memory.begin(first.present(node))
            down: Any = shared.view(node)
            parts: Any = None
            if node.size:  # an empty event has nothing to estimate
                parts = estimator.term(first.dists[node], draw, down, memory)
            if not isinstance(parts, Mapping):
                parts = {} if parts is None else {down.own: parts}
            self.terms[node] = term = Term(node, draw, dict(parts))
            term.check(estimator, simple)
            if memory.leaves:
                self.memory[memory.node] = memory
            for route, part in parts.items():
                upstream = first.score(route.above)
                boxed = part if upstream is None else box(upstream) * part
                weight = first.own_weight(node)
                boxed = boxed if weight is None else weight * boxed
                self.added.append((node, total([first.collapse(boxed)])))
        for memory in self.memory.values():
            losses += memory.mean_loss
        if not self.costs:
            raise DeclarationError(
                f'graph {self.graph.name!r} declares no cost; write g.cost("loss", ...)'
            )
        self.graph.origin = Origin("the objective")
        self.objective = reduce(add, [*self.costs.values(), *(part for _, part in self.added)])
        self.loss = reduce(add, losses) if losses else None

    # --- in words ---------------------------------------------------------------------------------
    @property
    def summands(self) -> tuple[str, ...]:
        """Each cost under its magic box, then each term, as text."""
        parts = {node: term.parts for node, term in self.terms.items()}
        return tuple(summands(self.first, parts))

    @property
    def replays(self) -> int:
        """The number of replays in one run."""
        return replays(self.objective)

    def __str__(self) -> str:
        first, *others = self.summands
        return "\n".join([f"S = {first}", *(f"  + {summand}" for summand in others)])

    def __repr__(self) -> str:
        return f"Surrogate({self.graph.name!r}: {len(self.costs)} costs, {len(self.terms)} terms)"

    def boxed(self, node: Expr, name: str) -> Expr:
        """R[⊠(Σ ℓ) w_c c] of a cost, on the user's plates."""
        first, self.graph.origin = self.first, node.origin
        value = first.counted(contribution(node, first.env[node]))
        score = first.score(self.influence.ancestors[node], name)
        if first.particles is not None:
            score = first.particles.score(value)
        boxed = value if score is None else box(score) * value
        weight = first.weight(self.influence.ancestors[node])
        boxed = boxed if weight is None else weight * boxed
        return first.collapse(boxed, frozen=first.frozen(node))
