"""Explain: the estimator and the term of each stochastic node, and the reasons, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from os import PathLike
from typing import Any

from scg.common.arguments import checked
from scg.common.files import write_atomically
from scg.common.lazy import cached_property
from scg.compiler.analyse import Cost, Influence, reached
from scg.compiler.members import LONGEST, Members, added
from scg.compiler.mixing import Mixers
from scg.compiler.paths import elimination, most_paths
from scg.compiler.plan import Plan
from scg.compiler.surrogate import Surrogate
from scg.engine.program import Program
from scg.explain.derivation import Derivation
from scg.explain.formulas import meanings, of_term, renamed, replacements, specialised
from scg.explain.matrix import CreditMatrix, credit_matrix
from scg.explain.node import Credit, NodeExplanation
from scg.explain.page import Contents, fragment, page
from scg.explain.texts import derivation_text, document, markdown
from scg.explain.work import work
from scg.ir.expr import StochasticNode
from scg.ir.plate import sign


@dataclass(frozen=True)
class Explanation:
    """Estimators, terms and credit of a compiled graph, with the reasons; ``print`` it.

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
        Operations of one run, gradients included, relative to those of the declared graph;
        operations that evaluations share count once.
    surrogate : tuple of str
        The summands of the surrogate.
    elimination : str
        Order in which enumerated nodes are summed out before costs are evaluated, and the largest
        table that it takes; empty if none is.
    plan : Plan
        The estimators of the graph.
    order : {1, 2}
        The order of the derivatives.
    windows : str
        With ``checkpoint``, the windows of steps in which the step runs; else empty.
    """

    graph: str
    nodes: tuple[NodeExplanation, ...]
    paths: int
    evaluations: int
    work: float
    surrogate: tuple[str, ...]
    elimination: str
    plan: Plan = field(repr=False, compare=False)
    order: int = 1
    windows: str = ""

    @cached_property
    def derivation(self) -> Derivation:
        """The steps from the objective to the estimator."""
        return Derivation(self.plan, self.nodes, self.order)

    @cached_property
    def matrix(self) -> CreditMatrix:
        """Which cost credits which node, and on which plates."""
        return credit_matrix(self.nodes, self.plan.influence.costs.named)

    @property
    def unbiased(self) -> bool:
        """Whether all estimators, and the truncation, are unbiased."""
        return self.plan.unbiased

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
        """The meaning of t(n), if it occurs in the surrogate."""
        terms = any(node.term for node in self.nodes)
        text = "where t(n), of value 0, is the term that the estimator of node n adds"
        return text if terms else ""

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, fit for JSON.

        Nodes and costs are listed in their order. Of more than 8 that follow each other in this
        order a list gives the ends: ``{"from": "c0", "to": "c99"}``.
        """
        return {
            "graph": self.graph,
            "unbiased": self.unbiased,
            "truncation": self.plan.cut,
            "recorded": self.plan.given.lines,
            "windows": self.windows,
            "paths": self.paths,
            "evaluations": self.evaluations,
            "work": self.work,
            "elimination": self.elimination,
            "costs": [cost.name for cost in self.plan.influence.costs],
            "nodes": [_plain(node) for node in self.nodes],
            "surrogate": list(self.surrogate),
            "derivation": [_plain(line) for line in self.derivation.lines],
            "credit": self.matrix.rows(),
        }

    @checked('step.explain().to_html("why.html")')
    def to_html(self, path: str | PathLike[str]) -> None:
        """Write one file that shows the drawn graph beside the derivation, and loads no other file.

        Press a node to light its steps and the costs that credit it, a step to light its nodes;
        Tab, Enter and Escape do the same.

        Raises
        ------
        ScgError
            If no program that draws is installed.
        """
        write_atomically(path, page(self._contents()).encode())

    def __str__(self) -> str:
        first, *others = self.surrogate
        lines = ["surrogate S =", f"      {first}", *(f"    + {summand}" for summand in others)]
        lines += [self.note] if self.note else []
        head = f"{self.graph!r}: {self.head}"
        notes = (self.elimination, *self.plan.notes, self.windows)
        head += "".join(f"\n{line}" for line in notes if line)
        steps = f"derivation\n{derivation_text(self.derivation.lines)}"
        credit = f"credit\n{textwrap.indent(str(self.matrix), '  ')}"
        return "\n\n".join([head, *map(str, self.nodes), "\n".join(lines), steps, credit])

    def to_markdown(self) -> str:
        """The derivation and the credit in Markdown, with LaTeX between dollars."""
        return markdown(self.graph, self.head, self.derivation.lines, self.matrix)

    def to_latex(self) -> str:
        """The derivation and the credit in LaTeX, for a document with amsmath and amssymb."""
        return document(self.graph, self.head, self.derivation.lines, self.matrix)

    def _repr_html_(self) -> str:
        return fragment(self._contents())

    def _contents(self) -> Contents:
        lines, nodes = self.derivation.lines, self.nodes
        shown = nodes, lines, self.matrix, self.surrogate
        alike = {
            node.name or "": [other.name or "" for other in others]
            for node, others in self.derivation.alike.items()
            if others
        }
        return Contents(self.graph, self.head, *shown, self.note, self.plan, alike)


