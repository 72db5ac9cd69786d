"""Flow: the credit that flows back along the edges between named nodes.

Credit is of several kinds. An edge has a kind if credit of this kind comes from a cost, passes the
edge backwards, and ends at a parameter. Two sweeps over the expressions find them: what each one
could hand back (`_offered`, from the parameters down), and what reaches it (`_wanted`, from the
costs up).
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scg.compiler.analyse import continuous_in
from scg.compiler.plan import Plan
from scg.compiler.simplify import simplify
from scg.draw.scene import Link
from scg.draw.theme import WAYS
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, PARAMETER
from scg.ir.operation import OPS
from scg.ir.walk import named_below, topological
from scg.ops.gradient import gate, stop
from scg.ops.steps import at_step

Kinds = frozenset[str]
_NONE: Kinds = frozenset()
_ALL: Kinds = frozenset(WAYS)
#: The kinds that need differentiable paths.
_SMOOTH: Kinds = frozenset({"derivative", "field", "relaxed"})
#: The second pass that an estimator differentiates, by what it requires.
_PASSES = {"mean field": "field", "smooth relaxations": "relaxed"}


def edges(
    graph: CoreGraph,
    plan: Plan | None = None,
    hidden: Collection[str] = (),
    layers: Mapping[Expr, str] = MappingProxyType({}),
) -> dict[tuple[str, str], Link]:
    """The edges of the declared graph by the names of their ends.

    They are those of ``g.to_networkx()``, but for one thing: if a cost or a deterministic node uses
    a sample's distribution (its log-density, entropy or a divergence), its edge comes from the
    sample and is marked ``density``, not from the parents of the sample. Edges that lead through
    carries alone, to later elements of an ordered plate, are added and marked ``later``. `hidden`
    deterministic nodes are contracted like unnamed ones; `layers` are nodes of their own.
    """
    origin = graph.origin  # of the declaration that is under way
    try:
        return _Flow(graph, plan, hidden, layers).edges()
    finally:
        graph.origin = origin


def kinds_of(estimator: Estimator) -> Kinds:
    """The ways in which a node of this estimator hands credit back from its costs."""
    own = {"derivative"} if estimator.opens else {estimator.credit}
    own |= {"score"} if estimator.credit == "both" else set()
    return frozenset({*own, *(_PASSES[r] for r in estimator.requires if r in _PASSES)})


class _Path(NamedTuple):
    """The kinds of credit that pass on some path, and the ops that cut off others."""

    kinds: Kinds
    blocks: tuple[str, ...] = ()

    def __or__(self, path: _Path) -> _Path:
        return _Path(self.kinds | path.kinds, tuple(dict.fromkeys(self.blocks + path.blocks)))


class _At(NamedTuple):
    """A place on paths: an expression, the plate of a carry passed, and the density around."""

    turn: int
    steps: str = ""
    inside: int = -1


class _Used(NamedTuple):
    """A density: its sample by what determines it, and the values that it takes."""

    heads: Mapping[Expr, StochasticNode]
    values: frozenset[Expr]


class _Flow:
    def __init__(
        self,
        graph: CoreGraph,
        plan: Plan | None,
        hidden: Collection[str],
        layers: Mapping[Expr, str],
    ):
        self.plan, self.names = plan, {}
        self.others = dict(graph.costs)  # costs, and names of nodes that have one already
        for name, (node, role) in graph.roles.items():
            if role == "deterministic" and name in hidden:
                continue
            if role != "cost" and self.names.setdefault(node, name) != name:
                self.others[name] = node
        self.names |= layers
        scans = graph.scans.values()
        #: What each carry leaf is one step later, and the plate of its steps.
        self.carries = {leaf: new for scan in scans for leaf, new in scan.before.items()}
        self.steps = {leaf: scan.plate.name for scan in scans for leaf in scan.before}
        nodes = [node for node, _ in graph.roles.values()]
        self.order = topological([*nodes, *self.carries, *self.carries.values()])
        self.turn = {expr: i for i, expr in enumerate(self.order)}
        self.costs, self.cost_names = set(graph.costs.values()), set(graph.costs)
        self.learned = set(plan.influence.learned.values()) if plan else set()
        estimators = plan.estimators if plan else {}
        self.hands = {node: kinds_of(estimator) for node, estimator in estimators.items()}
        #: What passes some samples through their means alone: a straight-through derivative, too.
        self.through_mean = {
            node: frozenset({"field", "derivative"})
            for node, estimator in estimators.items()
            if estimator.credit == "pathwise" and "mean" in estimator.requires
        }
        self.means: dict[StochasticNode, list[bool]] = {}
        self.simple: dict[Expr, Expr] = {node: node for node in graph.stochastic.values()}
        self.offered = self._offered()
        self.wanted = self._wanted()
        self.densities = self._densities(graph)

    def edges(self) -> dict[tuple[str, str], Link]:
        found: dict[tuple[str, str], Link] = {}
        for expr in self.order:
            if expr in self.names:
                found |= self._named(expr, self.names[expr], self._entering(expr))
        for name, node in self.others.items():
            wanted = _ALL if name in self.cost_names or not self.plan else _NONE
            if node in self.names:
                found[self.names[node], name] = Link(self.offered[node] & wanted)
            else:
                found |= self._named(node, name, wanted)
        return found

    # --- the two sweeps ---------------------------------------------------------------------------
    def _through(self, user: Expr, index: int, kinds: Kinds) -> Kinds:
        """The kinds among some that pass a node, from or to one of its arguments."""
        if isinstance(user, StochasticNode):
            along_mean = kinds & self.through_mean.get(user, frozenset({"field"}))
            return kinds if not along_mean or self._in_mean(user)[index] else kinds - along_mean
        if user.op is stop:
            return _NONE
        return kinds if continuous_in(user, index) else kinds - _SMOOTH

    def _in_mean(self, node: StochasticNode) -> list[bool]:
        """Whether the mean of a sample depends on each of its arguments."""
        if node not in self.means:
            mean = node.declared.mean() if node.declared.supports("mean") else None
            args = simplify([*node.args, *([mean] if isinstance(mean, Expr) else [])], self.simple)
            own, roots = args[: len(node.args)], args[len(node.args) :]
            # A mean that is an argument depends on no other one.
            below = {e for r in roots for e in ((r,) if r in {*own} else named_below(r, {*own}))}
            self.means[node] = [arg in below for arg in own]
        return self.means[node]

    def _offered(self) -> dict[Expr, Kinds]:
        carried: dict[Expr, Kinds] = dict.fromkeys(self.carries, _NONE)
        while True:  # until carries bring nothing new
            found: dict[Expr, Kinds] = {}
            for expr in self.order:
                passed = (self._through(expr, k, found[arg]) for k, arg in enumerate(expr.args))
                every = carried.get(expr, _NONE).union(*passed)
                if expr.op in (PARAMETER, DATA):
                    learned = frozenset({"derivative"}) if expr in self.learned else _NONE
                    every = learned if self.plan else frozenset({"open"})
                elif isinstance(expr, StochasticNode):
                    own = self.hands.get(expr, _NONE) if "derivative" in every else _NONE
                    every = own | (every - {"derivative"})
                    every |= _NONE if self.plan else {"open"}
                found[expr] = every
            if all(found[new] <= found[leaf] for leaf, new in self.carries.items()):
                return found
            carried = {leaf: found[new] for leaf, new in self.carries.items()}

    def _wanted(self) -> dict[Expr, Kinds]:
        everywhere = frozenset() if self.plan else frozenset({"open"})
        start = {expr: _ALL if expr in self.costs else everywhere for expr in self.order}
        while True:  # until carries bring nothing new
            found = dict(start)
            for expr in reversed(self.order):
                entering = self._entering(expr, found)
                for k, arg in enumerate(expr.args):
                    found[arg] |= self._through(expr, k, entering)
            if all(found[leaf] <= found[new] for leaf, new in self.carries.items()):
                return found
            for leaf, new in self.carries.items():
                start[new] |= found[leaf]

    def _entering(self, expr: Expr, wanted: Mapping[Expr, Kinds] | None = None) -> Kinds:
        """The kinds that reach the arguments of a node, if its op itself cuts nothing off."""
        kinds = (self.wanted if wanted is None else wanted)[expr]
        if not isinstance(expr, StochasticNode) or not self.plan:
            return kinds
        live = kinds & self.hands.get(expr, _NONE)  # its own credit becomes a derivative
        return kinds - {"derivative"} | (frozenset({"derivative"}) if live else _NONE)

    # --- the edges --------------------------------------------------------------------------------
    def _densities(self, graph: CoreGraph) -> dict[Expr, _Used]:
        """The densities, entropies and divergences of samples, with what determines the samples.

        A log-density belongs to the sample whose value it takes. An entropy or a divergence belongs
        to the one sample of its distribution, if there is only one.
        """
        samples: dict[object, list[StochasticNode]] = {}
        for node in (e for e in self.order if isinstance(e, StochasticNode)):
            law = node.attrs["family"], node.attrs["static"], tuple(map(_bare, node.args))
            samples.setdefault(law, []).append(node)
        found: dict[Expr, _Used] = {}
        for expr, densities in graph.densities.items():
            heads: dict[Expr, StochasticNode] = {}
            for family, static, args, value in densities if expr in self.turn else ():
                law = family, static, tuple(map(_bare, args))
                of = samples.get(law, [])
                if value is not None:
                    of = [node for node in of if node is _bare(value)]
                if len(of) == 1:
                    heads |= {arg: of[0] for arg in law[-1] if arg.value is None}
            if heads:
                values = {_bare(d.value) for d in densities if d.value is not None}
                found[expr] = _Used(heads, frozenset(values))
        return found

    def _named(self, goal: Expr, name: str, wanted: Kinds) -> dict[tuple[str, str], Link]:
        """The edges to a node from the named ones on which it depends through unnamed ones.

        Paths through carries are followed apart from others, by the plate of their steps, and so
        are those inside a density, which end at the sample whose density it is.
        """
        start = _At(self.turn[goal])
        paths: dict[_At, _Path] = {start: _Path(wanted)}
        ends: dict[_At, tuple[Expr, bool]] = {}
        latest: list[Any] = [(-start.turn, *start[1:])]  # users of an expression come before it
        while latest:
            back, *rest = heapq.heappop(latest)
            at = _At(-back, *rest)
            expr, path, inside = self.order[at.turn], paths[at], at.inside
            used = self.densities[self.order[inside]] if inside >= 0 else None
            if used and expr in used.values:
                used, inside = None, -1
            node = used.heads.get(expr) if used else None
            if node is not None and self._uses(goal, node):
                ends[at] = node, True
                continue
            if at != start and expr in self.names:
                ends[at] = expr, False
                continue
            inside = at.turn if expr in self.densities else inside
            reached = [
                (arg, self._along(expr, i, path), at.steps) for i, arg in enumerate(expr.args)
            ]
            if expr in self.carries:
                reached.append((self.carries[expr], path, self.steps[expr]))
            for arg, own, when in reached:
                key = _At(self.turn[arg], when, inside)
                known = paths[key] | own if key in paths else own
                if paths.get(key) != known:  # carries lead to some expressions more than once
                    paths[key] = known
                    heapq.heappush(latest, (-key.turn, *key[1:]))
        found: dict[tuple[str, str], Link] = {}
        for at, (tail, density) in ends.items():
            path, offered = paths[at], self.offered[self.order[at.turn]]
            cut = bool(offered & wanted) and not offered & path.kinds
            label, blocks = f"next {at.steps}" if at.steps else "", path.blocks if cut else ()
            link = Link(offered & path.kinds, blocks, density, label, bool(at.steps))
            pair = self.names[tail], name
            found[pair] = found[pair] | link if pair in found else link
        return found

    def _along(self, user: Expr, index: int, path: _Path) -> _Path:
        """A path to a node, prolonged to one of its arguments."""
        kinds, blocks = self._through(user, index, path.kinds), path.blocks
        cuts = not isinstance(user, StochasticNode) and self._through(user, index, _ALL) != _ALL
        return _Path(kinds, (user.op.name,) if cuts and blocks != ("stop",) else blocks)

    def _uses(self, goal: Expr, node: StochasticNode) -> bool:
        """Whether a node may be drawn below a sample whose distribution it uses."""
        return not isinstance(goal, StochasticNode) and self.turn[node] < self.turn[goal]


def _bare(expr: Expr) -> Expr:
    """An expression without what changes its plates or its derivative alone."""
    spread = OPS["expand"]
    while expr.op in (spread, gate, stop) or (expr.op is at_step and expr.args[0].op is spread):
        expr = expr.args[0]
    return expr
