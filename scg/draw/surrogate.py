"""The surrogate as a picture: log-probabilities under magic boxes, times costs.

It is the surrogate graph of Schulman et al. (2015): samples are inputs, and a square ℓ(n), the
log-probability of each scored sample, multiplies the costs that the sample influences.
"""

from __future__ import annotations

import re
import textwrap

from scg.compiler.analyse import reached
from scg.compiler.surrogate import Surrogate
from scg.draw.boxes import Boxes, title
from scg.draw.flow import edges, kinds_of
from scg.draw.fold import folded
from scg.draw.graph import observed
from scg.draw.letters import short
from scg.draw.options import Options
from scg.draw.rows import rows
from scg.draw.scene import Link, Mark, Scene, Text
from scg.estimators import Enumeration
from scg.ir.expr import StochasticNode

_DERIVATIVE, _VALUE = Link(frozenset({"derivative"})), Link()
_WIDE, _LONGEST = 36, 252  #: Letters of a line, and of a summand.


def surrogate_scene(surrogate: Surrogate, options: Options) -> Scene:
    """The scene of a surrogate."""
    return _Builder(surrogate, options).scene()


class _Builder:
    def __init__(self, surrogate: Surrogate, options: Options):
        self.surrogate, self.graph, self.options = surrogate, surrogate.graph, options
        self.influence = surrogate.influence
        self.out = Scene(self.graph.name)
        self.scored = {n for n in self.influence.nodes if surrogate.first.draws[n].logp is not None}
        self.credit = {n: e.credit for n, e in surrogate.plan.estimators.items()}

    def scene(self) -> Scene:
        roles = {n: role for n, (_, role) in self.graph.roles.items()}
        below = {n for n, (e, _) in self.graph.roles.items() if e in self.influence.downstream}
        shown = {n: r for n, r in roles.items() if n in below and not self.options.hides(n, r)}
        boxes = Boxes(self.graph, None, self.options, shown)
        self.out.marks, self.out.groups = boxes.marks, boxes.groups
        flow = edges(self.graph, self.surrogate.plan, roles.keys() - shown.keys())
        self._nodes(shown)
        for (tail, head), link in flow.items():
            if {tail, head} <= shown.keys():
                self._edge(tail, head, link)
        self._summands()
        scene = folded(observed(self.graph, self.out), self.options)
        scene.links |= self._influenced(scene)
        scene.rows = rows(scene) if self.options.direction is None else []
        if self.options.notes:
            scene.caption = [*_legend(scene), *scene.caption]
        return scene

    def _nodes(self, shown: dict[str, str]) -> None:
        """Samples as inputs or as functions of noise; and the squares that carry their credit."""
        for name in shown:
            node = self.graph.roles[name][0]
            if not isinstance(node, StochasticNode) or shown[name] != "stochastic":
                continue
            mark = self.out.marks[name]
            pathwise = self.surrogate.plan.estimators[node].opens
            mark.kind = "deterministic" if pathwise else "sample"
            mark.lines = [mark.lines[0], Text(self._source(node))]
            square = {"score": f"ℓ({name})", "weight": f"w({name})"}.get(self.credit[node])
            if square:
                text = "log p" if self.credit[node] == "score" else "p"
                lines = [
                    Text(f"{square[0]}({title(name)})", "title"),
                    Text(f"= {text}({title(name)})"),
                ]
                self.out.marks[square] = Mark("score", lines, (name,), mark.groups)
                self.out.links[name, square] = _VALUE

    def _source(self, node: StochasticNode) -> str:
        """Where the values of a node come from, in words."""
        plan = self.surrogate.plan
        estimator = plan.estimators[node]
        if self.graph.declared_node(node.name or "") in plan.given.nodes:
            return "recorded"
        if estimator.opens:
            return "= T(parents, ε)"
        if estimator.credit == "weight":
            every = isinstance(estimator, Enumeration)
            return "enumerated" if every else "weighted samples"
        return "sampled"

    def _square(self, name: str) -> str:
        """The node that depends on the parents of a sample."""
        node = self.graph.stochastic[name]
        kinds = {"score": f"ℓ({name})", "weight": f"w({name})", "along": f"t({name})"}
        return kinds.get(self.credit[node], name)

    def _edge(self, tail: str, head: str, link: Link) -> None:
        """An edge of the declared graph: derivatives pass, samples end them."""
        if head in self.graph.stochastic:
            head = self._square(head)
        kept = link.kinds & {"derivative"}
        if link.density and tail in self.graph.stochastic and kept:
            square = self._square(tail)
            if square != tail and square in self.out.marks:
                self.out.links[square, head] = _DERIVATIVE
                kept = frozenset()
        found = Link(kept, label=link.label, later=link.later)
        ends = tail, head
        self.out.links[ends] = self.out.links[ends] | found if ends in self.out.links else found

    def _summands(self) -> None:
        """Each cost under its box, then each term, and their sum."""
        texts, out = list(self.surrogate.summands), self.out
        derived: dict[str, list[str]] = {}
        for (tail, head), link in out.links.items():
            if link.kinds:
                derived.setdefault(head, []).append(tail)
        out.marks["S"] = Mark("cost", [Text("S", "title")])
        for name, _ in self.influence.costs:
            text, last = texts.pop(0), name
            if name not in out.marks:
                continue
            if text != name:
                last = f"⊠ {name}"
                out.marks[last] = _summand("summand", text, name, out.marks[name].groups)
                out.links[name, last] = _DERIVATIVE if name in derived else _VALUE
            out.links[last, "S"] = _DERIVATIVE
        for node, term in self.surrogate.terms.items():
            name, key = node.name or "", f"t({node.name})"
            own = [texts.pop(0) for _ in term.parts]
            if not own or name not in out.marks:
                continue
            out.marks[key] = _summand("term", own[0], name, out.marks[name].groups)
            if self.credit[node] == "score":
                out.links[f"ℓ({name})", key] = _DERIVATIVE
            if kinds_of(self.surrogate.plan.estimators[node]) & {"field", "relaxed"}:
                above = derived.get(f"ℓ({name})", ())
                out.links |= {(tail, key): _DERIVATIVE for tail in above}  # of the correction
            out.links[key, "S"] = _DERIVATIVE
        known = out.marks.keys()
        out.links = {ends: link for ends, link in out.links.items() if {*ends} <= known}

    def _influenced(self, scene: Scene) -> dict[tuple[str, str], Link]:
        """The arrows between sets: from log-probabilities to products, from costs to terms.

        They are many in a long chain, so that they are made when its middle is folded.
        """
        influence, nodes, costs = self.influence, self.influence.nodes, self.influence.costs
        at = {cost.name: cost for cost in costs}
        squares, products, terms, values = {}, {}, {}, {}
        for key, mark in scene.marks.items():
            if mark.kind in ("score", "term"):
                own = [self.graph.stochastic[name] for name in mark.members]
                if mark.kind == "score":
                    squares[key] = nodes.union(map(nodes.only, own))
                else:
                    terms[key] = costs.union(map(influence.credited, own))
            found = [at[name] for name in mark.members if name in at]
            if found and mark.kind == "summand":
                above = (influence.ancestors[cost.node] for cost in found)
                products[key] = nodes.union(reached(nodes, a, opened=True) for a in above)
            elif found:
                values[key] = costs.union(map(costs.only, found))
        links = {(s, p): _DERIVATIVE for s in squares for p in products if squares[s] & products[p]}
        return links | {(v, t): _VALUE for v in values for t in terms if values[v] & terms[t]}