def explain(surrogate: Surrogate, program: Program) -> Explanation:
    """Explanation of the estimator and the term of each stochastic node of a compiled graph.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> print(scg.compile(g, scg.LeaveOneOut(samples=4)).explain())
    'toy': 1 stochastic node, 4 paths, 4 evaluations of the costs, ...; unbiased
    <BLANKLINE>
    b ~ Bernoulli(logits)
      estimator  LeaveOneOut(samples=4): unbiased; chosen by the user
      estimate   1/K Σᵢ (f(bᵢ) − 1/(K−1) Σⱼ≠ᵢ f(bⱼ)) ∇θ log p(bᵢ; θ)
      term       ∇θ t(b) = 1/K Σᵢ (−1/(K−1) Σⱼ≠ᵢ f(bⱼ)) ∇θ log p(bᵢ; θ)
      where      K = 4; f = loss; p = the probability or density given parents; θ = the parameters
      credit     by its score: ℓ(b) = log p(b)
      cost       loss
      samples    4
    <BLANKLINE>
    surrogate S =
          mean over 4 samples of b [ ⊠(ℓ(b)) · loss ]
        + mean over 4 samples of b [ t(b) ]
    where t(n), of value 0, is the term that the estimator of node n adds
    <BLANKLINE>
    derivation
      1  J(θ) = E[loss] = Σ_{b} p(b; θ) loss
             the objective: the mean of the costs over all samples
      2  ∇θ Σ_{b} p(b; θ) f(b) = Σ_{b} f(b) ∇θ p(b; θ) = E[f(b) ∇θ log p(b; θ)]
             the derivative passes a finite sum; ∇p = p ∇ log p; f = loss along b → loss
      3  ∇θ J = E[loss ∇θ log p(b; θ)]
             the product rule: a summand for each place where parameters enter
      4  1/K Σᵢ (f(bᵢ) − 1/(K−1) Σⱼ≠ᵢ f(bⱼ)) ∇θ log p(bᵢ; θ)
             b by LeaveOneOut(samples=4): its mean is what b contributes to the gradient
      5  ∇θ t(b) = 1/K Σᵢ (−1/(K−1) Σⱼ≠ᵢ f(bⱼ)) ∇θ log p(bᵢ; θ)
             t(b) has the value 0, and joins the surrogate for this derivative, whose mean is 0
      6  ∇θ J = E[∇θ S]
             the step differentiates the surrogate S, whose summands are listed
    <BLANKLINE>
    credit
         loss
      b  score
    """
    plan = surrogate.plan
    paths, mixers = most_paths(plan.influence, plan.estimators), Mixers(plan.influence)
    new = replacements(surrogate.graph.roles)
    return Explanation(
        graph=surrogate.graph.name,
        nodes=tuple(_node(surrogate, node, mixers, new) for node in plan.influence.nodes),
        paths=paths,
        evaluations=paths + surrogate.replays,
        work=work(program.operations) / max(work(plan.influence.order), 1),
        surrogate=surrogate.summands,
        elimination=elimination(plan.influence, plan.estimators),
        plan=plan,
        order=1 + any(isinstance(k, tuple) and k[0] == "hessian" for k in program.outputs),
        windows=_in_windows(program),
    )


