"""Explain: which term was attached to which stochastic node, and why, in words."""

from __future__ import annotations

import html
import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from scg.expr import Expr, StochasticNode
from scg.law import names, replays, summands
from scg.passes.analyse import Influence, Reach, bits
from scg.passes.plan import most_paths
from scg.passes.surrogate import Surrogate
from scg.step import Step

_CREDIT = {
    "score": "by its score: ℓ({name}) = log p({name})",
    "pathwise": "through its value (pathwise): ℓ({name}) = 0",
    "weight": "through the weights of its sample plate: ℓ({name}) = 0",
}


@dataclass(frozen=True)
class Credit:
    """A cost with which a stochastic node is credited.

    Attributes
    ----------
    cost : str
        The cost.
    kept : tuple of str
        Plates of the node on which each element is credited with its own costs alone.
    summed : dict
        Plates of the node over which its score is summed, and the op that mixes their elements.
    """

    cost: str
    kept: tuple[str, ...]
    summed: dict[str, str]


@dataclass(frozen=True)
class NodeExplanation:
    """What was decided for one stochastic node.

    Attributes
    ----------
    name, distribution : str
        The node, and the distribution with the names of its parameters.
    shape, plates : tuple
        Event shape and names of the user's plates.
    estimator, reason, formula : str
        The estimator, why it was chosen, and the gradient estimate.
    unbiased : bool
        Whether the expected gradient is the true one.
    credit : {"score", "pathwise", "weight"}
        How credit reaches the node's parameters.
    credited : tuple of Credit
        The costs with which the node is credited.
    stopped : tuple of str
        The costs that it reaches only through ``stop_gradient``.
    draws : int
        Draws on the sample plate of its estimator; 1 where there is none.
    shared : tuple of str
        The other nodes on that plate.
    state, parameters : tuple of str
        What the estimator keeps from call to call, and its own parameters.
    term : bool
        Whether the estimator adds a term to the surrogate.
    """

    name: str
    distribution: str
    shape: tuple[int, ...]
    plates: tuple[str, ...]
    estimator: str
    reason: str
    formula: str
    unbiased: bool
    credit: str
    credited: tuple[Credit, ...]
    stopped: tuple[str, ...]
    draws: int
    shared: tuple[str, ...]
    state: tuple[str, ...]
    parameters: tuple[str, ...]
    term: bool

    def __str__(self) -> str:
        place = f", on plate {names(self.plates)}" if self.plates else ""
        shape = f", shape {self.shape}" if self.shape else ""
        bias = "unbiased" if self.unbiased else "BIASED"
        rows = [
            ("estimator", f"{self.estimator}: {bias}; {self.reason}"),
            ("estimate", self.formula),
            ("credit", _CREDIT[self.credit].format(name=self.name)),
            *(("cost", text) for text in self._costs()),
        ]
        if self.stopped:
            rows.append(("no credit", f"{names(self.stopped)}: only through stop_gradient"))
        if self.draws > 1:
            joint = f", one sample plate with {names(self.shared)}" if self.shared else ""
            rows.append(("draws", f"{self.draws}{joint}"))
        if self.state:
            rows.append(("state", names(self.state)))
        if self.parameters:
            rows.append(("learns", f"its own parameters {names(self.parameters)}"))
        return "\n".join(
            [f"{self.name} ~ {self.distribution}{shape}{place}", *(_row(*row) for row in rows)]
        )

    def _costs(self) -> list[str]:
        """The credited costs in words, those with the same plates together."""
        groups: dict[str, list[str]] = {}
        for credit in self.credited:
            words = [f"each element of {names(credit.kept)} with its own"] if credit.kept else []
            words += [
                f"score summed over {plate}, whose elements {op} mixes"
                for plate, op in credit.summed.items()
            ]
            text = "; ".join(words) if self.credit == "score" else ""
            groups.setdefault(text, []).append(credit.cost)
        costs = [f"{names(group)}{': ' if text else ''}{text}" for text, group in groups.items()]
        return costs or ["none: no gradient reaches its parameters through it"]


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
    surrogate : tuple of str
        The summands of the surrogate, in the words of the law.
    """

    graph: str
    nodes: tuple[NodeExplanation, ...]
    paths: int
    evaluations: int
    surrogate: tuple[str, ...]

    @property
    def unbiased(self) -> bool:
        """Whether every estimator is unbiased."""
        return all(node.unbiased for node in self.nodes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, fit for JSON."""
        return {**asdict(self), "unbiased": self.unbiased}

    def __str__(self) -> str:
        extra = self.evaluations - self.paths
        more = f", {extra} of them {_plural(extra, 'replay')}" if extra else ""
        law = "\n    + ".join(["surrogate S =", *self.surrogate]).replace("+", " ", 1)
        if any(node.term for node in self.nodes):
            law += "\nwhere t(n), of value 0, is the term that the estimator of node n adds"
        return "\n\n".join(
            [
                f"{self.graph!r}: {len(self.nodes)} {_plural(len(self.nodes), 'stochastic node')}, "
                f"{self.paths} {_plural(self.paths, 'path')}, {self.evaluations} "
                f"{_plural(self.evaluations, 'evaluation')} of the costs{more}; "
                + ("unbiased" if self.unbiased else "BIASED"),
                *map(str, self.nodes),
                law,
            ]
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def explain(step: Step) -> Explanation:
    """Say which term a step attaches to which stochastic node, and why.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> print(scg.compile(g, scg.LeaveOneOut(samples=4)).explain())
    'toy': 1 stochastic node, 4 paths, 4 evaluations of the costs; unbiased
    <BLANKLINE>
    b ~ Bernoulli(logits)
      estimator  LeaveOneOut(samples=4): unbiased; chosen by the user
      estimate   1/K Σᵢ (f(xᵢ) − 1/(K−1) Σⱼ≠ᵢ f(xⱼ)) ∇θ log p(xᵢ; θ)
      credit     by its score: ℓ(b) = log p(b)
      cost       loss
      draws      4
    <BLANKLINE>
    surrogate S =
          mean over 4 draws of b [ ⊠(ℓ(b)) · loss ]
        + mean over 4 draws of b [ t(b) ]
    where t(n), of value 0, is the term that the estimator of node n adds
    """
    surrogate, plan = step.surrogate, step.plan
    paths = most_paths(plan.influence, plan.estimators)
    return Explanation(
        graph=step.graph.name,
        nodes=tuple(_node(surrogate, node) for node in plan.influence.nodes),
        paths=paths,
        evaluations=paths + replays(surrogate),
        surrogate=tuple(summands(surrogate)),
    )


# --- nodes ----------------------------------------------------------------------------------------
def _node(surrogate: Surrogate, node: StochasticNode) -> NodeExplanation:
    influence, estimator = surrogate.influence, surrogate.plan.estimators[node]
    draw, memory = surrogate.draws[node], surrogate.memory.get(node.name or "")
    own = set(memory.parameters) if memory else set()
    reaches = {
        influence.costs[i][0]: reach
        for reach in influence.downstream[node]
        for i in bits(reach.members)
    }
    return NodeExplanation(
        name=node.name or "",
        distribution=f"{node.attrs['family'].__name__}({', '.join(node.dist.parameters)})",
        shape=node.shape,
        plates=tuple(plate.name for plate in node.plates),
        estimator=repr(estimator),
        reason=surrogate.plan.reasons[node],
        formula=estimator.formula,
        unbiased=estimator.unbiased,
        credit=estimator.credit,
        credited=tuple(
            _credit(influence, node, name, reaches[name])
            for name, _ in influence.costs
            if name in reaches and reaches[name].open
        ),
        stopped=tuple(
            name for name, _ in influence.costs if name in reaches and not reaches[name].open
        ),
        draws=(draw.plate.length or 1) if draw.plate else 1,
        shared=tuple(
            other.name or ""
            for other in influence.nodes
            if draw.plate and other is not node and surrogate.draws[other].plate is draw.plate
        ),
        state=tuple(name for name in (memory.leaves if memory else ()) if name not in own),
        parameters=tuple(name for name in (memory.leaves if memory else ()) if name in own),
        term=surrogate.terms[node].value is not None,
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


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _row(label: str, text: str) -> str:
    head = f"  {label:<9}  "
    return textwrap.fill(text, 100, initial_indent=head, subsequent_indent=" " * len(head))
