"""Derivation: from the objective of a graph to the estimator of its gradient, one line per step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from scg.compiler.members import LONGEST
from scg.compiler.objective import reduction
from scg.compiler.plan import Plan
from scg.explain.alike import Entry, entries
from scg.explain.formulas import of_term, renamed, replacements, specialised, within
from scg.explain.lineage import Lineage
from scg.explain.lines import DerivationLine, Summand
from scg.explain.node import Credit, NodeExplanation
from scg.explain.notation import added, bracketed, few, listed, quoted
from scg.ir.expr import StochasticNode

#: Nodes whose lines a derivation shows. Of more, repetitions are told by their first nodes, and
#: then the first ones are shown.
MOST = 16
_PASSES = {
    "finite": "the derivative passes a finite sum",
    "countable": "the derivative passes the sum, which converges uniformly",
    "continuous": "the derivative passes the integral, because the support does not move with ⟦θ⟧",
}


class Derivation:
    """The steps from the objective to the estimator.

    Attributes
    ----------
    lines : tuple of DerivationLine
        The steps.
    summands : tuple of Summand
        The summands of the gradient.
    """

    def __init__(self, plan: Plan, explained: Iterable[NodeExplanation], order: int = 1):
        self.plan, self.influence, self.lineage = plan, plan.influence, Lineage(plan)
        self.about = {node.name: node for node in explained}
        nodes = list(self.influence.nodes)
        told = [Entry(node, []) for node in nodes]
        if len(nodes) > MOST:
            told = entries(self.lineage, nodes, self.about)[:MOST]
        self.alike = {entry.node: entry.alike for entry in told}
        self.left_out = len(nodes) - sum(1 + len(entry.alike) for entry in told)
        shown = list(self.alike)
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
            lines += self._alike(node)
        if self.left_out:
            words = f"the other {self.left_out} nodes are derived alike"
            lines.append(DerivationLine("estimate", "…", words))
        lines += [*self._recorded(), *self._cut()]
        lines.append(self._surrogate())
        if order == 2:
            lines.append(self._second())
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
        more = {node: "… " if self.alike[node] else "" for node in nodes}
        outer = "".join(self._over(node) + more[node] for node in nodes)
        factors = " ".join(
            "".join(f"Π_{{{quoted(plate.name)}}} " for plate in node.plates)
            + f"{self.p(node)} {more[node]}".rstrip()
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
        inside = [summand for summand in summands if summand.node is None]
        formulas = [summand.formula for summand in summands if summand.node is not None]
        if len(inside) > LONGEST:
            formulas.append(f"∇θ {bracketed(cost for s in inside for cost in s.costs)}")
        else:
            formulas += [summand.formula for summand in inside]
        shown = formulas[: 2 * LONGEST]
        folded = any(self.alike.values())
        more = ["…"] if len(formulas) > len(shown) or self.left_out or folded else []
        formula = " + ".join([*shown, *more]) or "0"
        words = "the product rule: a summand for each place where parameters enter"
        if any(summand.formula.endswith("T(θ, ε)") for summand in summands):
            words += "; ⟦∇θ T⟧ at fixed parents"
        nodes = tuple(dict.fromkeys(s.node for s in summands if s.node is not None))
        sign = "=" if self.plan.unbiased and not self.plan.objective else "≈"
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

    def _alike(self, node: StochasticNode) -> Iterator[DerivationLine]:
        """The other nodes of a repetition."""
        names = [other.name or "" for other in self.alike[node]]
        if names:
            ends = f"{quoted(names[0])} to {quoted(names[-1])}"
            words = (
                f"{ends}, {len(names)} nodes, are derived like {quoted(node.name or '')}, each "
                "with the costs that it influences"
            )
            yield DerivationLine("alike", "", words, tuple(names))

    def _recorded(self) -> Iterator[DerivationLine]:
        """What recorded values are multiplied by."""
        given = self.plan.given
        for name, own in given.nodes.items():
            if name in self.influence.graph.stochastic:
                a = quoted(name)
                formula, words = "", f"the values of {a} are recorded"
                if own.ratios is not None:
                    formula = f"ρ({a}) = p({a}) / q({a})"
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
        sign = "=" if self.plan.unbiased and not self.plan.objective else "≈"
        words = "the step differentiates the surrogate ⟦S⟧, whose summands are listed"
        return DerivationLine("surrogate", f"∇θ J {sign} E[∇θ S]", words)

    def _second(self) -> DerivationLine:
        """Why the second derivative of the surrogate estimates the Hessian."""
        sign = "=" if self.plan.unbiased else "≈"
        formula = f"∇²θ J {sign} E[∇²θ S]"
        words = "the step differentiates ⟦S⟧ twice"
        if any(node.credit in ("score", "both") for node in self.about.values()):
            formula += ", ∇²(⊠(ℓ) c) = c (∇ℓ ∇ℓᵀ + ∇²ℓ) + ∇ℓ ∇cᵀ + ∇c ∇ℓᵀ + ∇²c"
            words += ", and ⟦∇⊠(ℓ) = ⊠(ℓ) ∇ℓ⟧ keeps the box for the second derivative"
        return DerivationLine("second", formula, words)
