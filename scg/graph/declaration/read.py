"""Read a graph from JSON: each fault of the text is a `DeclarationError` that names the node."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any

import numpy as np

from scg.distributions import BIJECTIONS, DISTRIBUTIONS
from scg.errors import DeclarationError
from scg.graph.carry import Scan
from scg.graph.core import CoreGraph
from scg.graph.declaration.attributes import applicable, check_application
from scg.graph.declaration.notation import Expression
from scg.graph.declaration.parts import (
    CONSTRAINTS,
    NODES,
    SCHEMA,
    bounded,
    known,
    mapping,
    numbers,
    parse,
    strings,
    without_words,
)
from scg.graph.init import INITIALIZERS
from scg.graph.scan import check_joined, join
from scg.ir.expr import Expr
from scg.ir.op import OPS, constant, plate_size
from scg.ir.plate import Plate, Time

#: Further words that an entry may hold, by the word of its role.
ENTRIES = {
    "parameter": set(),
    "data": set(),
    "sample": {"plates", "in"},
    "deterministic": set(),
    "cost": set(),
    "constant": {"kind", "shape"},
    "op": {"args", "attrs"},
    "custom": {"args"},
    "unconstrained": set(),
    "plate_size": set(),
}
_NAMED = ("parameter", "data", "sample", "deterministic", "cost")
_KINDS = {"float": np.float64, "int": np.int64, "bool": np.bool_}
_OWN = "; hand one of your own over: from_json(text, custom={...})"
_FAMILIES = {family.__name__: family for family in (*DISTRIBUTIONS, *BIJECTIONS)}


def read(
    declaration: str | Mapping[str, Any],
    make: Callable[[str], CoreGraph],
    *,
    custom: Mapping[str, Any] | None = None,
    what: str = "declaration",
    plates: Mapping[str, Plate] = MappingProxyType({}),
) -> Any:
    """The graph of a declaration, see :meth:`scg.Graph.from_json`; `make` is called with its name.

    `what` names the declaration in messages, for example by its path; `plates` are those that it
    does not make anew.
    """
    if isinstance(declaration, str):
        declaration = parse(declaration, what)
    top = mapping(what, declaration, {"schema", "name", "plates", "scans", "nodes"})
    if top.get("schema", SCHEMA) != SCHEMA:
        raise DeclarationError(
            f"{what}: schema {top['schema']!r}; this version of scg reads schema {SCHEMA}"
        )
    reader = _Reader(make, what, top, MappingProxyType(dict(custom or {})), plates)
    return reader.graph


# --- nodes ----------------------------------------------------------------------------------------
class _Reader:
    """Declares nodes one after the other, each after those that it refers to."""

    def __init__(
        self,
        make: Callable[[str], CoreGraph],
        what: str,
        top: dict[str, Any],
        custom: Mapping[str, Any],
        plates: Mapping[str, Plate],
    ):
        self.what, self.custom, self.given = what, custom, plates
        entries = mapping(f"{what}: nodes", top.get("nodes", {}))
        if len(entries) > NODES:
            raise DeclarationError(f"{what}: more than {NODES} nodes")
        name = top.get("name", "model")
        if not isinstance(name, str):
            raise DeclarationError(f"{what}: name: expected a string, got {name!r:.60}")
        self.graph = make(name)
        self.plates = {
            name: self._guarded(f"plate {name!r}", self._plate, name, options)
            for name, options in mapping(f"{what}: plates", top.get("plates", {})).items()
        }
        self.values: dict[str, Any] = dict(self.plates)
        self.texts: dict[str, Expression] = {}
        self.roles: dict[str, str] = {}
        self.inside: dict[Expr, list[str]] = {}
        uses = {
            name: self._guarded(f"node {name!r}", self._examine, name, entry)
            for name, entry in entries.items()
        }
        for name in _in_order(what, uses):
            self.values[name] = self._guarded(f"node {name!r}", self._declare, name, entries[name])
        for name, entry in mapping(f"{what}: scans", top.get("scans", {})).items():
            self._guarded(f"scan {name!r}", self._scan, name, entry)
        self._guarded("scans", check_joined, self.graph, self.values, self.inside)

    def _guarded(self, where: str, declare: Any, *args: Any) -> Any:
        """Call `declare`; the declaration is to blame for anything that this raises."""
        try:
            return bounded(declare(*args))
        except RecursionError:
            raise DeclarationError(f"{self.what}: {where}: nested too deeply") from None
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise DeclarationError(f"{self.what}: {where}: {text}") from error

    # --- before: what an entry is, and what it refers to ------------------------------------------
    def _examine(self, name: str, entry: Any) -> frozenset[str]:
        entry = mapping("entry", entry)
        found = [word for word in ENTRIES if word in entry]
        named = not name.startswith("#")
        if len(found) != 1 or (found[0] in _NAMED) is not named:
            wanted = _NAMED if named else [word for word in ENTRIES if word not in _NAMED]
            raise DeclarationError(f"expected one of {', '.join(wanted)}, got {list(entry)!r:.60}")
        (role,) = found
        mapping("entry", entry, {role, *ENTRIES[role]})
        self.roles[name] = role
        given = entry[role]
        if role in ("op", "custom"):
            return frozenset(strings("args", entry.get("args")))
        if role == "unconstrained":
            return frozenset(strings("unconstrained", [given]))
        if role not in ("sample", "deterministic", "cost"):
            return frozenset()
        if isinstance(given, str):
            self.texts[name] = Expression(given, self.custom)
            return self.texts[name].uses - self.plates.keys()
        if role == "sample":
            parts = mapping("sample", given, {"family", "static", "args"})
            return frozenset(strings("args", parts.get("args")))
        if not isinstance(given, Mapping):
            raise DeclarationError(f"expected an expression in quotes, got {given!r:.60}")
        return frozenset(strings("node", [mapping(role, given, {"node"}).get("node")]))

    def _declare(self, name: str, entry: Any) -> Any:
        role = self.roles[name]
        *scopes, own = name.split("/") if role in _NAMED else [name]
        with contextlib.ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(self.graph.scope(scope))
            return getattr(self, f"_{role}")(own, self.texts.get(name, entry[role]), entry)

    # --- named nodes ------------------------------------------------------------------------------
    def _plate(self, name: str, options: Any) -> Plate:
        options = mapping("options", options, {"length", "size", "reduce", "ordered"})
        if name in self.given:
            return self.given[name]
        return (Time if options.pop("ordered", False) else Plate)(name, **options)

    def _scan(self, name: str, given: Any) -> None:
        given = mapping("scan", given, {"over", "reverse", "carries", "news", "discounted"})
        ends = (self._args(strings(side, given.get(side))) for side in ("carries", "news"))
        plate = known("plate", given.get("over"), self.plates)
        reverse, discounted = given.get("reverse", False), given.get("discounted", False)
        carries, news = ends
        join(self.graph, Scan(name, plate, reverse, carries, news, discounted))

    def _parameter(self, name: str, given: Any, entry: Any) -> Expr:
        options = mapping("parameter", given, {"value", "shape", "init", "constraint"})
        if "value" in options:
            options["value"] = numbers("value", options["value"])
        if "init" in options:
            options["init"] = self._initializer(options["init"])
        if "constraint" in options:
            options["constraint"] = known("constraint", options["constraint"], CONSTRAINTS)
        return self.graph.parameter(name, **options)

    def _data(self, name: str, given: Any, entry: Any) -> Expr:
        options = mapping("data", given, {"shape", "kind", "plates"})
        plates = self._on(options.pop("plates", []))
        return self.graph.data(name, plates=plates, **options)

    def _sample(self, name: str, given: Any, entry: Any) -> Expr:
        written = isinstance(given, Expression)
        dist = given.evaluate(self.values) if written else self._distribution(given)
        node = self.graph.sample(name, dist, plates=self._on(entry.get("plates", [])))
        self.inside[node] = strings("in", entry.get("in", []))
        return node

    def _deterministic(self, name: str, given: Any, entry: Any) -> Expr:
        return self.graph.deterministic(name, self._value(given))

    def _cost(self, name: str, given: Any, entry: Any) -> None:
        self.graph.cost(name, self._value(given))

    def _value(self, given: Any) -> Any:
        if isinstance(given, Expression):
            return given.evaluate(self.values)
        return self._args([given["node"]])[0]

    # --- operations -------------------------------------------------------------------------------
    def _constant(self, name: str, given: Any, entry: Any) -> Expr:
        kind = known("kind", entry.get("kind", "float"), _KINDS)
        array = np.asarray(without_words(given))
        if array.dtype.kind not in "fiub" or np.any(np.isnan(array)):
            raise DeclarationError(f"constant: expected numbers, got {given!r:.60}")
        if array.size and not np.can_cast(array.dtype, kind):
            raise DeclarationError(f"constant: expected {entry['kind']} numbers, got {array.dtype}")
        array = array.astype(kind)
        if "shape" in entry:
            array = array.reshape(entry["shape"])
        return constant(self.graph, array)

    def _op(self, name: str, given: Any, entry: Any) -> Expr:
        op = known("op", given, OPS)
        if not applicable(op):
            raise DeclarationError(f"op {given!r} is not for declarations")
        attrs = mapping("attrs", entry.get("attrs", {}))
        args = self._args(entry["args"])
        attrs = {key: self._attribute(value) for key, value in attrs.items()}
        check_application(op, args, attrs)
        return op.build(self.graph, args, attrs)

    def _custom(self, name: str, given: Any, entry: Any) -> Expr:
        function = known("custom op", given, self.custom, _OWN)
        value = function(*self._args(entry["args"]))
        if not isinstance(value, Expr) or value.graph is not self.graph:
            raise DeclarationError(f"custom op {given!r} returned {value!r:.60}, expected a node")
        return value

    def _unconstrained(self, name: str, given: Any, entry: Any) -> Expr:
        if given not in self.graph.parameters:
            raise DeclarationError(f"unconstrained: {given!r} is not a parameter")
        return self.graph.parameters[given].node

    def _plate_size(self, name: str, given: Any, entry: Any) -> Expr:
        return plate_size(self.graph, known("plate", given, self.plates))

    # --- parts ------------------------------------------------------------------------------------
    def _args(self, names: list[str]) -> tuple[Expr, ...]:
        args = tuple(self.values[name] for name in names)
        for name, arg in zip(names, args, strict=True):
            if not isinstance(arg, Expr):
                raise DeclarationError(f"{name!r} is a cost; other nodes cannot refer to it")
        return args

    def _on(self, names: Any) -> tuple[Plate, ...]:
        return tuple(known("plate", name, self.plates) for name in strings("plates", names))

    def _distribution(self, given: Mapping[str, Any]) -> Any:
        family = self._family(given.get("family"))
        args = self._args(given["args"])
        # Numbers are given as numbers: the constructor then checks them.
        values = tuple(arg.value if arg.value is not None else arg for arg in args)
        return family.rebuild(values, self._attribute(given.get("static", [])))

    def _family(self, name: Any) -> Any:
        return known("distribution", name, {**_FAMILIES, **self.custom}, _OWN)

    def _initializer(self, given: Any) -> Any:
        if isinstance(given, Mapping):
            ((word, options),) = mapping("init", given).items()
            given = {key: numbers(key, value) for key, value in mapping(word, options).items()}
            return known("initializer", word, INITIALIZERS)(**given)
        found = known("initializer", given, {**INITIALIZERS, **self.custom}, _OWN)
        if isinstance(found, type):
            raise DeclarationError(f'init: {given!r} takes options: {{"{given}": {{...}}}}')
        return found

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._attribute(part) for part in value)
        if isinstance(value, Mapping):
            ((word, name),) = mapping("attribute", value, {"plate", "family"}).items()
            return known("plate", name, self.plates) if word == "plate" else self._family(name)
        return numbers("attribute", value) if isinstance(value, float) else value


def _in_order(what: str, uses: Mapping[str, frozenset[str]]) -> list[str]:
    """Names, each after those that it uses; among those that are ready, in the given order."""
    for name, used in uses.items():
        for other in sorted(other for other in used if other not in uses):
            raise DeclarationError(f"{what}: node {name!r} uses {other!r}, which is not declared")
    sorter = TopologicalSorter(uses)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = error.args[1]
        shown = cycle if len(cycle) <= 9 else [*cycle[:4], "…", *cycle[-4:]]
        raise DeclarationError(f"{what}: a cycle: {' → '.join(shown)}") from error
    place = {name: i for i, name in enumerate(uses)}
    ready: list[tuple[int, str]] = []
    order: list[str] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (place[name], name))
        order.append(heapq.heappop(ready)[1])
        sorter.done(order[-1])
    return order
