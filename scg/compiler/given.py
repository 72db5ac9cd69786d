"""Given: nodes whose values are recorded, as data of a call, and not computed.

A recorded value of a stochastic node is scored like a sample. If it was sampled from another
distribution, its importance ratio multiplies all costs that it influences
(:mod:`scg.compiler.first_run`). A recorded deterministic node keeps its paths: what it is computed
from influences what is computed from it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scg.common.arguments import said
from scg.compiler.analyse import Influence
from scg.compiler.members import Members
from scg.distributions.base import Distribution
from scg.errors import BiasWarning, EstimatorError, did_you_mean
from scg.estimators import ScoreFunction
from scg.estimators.protocol import Draw, Estimator
from scg.estimators.recorded import Recorded
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, PARAMETER, intern
from scg.ir.origin import warn
from scg.ir.plate import Plate, ordered
from scg.ops.elementwise import logical_and, where
from scg.ops.gradient import gate, stop
from scg.ops.reductions import expand, zeros
from scg.ops.steps import at_step, at_steps

#: The estimator of recorded nodes, and of those above them.
ONCE = ScoreFunction()
#: Requirements of what looks at other values than the sampled ones.
ELSEWHERE = ("below", "graph", "field", "relaxations")


@dataclass(frozen=True)
class RecordedNodes:
    """The recorded nodes of a graph by their declared names.

    `biased` are those whose weights give the estimate another mean.
    """

    nodes: Mapping[str, Recorded] = field(default_factory=dict)
    biased: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """A line of text for each node."""
        return [
            f"{name}: values from data, {own!r}{', BIASED' if name in self.biased else ''}"
            for name, own in self.nodes.items()
        ]

    def check_stream(self) -> None:
        """Raise where ratios of earlier windows would have to multiply the costs of a window."""
        for name, own in self.nodes.items():
            if own.ratios == "product":
                raise EstimatorError(
                    f"given: the costs of a stream depend on the values of {name!r} in all earlier "
                    "windows, whose ratios a window does not have. Leave stream=True out, or write "
                    'scg.Recorded(ratios="step")'
                )

    def leaves(self, graph: Any) -> dict[str, Expr]:
        """The data that calls bring beside those that a graph declares."""
        declared, found = graph if graph.apart else graph.declared, {}
        for name, own in self.nodes.items():
            node = declared.named(name)
            found[name] = _leaf(node, name, node.shape, node.kind)
            if own.ratios is not None:
                found[_behaviour(name)] = _leaf(node, _behaviour(name), (), "float")
        return found

    def values(self, graph: Any) -> dict[Expr, Expr]:
        """What takes the place of the deterministic nodes of a graph, which may be unrolled."""
        found = {}
        for full, node in graph.deterministics.items() if self.nodes else ():
            name = graph.declared_name(full)
            if name in self.nodes:
                value = stop(_slice(graph, full, _leaf(node, name, node.shape, node.kind, full)))
                # A mask is data, hence the same expression in the surrogate.
                there = _all(at_steps(mask, at) for mask, at in _masks(node))
                value = value if there is None else where(there, value, zeros(value))
                found[node] = expand(value, node.plates, node.shape)
        return found

    def draw(self, node: StochasticNode, dist: Distribution, env: Mapping[Expr, Expr]) -> Draw:
        """The recorded value of a stochastic node as a sample."""
        graph: Any = node.graph
        full = node.name or ""
        name = graph.declared_name(full)
        own = self.nodes[name]
        value = stop(_slice(graph, full, _leaf(node, name, node.shape, node.kind, full)))
        behaviour = None
        if own.ratios is not None:
            behaviour = _slice(graph, full, _leaf(node, _behaviour(name), (), "float", full))
        there = present(node, env)
        if there is not None:  # a slope at what pads a sequence, which may be NaN, counts 0 times
            value = where(there, value, zeros(value))
        logp, elements = dist.log_prob(value), dist.log_prob(value, elementwise=True)
        return own.draw(logp, elements, value, behaviour, there)

    def recorded(self, influence: Influence) -> Members[StochasticNode]:
        """The recorded stochastic nodes of a graph, which may be unrolled."""
        graph, nodes = influence.graph, influence.nodes
        found = (n for n in nodes if graph.declared_name(n.name or "") in self.nodes)
        return nodes.union(nodes.only(n) for n in found) if self.nodes else nodes.none

    def once(self, influence: Influence) -> Members[StochasticNode]:
        """The recorded nodes and those that lead to recorded ones: they have one value per run."""
        if not self.nodes:
            return influence.nodes.none
        found = recorded = self.recorded(influence)
        fixed = [*recorded, *self.values(influence.graph)]
        for expr in fixed:
            for reach in influence.ancestors.get(expr, ()):
                found = found | reach.members
        return found

    def check(self, influence: Influence, estimators: Mapping[StochasticNode, Estimator]) -> None:
        """Raise where an estimator would evaluate costs at other values than the recorded ones."""
        recorded = self.recorded(influence)
        for node in recorded:
            name = influence.graph.declared_name(node.name or "")
            if self.nodes[name].ratios == "product" and "later steps" in estimators[node].requires:
                raise EstimatorError(
                    f"node {name!r} is recorded, and products of ratios weight its costs, which "
                    f"{estimators[node]!r} would replace by values that have no ratios. Write "
                    'trace=1.0, or scg.Recorded(ratios="step")'
                )
        for node in self.once(influence):
            own = estimators[node]
            again = own.evaluations != "1" or own.draws(node.declared) > 1
            again |= any(text.endswith(ELSEWHERE) for text in own.requires)
            scored = own.credit == "score" and type(own).draw is Estimator.draw
            if not again and (scored or not recorded & influence.nodes.only(node)):
                continue
            where = "is recorded" if scored or again else "is recorded, and has a score alone"
            if not recorded & influence.nodes.only(node):
                where = "leads to recorded values"
            raise EstimatorError(
                f"node {influence.graph.declared_name(node.name or '')!r} {where}, so that the "
                f"graph runs once on these values, but {own!r} needs other values of the node or "
                "several samples. Write scg.ScoreFunction(), with a baseline that does not replay"
            )


#: No recorded node.
NOTHING = RecordedNodes()


def make_given(graph: Any, given: Sequence[str] | Mapping[str, Recorded]) -> RecordedNodes:
    """The recorded nodes of ``scg.compile(given=…)``, checked; warn of bias."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        write = repr((given,)) if isinstance(given, str) else '("action",)'
        raise EstimatorError(f"given: expected names, got {given!r}; write given={write}")
    nodes = dict(given) if isinstance(given, Mapping) else {name: Recorded() for name in given}
    known = [*graph.stochastic, *graph.deterministics]
    for name, own in nodes.items():
        if not isinstance(name, str):
            raise EstimatorError(f"given: nodes go by their names, got {said(name)}")
        if name not in known:
            raise EstimatorError(
                f"given: {name!r} is not a stochastic or deterministic node of graph {graph.name!r}"
                f"{did_you_mean(name, known)}"
            )
        if not isinstance(own, Recorded):
            raise EstimatorError(
                f"given: expected scg.Recorded(...) for node {name!r}, got {own!r}"
            )
        if own.ratios is not None and name not in graph.stochastic:
            raise EstimatorError(
                f"given: node {name!r} is deterministic and has no probability; leave out "
                f"ratios={own.ratios!r}"
            )
        taken = own.ratios is not None and _behaviour(name) in graph.roles
        if taken:
            raise EstimatorError(
                f"given: the log-probabilities of {name!r} are data {_behaviour(name)!r}, but the "
                "graph has a node of that name; rename it"
            )
    biased = []
    for name, own in nodes.items():
        if name in graph.stochastic and not own.unbiased and _learned(graph, name, nodes):
            biased.append(name)
            if not own.allow_biased:
                warn(
                    f"given: the values of node {name!r} are weighted by {own!r}, which is biased "
                    "unless they were sampled at the present parameters. Write "
                    f'{{"{name}": scg.Recorded(ratios="product")}}, which is unbiased, or '
                    "allow_biased=True to use it without this warning",
                    BiasWarning,
                )
    return RecordedNodes(nodes, tuple(biased))


