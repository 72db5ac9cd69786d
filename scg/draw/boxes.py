"""Boxes: the nodes of a declared graph as a picture shows them, and the plates around them."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Hashable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scg.compiler.members import Members, names
from scg.compiler.plan import Plan
from scg.draw.formula import infix, stated
from scg.draw.letters import pretty, printable, short
from scg.draw.options import Options
from scg.draw.scene import Mark, Text
from scg.draw.theme import heat
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode

#: Sample plates that are drawn as boxes; more are noted at their nodes.
_DRAWN_PLATES = 3
_WIDE = 48  #: Letters of a line of a formula.
_LISTED = 3  #: Costs that a note lists.


class Group(NamedTuple):
    """A plate that is drawn as a box: of the user, or of the samples of an estimator."""

    key: Hashable
    label: str
    members: frozenset[str]
    samples: bool = False


class Boxes:
    """The boxes of some nodes of a graph, by name, and the plates around them."""

    def __init__(
        self,
        graph: CoreGraph,
        plan: Plan | None,
        options: Options,
        shown: Mapping[str, str],
        layers: Mapping[Expr, str] = MappingProxyType({}),
    ):
        self.graph, self.plan, self.options = graph, plan, options
        self.nodes = {name: graph.roles[name][0] for name in shown}
        self.nodes |= {name: expr for expr, name in layers.items()}
        self.lengths = plan.lengths() if plan else {}
        self.plates = [*self._plates(), *self._sample_plates()]
        self.of: dict[str, list[Group]] = {name: [] for name in self.nodes}
        for group in self.plates:
            for name in group.members:
                self.of[name].append(group)
        self.homes = self._homes()
        self.heats = _heats(options.heat)
        self.marks = {name: self._mark(name, role) for name, role in shown.items()}
        for name in layers.values():
            self.marks[name] = Mark("network", [Text(title(name), "title")], (), self.homes[name])
        self.groups = {
            group.key: (group.label, "dashed" if group.samples else "rounded")
            for group in self.plates
        }

    def _mark(self, name: str, role: str) -> Mark:
        home = self.homes[name]
        lines = [Text(title(name), "title"), *self._details(name, role)]
        if outside := [group.label for group in self.of[name] if group.key not in home]:
            lines.append(Text(f"on {', '.join(outside)}"))
        fill = ""
        if name in self.heats:
            share, value = self.heats[name]
            fill = heat(share)
            lines.append(Text(f"{value:.3g}", "note"))
        lines += self._notes(name)
        kind = "observed" if name in self.graph.observations else role
        return Mark(kind, lines, (name,), home, fill=fill)

    def _details(self, name: str, role: str) -> list[Text]:
        """The distribution, the shape, the observed value and the formula of a node."""
        node, seen, words = self.nodes[name], self.graph.observations.get(name), []
        if seen is not None:
            words.append(type(seen.dist).__name__)
        elif role == "stochastic":
            words.append(node.attrs["family"].__name__)
        declared = self.graph.parameters.get(name)
        if declared is not None and declared.constraint and self.options.labels != "names":
            words.append(declared.constraint.name.replace("_", " "))
        shape = seen.dist.shape if seen else node.shape
        if self.options.labels != "names" and shape:
            words.append(str(shape))
        lines = [Text(" ".join(words))] if words else []
        if seen is not None and seen.value.name not in (None, name):
            lines.append(Text(f"= {title(seen.value.name or '')}"))
        if self.options.labels == "formulas" and not seen and role in ("deterministic", "cost"):
            lines.append(Text(f"= {short(infix(node), 60)}"))
        return lines

    def _notes(self, name: str) -> list[Text]:
        """The user's note, or the estimator, its samples and the costs that give credit."""
        notes, node, plan = self.options.notes, self.nodes[name], self.plan
        if isinstance(notes, Mapping):
            return [Text(short(printable(notes[name]), 90), "note")] if name in notes else []
        if plan is None or not notes or not isinstance(node, StochasticNode):
            return []
        estimator = plan.estimators.get(node)
        if estimator is None:
            return [Text("no cost depends on it", "note")]
        lines = [Text(named(estimator), "note")]
        if not estimator.unbiased:
            lines.append(Text("BIASED", "warning"))
        if self.options.labels == "formulas":
            whole = re.sub(r"(?<=;) (?=θ)|(?<=∇θ) | (?=p\()", "\u00a0", stated(estimator))
            wrapped = textwrap.wrap(whole, _WIDE)
            lines += [Text(text.replace("\u00a0", " "), "note") for text in wrapped]
        credited = plan.influence.credited(node).names
        lines.append(Text(f"credit: {_ends(credited) or 'none'}", "note"))
        length = self.lengths[node].get(plan.plate_key(node), 1)
        if length > 1 and not (self.plates and self.plates[-1].samples):
            exact = estimator.credit == "weight"
            lines.append(Text(f"{length} values" if exact else f"K = {length} samples", "note"))
        return lines

    # --- plates -----------------------------------------------------------------------------------
    def _plates(self) -> Iterator[Group]:
        members: dict[Hashable, set[str]] = {plate: set() for plate in self.graph.plates}
        for name, node in self.nodes.items():
            for plate in node.plates:
                members[plate].add(name)
        for plate in self.graph.plates:
            label = short(printable(plate.name))
            label = label if plate.length is None else f"{label}: {plate.length}"
            yield Group(plate, label, frozenset(members[plate]))

    def _sample_plates(self) -> Iterator[Group]:
        """The sample plates of the plan, if they are few."""
        plan, of = self.plan, dict[object, list[StochasticNode]]()
        for node in plan.estimators if plan else ():
            of.setdefault(plan.plate_key(node) if plan else None, []).append(node)
        nodes = self.nodes.values()
        keys = {k: n for expr in nodes for k, n in self.lengths.get(expr, {}).items()}
        for i, (key, length) in enumerate(keys.items() if len(keys) <= _DRAWN_PLATES else ()):
            exact = plan and any(plan.estimators[n].credit == "weight" for n in of[key])
            label = f"{length} values of" if exact else f"K = {length} samples of"
            owners = short(names([title(node.name or "") for node in of[key]]))
            on = (name for name, node in self.nodes.items() if key in self.lengths.get(node, {}))
            yield Group(f"samples {i}", f"{label} {owners}", frozenset(on), samples=True)

    def _homes(self) -> dict[str, tuple[Hashable, ...]]:
        """The nested boxes in which each named node is drawn, outermost first.

        A plate is nested in the smallest one that contains all its nodes. A node on crossing plates
        is drawn in the last one of the user's.
        """
        turn = {group.key: i for i, group in enumerate(self.plates)}
        chains: dict[Hashable, tuple[Hashable, ...]] = {}
        for group in sorted(self.plates, key=lambda g: (-len(g.members), turn[g.key])):
            near = self.of[next(iter(group.members))] if group.members else ()
            around = [g for g in near if g.key in chains and group.members <= g.members]
            inner = max(around, key=lambda g: len(chains[g.key]), default=None)
            chains[group.key] = (*(chains[inner.key] if inner else ()), group.key)

        def home(name: str) -> tuple[Hashable, ...]:
            own = self.of[name]
            rank = {g.key: (not g.samples, len(chains[g.key]), turn[g.key]) for g in own}
            inside = [g for g in own if all(k in rank for k in chains[g.key])]
            users = [g for g in inside if not g.samples]
            best = max(users, key=lambda g: rank[g.key], default=None)
            nested = [g for g in inside if best is None or best.key in chains[g.key]]
            return chains[max(nested, key=lambda g: rank[g.key][1:]).key] if nested else ()

        return {name: home(name) for name in self.nodes}


def title(name: str) -> str:
    """A name as the title of a box."""
    return pretty(short(printable(name)))


def named(estimator: Estimator) -> str:
    """An estimator with the options that are not the default ones."""
    given = []
    for parameter in inspect.signature(type(estimator)).parameters.values():
        value = getattr(estimator, parameter.name, parameter.default)
        if parameter.name != "allow_biased" and repr(value) != repr(parameter.default):
            given.append(f"{parameter.name}={value!r}")
    return short(type(estimator).__name__ + (f"({', '.join(given)})" if given else ""), 60)


def _ends(members: Members[str]) -> str:
    """Names in a list; of many the ends."""
    if len(members) <= _LISTED:
        return ", ".join(map(title, members))
    return f"{title(members.first)}, …, {title(members.last)}"


def _heats(given: Any) -> dict[str, tuple[float, float]]:
    """The share of the largest number, and the number, by name."""
    numbers = {name: float(value) for name, value in dict(given or {}).items()}
    most = max(map(abs, numbers.values()), default=0.0) or 1.0
    return {name: (abs(value) / most, value) for name, value in numbers.items()}