def _legend(scene: Scene) -> list[tuple[str, str]]:
    """The shapes and colours in use, and the box."""
    kinds = {mark.kind for mark in scene.marks.values()}
    seen = "   ● observed" if "observed" in kinds else ""
    lines = [("muted", f"no border: input   □ deterministic   ◇ cost{seen}")]
    if any("⊠" in line.text for mark in scene.marks.values() for line in mark.lines):
        lines.append(("muted", "⊠(ℓ): its value is 1, its derivative ∇ℓ"))
    if any(link.kinds for link in scene.links.values()):
        lines.append(("derivative", "━ derivative"))
    if not all(link.kinds for link in scene.links.values()):
        lines.append(("neutral", "━ a value, no derivative"))
    return lines


def _summand(kind: str, text: str, name: str, groups: tuple) -> Mark:
    kept = re.sub(r" (?=\])|(?<=[≤<≥>]) ", "\u00a0", short(text, _LONGEST))
    kept = re.sub(rf"\[ .{{1,{_WIDE - 4}}}\]", lambda body: body[0].replace(" ", "\u00a0"), kept)
    lines = textwrap.wrap(kept, _WIDE)  # no line is a bracket alone, nor is a short body broken
    return Mark(kind, [Text(line, "title") for line in lines], (name,), groups)
