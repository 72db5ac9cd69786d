"""Explain: which term was attached to which stochastic node, and why, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from os import PathLike
from typing import Any

from scg.compiler.analyse import Influence, Reach, bits
from scg.compiler.paths import most_paths
from scg.compiler.plan import Plan
from scg.compiler.surrogate import Surrogate
from scg.engine.program import Program
from scg.explain.node import Credit, NodeExplanation
from scg.explain.page import fragment, page
from scg.explain.work import work
from scg.files import write_atomically
from scg.ir.expr import Expr, StochasticNode


@dataclass(frozen=True)
class Explanation:
    """What a step does and why; ``print`` it.

    Attributes
    ----------
    graph : str
        Name of the graph.
    nodes : tuple of NodeExplanation
        The stochastic nodes in topological order.
    paths : int
        Paths on which the costs are evaluated: the product of nested sample plates.
    evaluations : int
        Evaluations of the costs in one run: the paths, and replays for control variates.
    work : float
        Operations on numbers that one run takes, gradients included, in units of those that the
        declared graph takes: what evaluations share counts once.
    surrogate : tuple of str
        The summands of the surrogate, in the words of the law.
    plan : Plan
        The estimators of the graph.
    """

    graph: str
    nodes: tuple[NodeExplanation, ...]
    paths: int
    evaluations: int
    work: float
    surrogate: tuple[str, ...]
    plan: Plan = field(repr=False, compare=False)

    @property
    def unbiased(self) -> bool:
        """Whether every estimator is unbiased."""
        return all(node.unbiased for node in self.nodes)

    @property
    def head(self) -> str:
        """The numbers in one line."""
        extra = self.evaluations - self.paths
        counts = [
            _count(len(self.nodes), "stochastic node"),
            _count(self.paths, "path"),
            _count(self.evaluations, "evaluation") + " of the costs",
            *([_count(extra, "of them replay")] if extra else []),
        ]
        if self.evaluations > 1:
            counts.append(f"{self.work:.0f} times the work of the graph")
        return f"{', '.join(counts)}; {'unbiased' if self.unbiased else 'BIASED'}"

    @property
    def note(self) -> str:
        """What t(n) means, where it occurs in the surrogate."""
        terms = any(node.term for node in self.nodes)
        text = "where t(n), of value 0, is the term that the estimator of node n adds"
        return text if terms else ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, fit for JSON."""
        return {
            "graph": self.graph,
            "unbiased": self.unbiased,
            "paths": self.paths,
            "evaluations": self.evaluations,
            "work": self.work,
            "nodes": [asdict(node) for node in self.nodes],
            "surrogate": list(self.surrogate),
        }

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write a page that shows the drawn graph beside the terms, and needs no other file.

        Pressing a node shows its term and the costs that it is credited with.

        Raises
        ------
        ScgError
            If nothing that draws is installed.
        """
        write_atomically(path, page(self.graph, *self._parts(), self.plan).encode())

    def __str__(self) -> str:
        first, *others = self.surrogate
        law = ["surrogate S =", f"      {first}", *(f"    + {summand}" for summand in others)]
        law += [self.note] if self.note else []
        return "\n\n".join([f"{self.graph!r}: {self.head}", *map(str, self.nodes), "\n".join(law)])

    def _repr_html_(self) -> str:
        return fragment(self.graph, *self._parts(), self.plan)

    def _parts(self) -> tuple[str, tuple[NodeExplanation, ...], tuple[str, ...], str]:
        return self.head, self.nodes, self.surrogate, self.note


def explain(surrogate: Surrogate, program: Program) -> Explanation:
    """Say which term a compiled graph attaches to which stochastic node, and why.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> print(scg.compile(g, scg.LeaveOneOut(samples=4)).explain())
    'toy': 1 stochastic node, 4 paths, 4 evaluations of the costs, 21 times ...; unbiased
    <BLANKLINE>
    b ~ Bernoulli(logits)
      estimator  LeaveOneOut(samples=4): unbiased; chosen by the user
      estimate   1/K Σᵢ (f(xᵢ) − 1/(K−1) Σⱼ≠ᵢ f(xⱼ)) ∇θ log p(xᵢ; θ)
      where      f = loss, K = 4
      credit     by its score: ℓ(b) = log p(b)
      cost       loss
      draws      4
    <BLANKLINE>
    surrogate S =
          mean over 4 draws of b [ ⊠(ℓ(b)) · loss ]
        + mean over 4 draws of b [ t(b) ]
    where t(n), of value 0, is the term that the estimator of node n adds
    """
    plan = surrogate.plan
    paths = most_paths(plan.influence, plan.estimators)
    return Explanation(
        graph=surrogate.graph.name,
        nodes=tuple(_node(surrogate, node) for node in plan.influence.nodes),
        paths=paths,
        evaluations=paths + surrogate.replays,
        work=work(program.operations) / max(work(plan.influence.order), 1),
        surrogate=surrogate.summands,
        plan=plan,
    )


# --- nodes ----------------------------------------------------------------------------------------
def _node(surrogate: Surrogate, node: StochasticNode) -> NodeExplanation:
    influence, estimator = surrogate.influence, surrogate.plan.estimators[node]
    draw, memory = surrogate.first.draws[node], surrogate.memory.get(node.name or "")
    own = set(memory.parameters) if memory else set()
    reaches = {
        influence.costs[i][0]: reach
        for reach in influence.downstream[node]
        for i in bits(reach.members)
    }
    credited = tuple(
        _credit(influence, node, name, reaches[name])
        for name, _ in influence.costs
        if name in reaches and reaches[name].open
    )
    return NodeExplanation(
        name=node.name or "",
        distribution=f"{node.attrs['family'].__name__}({', '.join(node.declared.parameters)})",
        shape=node.shape,
        plates=tuple(plate.name for plate in node.plates),
        estimator=repr(estimator),
        reason=surrogate.plan.reasons[node],
        formula=estimator.formula,
        where={
            "f": " + ".join(credit.cost for credit in credited) or "0",
            **{symbol: str(what) for symbol, what in estimator.where().items()},
        },
        unbiased=estimator.unbiased,
        credit=estimator.credit,
        credited=credited,
        stopped=tuple(
            name for name, _ in influence.costs if name in reaches and not reaches[name].open
        ),
        draws=(draw.plate.length or 1) if draw.plate else 1,
        shared=tuple(
            other.name or ""
            for other in influence.nodes
            if draw.plate and other is not node and surrogate.first.draws[other].plate is draw.plate
        ),
        state=tuple(name for name in (memory.leaves if memory else ()) if name not in own),
        parameters=tuple(name for name in (memory.leaves if memory else ()) if name in own),
        term=bool(surrogate.terms[node].parts),
    )


def _credit(influence: Influence, node: StochasticNode, cost: str, reach: Reach) -> Credit:
    goal = dict(influence.costs)[cost]
    return Credit(
        cost,
        kept=tuple(plate.name for plate in node.plates if plate in reach.sep),
        summed={
            plate.name: _op(influence.breaker(node, goal, plate))
            for plate in node.plates
            if plate not in reach.sep
        },
    )


# --- words ----------------------------------------------------------------------------------------
def _op(expr: Expr) -> str:
    if isinstance(expr, StochasticNode):
        return f"stochastic node {expr.name!r}"
    return f"{expr.op.name!r} (node {expr.name!r})" if expr.name else f"{expr.op.name!r}"


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
