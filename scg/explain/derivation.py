"""Derivation: from the objective of a graph to the estimator of its gradient, a line a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from scg.compiler.members import LONGEST
from scg.compiler.objective import reduction
from scg.compiler.plan import Plan
from scg.explain.formulas import of_term, renamed, replacements, specialised, within
from scg.explain.lineage import Lineage
from scg.explain.node import Credit, NodeExplanation
from scg.explain.notation import added, bracketed, few, listed, quoted
from scg.ir.expr import StochasticNode

MOST = 16  #: Nodes whose lines a derivation shows: the first ones of a larger graph.
_PASSES = {
    "finite": "the derivative passes a finite sum",
    "countable": "the derivative passes the sum, which converges uniformly",
    "continuous": "the derivative passes the integral, because the support does not move with ⟦θ⟧",
}


@dataclass(frozen=True)
class DerivationLine:
    """One step of a derivation.

    Attributes
    ----------
    kind : {"objective", "interchange", "drop", "gradient", "estimate", "term", "surrogate"}
        What the step does.
    formula, words : str
        The formula, and why it holds. Users' names stand in angle quotes, formulas among the words
        in white brackets.
    nodes, costs : tuple of str
        What the step is about.
    """

    kind: str
    formula: str
    words: str
    nodes: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summand:
    """A summand of the gradient, where parameters enter at one node or in one cost.

    Attributes
    ----------
    formula : str
        The summand; its mean over the samples is a part of the gradient.
    node : str or None
        The node at which parameters enter; None where they enter in the cost.
    costs : tuple of str
        The costs that are credited or, for a pathwise node, differentiated.
    through : tuple of str
        For a pathwise node: nodes below whose probabilities are differentiated, too.
    kept, summed : tuple of str
        Plates on which each element is credited with its own costs alone, and plates over which
        the score is summed.
    """

    formula: str
    node: str | None
    costs: tuple[str, ...]
    through: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()


class Derivation:
    """The steps from the objective to the estimator.

    Attributes
    ----------
    lines : tuple of DerivationLine
        The steps.
    summands : tuple of Summand
        The summands of the gradient.
    """

    def __init__(self, plan: Plan, explained: Iterable[NodeExplanation]):
        self.plan, self.influence, self.lineage = plan, plan.influence, Lineage(plan)
        self.about = {node.name: node for node in explained}
        shown = list(islice(self.influence.nodes, MOST))
        self.left_out = len(self.influence.nodes) - len(shown)
        summands = [s for node in shown for s in self._of_node(node)]
        summands += self._of_costs()
        own = {node: None for node in shown if self.lineage.enters(node)}
        below = {name for summand in summands for name in summand.through}
        lines = [self._objective(shown)]
        for node in own:
            lines += [self._interchange(node), *self._drops(node)]
        if idle := [node.name or "" for node in shown if node not in own]:
            words = f"no parameter enters at {listed(idle)}: there is nothing to differentiate"
            lines.append(DerivationLine("interchange", "", words, tuple(idle)))
        lines.append(self._gradient(summands))
        for node in shown:
            if node in own:
                mean = f"its mean is what {quoted(node.name or '')} contributes to the gradient"
                lines += self._estimates(node, mean)
            elif node.name in below:
                lines += self._estimates(
                    node, "its mean is in the summand of a pathwise node above"
                )
        if self.left_out:
            words = f"the other {self.left_out} nodes are derived alike"
            lines.append(DerivationLine("estimate", "…", words))
        lines += [*self._recorded(), *self._cut()]
        lines.append(self._surrogate())
        new = replacements(self.influence.graph.roles)
        self.lines = tuple(
            replace(x, formula=renamed(x.formula, new), words=within(x.words, new)) for x in lines
        )
        self.summands = tuple(replace(x, formula=renamed(x.formula, new)) for x in summands)

    def p(self, node: StochasticNode) -> str:
        """The probability of a node given its parents, as text."""
        direct = listed(self.lineage.parents(node))
        parents = ", ".join(filter(None, (direct, *self.lineage.earlier(node))))
        given = f" | {parents}" if parents else ""
        return f"p({quoted(node.name or '')}{given}{'; θ' if self.lineage.enters(node) else ''})"

    # --- the objective ----------------------------------------------------------------------------
    def _objective(self, nodes: list[StochasticNode]) -> DerivationLine:
        names = [cost.name for cost in self.influence.costs]
        outer = "".join(self._over(node) for node in nodes)
        factors = " ".join(
            "".join(f"Π_{{{quoted(plate.name)}}} " for plate in node.plates) + self.p(node)
            for node in nodes
        )
        formula = f"J(θ) = E[{added(names)}]"
        if nodes:
            formula += f" = {outer}{factors} {'… ' if self.left_out else ''}{bracketed(names)}"
        words = ["the objective: the mean of the costs over all samples"]
        for name, node in islice(self.influence.costs, LONGEST):
            for plate in node.plates:
                how = "averaged" if reduction(plate, node) == "mean" else "summed"
                scaled = f", and scaled to {plate.size} elements" if plate.size else ""
                words.append(f"{quoted(name)} is {how} over {quoted(plate.name)}{scaled}")
        return DerivationLine("objective", formula, "; ".join(words))

    def _over(self, node: StochasticNode) -> str:
        continuous = self.lineage.values(node) == "continuous"
        x = quoted(node.name or "")
        return f"∫ d{x} " if continuous else f"Σ_{{{x}}} "

    def _interchange(self, node: StochasticNode) -> DerivationLine:
        name, about, p = node.name or "", self.about[node.name or ""], self.p(node)
        x, over, values = quoted(name), self._over(node), self.lineage.values(node)
        costs = few(cost for credit in about.credited for cost in credit.costs)
        f = f"⟦f = {added(cost for credit in about.credited for cost in credit.costs) or '0'}⟧"
        left = f"∇θ {over}{p} f({x})"
        if not about.unbiased:
            formula = f"{left} ≈ E[{specialised(self.plan.estimators[node], name)}]"
            words = f"BIASED: the derivative of {x} is not that of its distribution"
        elif about.credit == "pathwise":
            formula = f"{left} = ∇θ E[f(T(θ, ε))] = E[f′({x})ᵀ ∇θ T(θ, ε)]"
            words = (
                f"⟦{x} = T(θ, ε)⟧, where the distribution of the noise ⟦ε⟧ does not depend on "
                "⟦θ⟧; the derivative passes the mean, because every path to the costs is continuous"
            )
        else:
            formula, words = f"{left} = {over}f({x}) ∇θ {p}", _PASSES[values]
            if about.credit != "weight":
                formula += f" = E[f({x}) ∇θ log {p}]"
                words += "; ⟦∇p = p ∇ log p⟧"
        if credited := self.influence.credited(node):
            walk = self.lineage.path(node, credited.first)
            walk = walk if len(walk) <= LONGEST else [*walk[:3], "…", walk[-1]]
            f += f" along {' → '.join(map(quoted, walk))}"
        return DerivationLine("interchange", formula, f"{words}; {f}", (name,), costs)

    def _drops(self, node: StochasticNode) -> Iterator[DerivationLine]:
        name, about = node.name or "", self.about[node.name or ""]
        x, score = quoted(name), f"∇θ log {self.p(node)}"
        pathwise = self.lineage.pathwise(node)
        reaches = self.influence.downstream[node]
        reached = self.influence.costs.union(reach.members for reach in reaches)
        if missing := (self.influence.costs.every - reached).names:
            costs = bracketed(missing)
            formula = f"∂{costs}/∂{x} = 0" if pathwise else f"E[{costs} {score}] = 0"
            yield DerivationLine(
                "drop", formula, f"no path {x} → {listed(missing)}", (name,), few(missing)
            )
        if stopped := about.stopped:
            words = f"every path {x} → {listed(stopped)} leads through stop_gradient: no credit"
            yield DerivationLine("drop", "", words, (name,), few(stopped))
        for credit in () if pathwise else about.credited:
            costs = few(credit.costs)
            if credit.kept:
                formula = f"E[{bracketed(credit.costs)}_i ({score})_j] = 0, i ≠ j"
                words = f"an element of {listed(credit.kept)} is credited with its own costs alone"
                yield DerivationLine("drop", formula, words, (name,), costs)
            for plate, sign in credit.onward.items():
                formula = f"E[({added(credit.costs)})_s ({score})_t] = 0 unless s {sign} t"
                words = f"paths along {quoted(plate)} lead from a step t to steps s {sign} t alone"
                yield DerivationLine("drop", formula, words, (name,), costs)
            for plate, op in credit.summed.items():
                words = (
                    f"{op} mixes the elements of {quoted(plate)} on the way to "
                    f"{listed(credit.costs)}: all of them are credited, and their scores summed"
                )
                yield DerivationLine(
                    "drop", f"Σ_{{{quoted(plate)}}} {score}", words, (name,), costs
                )

    # --- the gradient -----------------------------------------------------------------------------
    def _of_node(self, node: StochasticNode) -> Iterator[Summand]:
        if self.lineage.enters(node):
            about = self.about[node.name or ""]
            if about.credit == "pathwise":
                yield self._of_value(node)
            else:
                yield from (self._of_probability(node, about, credit) for credit in about.credited)

    def _of_probability(
        self, node: StochasticNode, about: NodeExplanation, credit: Credit
    ) -> Summand:
        sums = "".join(f"Σ_{{{quoted(plate)}}} " for plate in credit.summed)
        if about.credit == "weight":
            formula = f"{self._over(node)}{bracketed(credit.costs)} ∇θ {self.p(node)}"
        else:
            formula = f"{bracketed(credit.costs)} {sums}∇θ log {self.p(node)}"
        costs, summed = tuple(credit.costs), tuple(credit.summed)
        return Summand(formula, about.name, costs, (), credit.kept, summed)

    def _of_value(self, node: StochasticNode) -> Summand:
        costs, below = self.lineage.onward(node)
        x = quoted(node.name or "")
        slopes = [f"∂{bracketed(costs.names)}/∂{x}"] if costs else []
        for other in below:
            credited = bracketed(self.influence.credited(other).names)
            if self.plan.estimators[other].credit == "weight":
                slopes.append(f"{self._over(other)}{credited} ∂{self.p(other)}/∂{x}")
            else:
                slopes.append(f"{credited} ∂log {self.p(other)}/∂{x}")
        formula = f"({' + '.join(slopes) or '0'})ᵀ ∇θ T(θ, ε)"
        through = tuple(other.name or "" for other in below)
        return Summand(formula, node.name, tuple(costs.names), through)

    def _of_costs(self) -> Iterator[Summand]:
        for name, cost in self.influence.costs:
            if self.lineage.enters_cost(cost):
                yield Summand(f"∇θ {quoted(name)}", None, (name,))

    def _gradient(self, summands: list[Summand]) -> DerivationLine:
        shown = [summand.formula for summand in summands[: 2 * LONGEST]]
        more = ["…"] if len(summands) > len(shown) or self.left_out else []
        formula = " + ".join([*shown, *more]) or "0"
        words = "the product rule: a summand for each place where parameters enter"
        if any(summand.formula.endswith("T(θ, ε)") for summand in summands):
            words += "; ⟦∇θ T⟧ at fixed parents"
        nodes = tuple(dict.fromkeys(s.node for s in summands if s.node is not None))
        sign = "=" if self.plan.unbiased else "≈"
        return DerivationLine("gradient", f"∇θ J {sign} E[{formula}]", words, nodes)

    # --- the estimator ----------------------------------------------------------------------------
    def _estimates(self, node: StochasticNode, mean: str) -> Iterator[DerivationLine]:
        name, about = node.name or "", self.about[node.name or ""]
        estimator, x = self.plan.estimators[node], quoted(node.name or "")
        formula = specialised(estimator, name)
        words = f"{x} by {about.estimator}: {mean if about.unbiased else 'BIASED'}"
        yield DerivationLine("estimate", formula, words, (name,))
        if about.term:
            words = f"⟦t({x})⟧ has the value 0, and joins the surrogate for this derivative"
            if about.credit in ("score", "weight") and about.unbiased:
                words += ", whose mean is 0"
            yield DerivationLine(
                "term", f"∇θ t({x}) = {of_term(estimator, formula)}", words, (name,)
            )

    def _recorded(self) -> Iterator[DerivationLine]:
        """What recorded values are multiplied by."""
        given = self.plan.given
        for name, own in given.nodes.items():
            if name in self.influence.graph.stochastic:
                formula, words = "", f"the values of {quoted(name)} are recorded"
                if own.ratios is not None:
                    formula = f"ρ({name}) = p({name}) / q({name})"
                    what = "each cost below it" if own.ratios == "product" else "its score"
                    words += f", with log q as data, and ⟦ρ⟧ multiplies {what}"
                bias = "; BIASED" if name in given.biased else ""
                yield DerivationLine("estimate", formula, f"{words}; {own!r}{bias}")

    def _cut(self) -> Iterator[DerivationLine]:
        """How credit passes the boundaries between steps, if it is truncated."""
        if self.plan.truncation is not None:
            how = self.plan.truncation
            yield DerivationLine("estimate", "", f"{how.words}; {how!r}")

    def _surrogate(self) -> DerivationLine:
        sign = "=" if self.plan.unbiased else "≈"
        words = "the step differentiates the surrogate ⟦S⟧, whose summands are listed"
        return DerivationLine("surrogate", f"∇θ J {sign} E[∇θ S]", words)