def _learned(graph: Any, name: str, given: Mapping[str, Recorded]) -> bool:
    """Whether the distribution of a node may differ from that of its recorded values."""
    before = {leaf: new for made in graph.scans.values() for leaf, new in made.before.items()}
    ends = {graph.named(other) for other in given}
    stack, seen = [*graph.named(name).args], set[Expr]()
    while stack:
        expr = stack.pop()
        if expr in seen or expr in ends:
            continue
        seen.add(expr)
        if expr.op is PARAMETER or expr.op.stochastic:
            return True
        stack += [*expr.args, *([before[expr]] if expr in before else [])]
    return False


def _behaviour(name: str) -> str:
    return f"{name}_log_prob"


def _leaf(node: Expr, name: str, shape: Any, kind: str, full: str = "") -> Expr:
    """Data on the plates of a declared node, of which `node` may be a step."""
    graph: Any = node.graph
    plates = ordered((*node.plates, *(plate for plate, _ in _at(graph, full))))
    return intern(graph, DATA, (), {"name": name}, (tuple(shape), plates, kind))


def _slice(graph: Any, full: str, value: Expr) -> Expr:
    return at_steps(value, _at(graph, full))


def _at(graph: Any, full: str) -> tuple[tuple[Plate, int], ...]:
    """The steps at which a node of a compiler's unrolled graph is one of a declared graph."""
    return () if graph.apart or full not in graph.steps else graph.steps[full].at


def present(node: Expr, env: Mapping[Expr, Expr]) -> Expr | None:
    """The mask of a node in cells; arguments of its distribution pass a gate for each."""
    return _all(at_steps(env[mask], at) for arg in node.args for mask, at in _masks(arg))


def _masks(expr: Expr) -> list[tuple[Expr, tuple[tuple[Plate, int], ...]]]:
    """The masks of the gates that an expression passes last, and at which steps they count."""
    found, at = [], ()
    while expr.op in (gate, at_step):
        if expr.op is gate:
            found.append((expr.args[1], at))
        else:
            at = ((expr.attrs["plate"], expr.attrs["index"]), *at)
        expr = expr.args[0]
    return found


def _all(masks: Iterable[Expr]) -> Expr | None:
    """Where all masks are true; None without masks."""
    each = dict.fromkeys(masks)
    return functools.reduce(logical_and, each) if each else None
