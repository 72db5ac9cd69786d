"""The surrogate as a picture: log-probabilities under magic boxes, times costs.

It is the surrogate graph of Schulman et al. (2015): samples are inputs, and a square ℓ(n), the
log-probability of each scored sample, multiplies the costs that the sample influences.
"""

from __future__ import annotations

import textwrap

from scg.compiler.analyse import reached
from scg.compiler.surrogate import Surrogate
from scg.draw.boxes import Boxes, title
from scg.draw.flow import edges, kinds_of
from scg.draw.fold import folded
from scg.draw.graph import observed
from scg.draw.options import Options
from scg.draw.scene import Link, Mark, Scene, Text
from scg.ir.expr import StochasticNode

_DERIVATIVE, _VALUE = Link(frozenset({"derivative"})), Link()
_WIDE = 44


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
        if self.options.notes:
            scene.caption = [*_LEGEND, *scene.caption]
        return scene

    def _nodes(self, shown: dict[str, str]) -> None:
        """Samples as inputs or as functions of noise; and the squares that carry their credit."""
        for name in shown:
            node = self.graph.roles[name][0]
            if not isinstance(node, StochasticNode) or shown[name] != "stochastic":
                continue
            mark = self.out.marks[name]
            pathwise = self.credit[node] == "pathwise"
            mark.kind = "deterministic" if pathwise else "sample"
            mark.lines = [mark.lines[0], Text("= T(parents, ε)" if pathwise else "sampled")]
            square = {"score": f"ℓ({name})", "weight": f"w({name})"}.get(self.credit[node])
            if square:
                text = "log p" if self.credit[node] == "score" else "p"
                lines = [
                    Text(f"{square[0]}({title(name)})", "title"),
                    Text(f"= {text}({title(name)})"),
                ]
                self.out.marks[square] = Mark("deterministic", lines, (name,), mark.groups)
                self.out.links[name, square] = _VALUE

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
        found = Link(kept, label=link.label)
        ends = tail, head
        self.out.links[ends] = self.out.links[ends] | found if ends in self.out.links else found

    def _summands(self) -> None:
        """Each cost under its box, then each term, and their sum."""
        texts, out = list(self.surrogate.summands), self.out
        out.marks["S"] = Mark("cost", [Text("S", "title")])
        for name, node in self.influence.costs:
            text = texts.pop(0)
            above = reached(self.influence.nodes, self.influence.ancestors[node], opened=True)
            carriers = [self._square(n.name or "") for n in above if self.credit[n] in _CARRIED]
            if name not in out.marks:
                continue
            last = name
            if carriers or text != name:
                last = f"⊠ {name}"
                out.marks[last] = _summand(text, name, out.marks[name].groups)
                learns = any(h == name and x.kinds for (_, h), x in out.links.items())
                out.links[name, last] = _DERIVATIVE if learns else _VALUE
                out.links |= {(c, last): _DERIVATIVE for c in carriers if c in out.marks}
            out.links[last, "S"] = _DERIVATIVE
        for node, term in self.surrogate.terms.items():
            name = node.name or ""
            own = [texts.pop(0) for _ in term.parts]
            if not own or name not in out.marks:
                continue
            key = f"t({name})"
            out.marks[key] = _summand(own[0], name, out.marks[name].groups)
            if self.credit[node] == "score":
                out.links[f"ℓ({name})", key] = _DERIVATIVE
            if kinds_of(self.surrogate.plan.estimators[node]) & {"field", "relaxed"}:
                above = [t for (t, h), x in out.links.items() if h == f"ℓ({name})" and x.kinds]
                out.links |= {(tail, key): _DERIVATIVE for tail in above}  # of the correction
            costs = [cost.name for cost in self.influence.credited(node)]
            out.links |= {(c, key): _VALUE for c in costs if c in out.marks}
            out.links[key, "S"] = _DERIVATIVE
        known = out.marks.keys()
        out.links = {ends: link for ends, link in out.links.items() if {*ends} <= known}


_CARRIED = ("score", "weight")
_LEGEND = [
    ("muted", "no border: input   □ deterministic   ◇ cost   ⊠ has the value 1, derivative ∇ℓ"),
    ("derivative", "━ derivative"),
    ("neutral", "━ a value, no derivative"),
]


def _summand(text: str, name: str, groups: tuple) -> Mark:
    lines = textwrap.wrap(text, _WIDE)
    return Mark("deterministic", [Text(line, "title") for line in lines], (name,), groups)