# --- nodes ----------------------------------------------------------------------------------------
def _node(
    surrogate: Surrogate, node: StochasticNode, mixers: Mixers, new: dict[str, str]
) -> NodeExplanation:
    influence, estimator = surrogate.influence, surrogate.plan.estimators[node]
    draw, memory = surrogate.first.draws[node], surrogate.memory.get(node.name or "")
    own = set(memory.parameters) if memory else set()
    formula = specialised(estimator, node.name or "")
    part = of_term(estimator, formula) if surrogate.terms[node].parts else ""
    where = {
        "f": added(influence.credited(node), "costs") or "0",
        **{symbol: str(what) for symbol, what in estimator.where().items()},
    }
    symbols = {renamed(k, new): v for k, v in meanings(estimator, formula, where).items()}
    stopped = reached(influence.costs, influence.downstream[node], opened=False)
    together = surrogate.first.owners[draw.plate] if draw.plate else influence.nodes.none
    return NodeExplanation(
        name=node.name or "",
        distribution=f"{node.attrs['family'].__name__}({', '.join(node.declared.parameters)})",
        shape=node.shape,
        plates=tuple(plate.name for plate in node.plates),
        estimator=repr(estimator),
        reason=surrogate.plan.reasons[node],
        formula=renamed(formula, new),
        part=renamed(part, new),
        where=where,
        symbols=symbols,
        unbiased=estimator.unbiased,
        credit=estimator.credit,
        credited=_credits(influence, node, mixers),
        stopped=stopped.names,
        draws=(draw.plate.length or 1) if draw.plate else 1,
        shared=(together - influence.nodes.only(node)).names,
        state=tuple(name for name in (memory.leaves if memory else ()) if name not in own),
        parameters=tuple(name for name in (memory.leaves if memory else ()) if name in own),
        term=bool(surrogate.terms[node].parts),
    )


def _credits(influence: Influence, node: StochasticNode, mixers: Mixers) -> tuple[Credit, ...]:
    """The credit of a node, in the order of the costs."""
    found: dict[Cost, Credit] = {}
    for reach in influence.downstream[node]:
        if reach.open:
            kept = tuple(plate.name for plate in node.plates if plate in reach.sep)
            signs = {plate: sign(reach.sep, plate) for plate in node.plates}
            onward = {plate.name: word for plate, word in signs.items() if word}
            mixed = [p for p in node.plates if p not in reach.sep and not signs[p]]
            for ops, costs in mixers.groups(node, reach.members, mixed).items():
                summed = {plate.name: op for plate, op in zip(mixed, ops, strict=True)}
                found[costs.first] = Credit(costs.names, kept, summed, onward)
    return tuple(found[first] for first in sorted(found, key=influence.costs.position.__getitem__))


# --- words ----------------------------------------------------------------------------------------
def _plain(value: Any) -> Any:
    """A value as JSON has it; long runs of members are given by their ends."""
    if is_dataclass(value):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Members):
        return [name for run in value.runs() for name in _ends(run)]
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def _ends(run: Sequence[str]) -> Sequence[Any]:
    return run if len(run) <= LONGEST else [{"from": run[0], "to": run[-1]}]


def _in_windows(program: Program) -> str:
    """The windows in which a program runs, and how often; nothing without them."""
    return f"in {program.windows}: {program.sweeps.ways}" if program.sweeps else ""


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
