"""The contents of a graph: named nodes and their roles, in scopes, on plates."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from scg.common.arguments import check_name, checked
from scg.errors import CallError, DeclarationError, did_you_mean
from scg.graph.carry import Cell, Scan, passed_below
from scg.graph.cells import check_homes
from scg.graph.costs import Observation
from scg.graph.parameters import Parameter
from scg.ir.expr import Density, Expr, StochasticNode, describe
from scg.ir.op import constant
from scg.ir.origin import Origin, caller
from scg.ir.plate import Plate, Plates, as_plates

if TYPE_CHECKING:
    import networkx as nx

_RESERVED = "/@#"


class NodeStep(NamedTuple):
    """What a node of an unrolled graph is: a node of the declared one, at steps of plates."""

    node: str
    at: tuple[tuple[Plate, int], ...]


class NamedNodes:
    """The named nodes of a graph; names are unique, and plates of one name are one plate.

    Attributes
    ----------
    parameters, data_nodes, stochastic, deterministics, costs, observations : dict
        The nodes of each role by name.
    roles : dict
        Every declared name: its node and role, in the order of declaration.
    names : dict
        Names of expressions that are neither leaves nor samples.
    densities : dict
        The log-densities, entropies and divergences that were made, and of which distributions.
    table : dict
        The interned expressions: they live and die with the graph.
    origin : Origin
        What the next expression is built for.
    path : tuple of str
        The scopes in which the next node is declared.
    layers : dict
        What each layer returned, by the scope of its parameters, in the order of its calls.
    scans : dict
        The scans by name.
    cells : tuple of Cell
        The scans in whose cells the next node is declared, outermost first.
    homes : dict
        The names of the scans in whose cells an expression lives.
    steps : dict
        In an unrolled graph, what each node of a step is in the declared one.
    declared : Graph or None
        Of an unrolled graph, the graph with scans.
    apart : bool
        Whether the steps of a cost count as costs of their own.
    inputs : dict
        In an unrolled graph, the data, samples and carries on which the sample of a step directly
        depends.
    boundaries : Boundaries or None
        In an unrolled graph, the factors of credit between its steps, if it is truncated.
    """

    @checked('scg.Graph("toy")', DeclarationError)
    def __init__(self, name: str = "graph"):
        self.name = name
        self.origin = Origin()
        self.table: dict[Any, Expr] = {}
        self.names: dict[Expr, str] = {}
        self.densities: dict[Expr, tuple[Density, ...]] = {}
        self.parameters: dict[str, Parameter] = {}
        self.data_nodes: dict[str, Expr] = {}
        self.stochastic: dict[str, StochasticNode] = {}
        self.deterministics: dict[str, Expr] = {}
        self.costs: dict[str, Expr] = {}
        self.observations: dict[str, Observation] = {}
        self.roles: dict[str, tuple[Expr, str]] = {}
        self._plates: dict[str, Plate] = {}
        self.path: tuple[str, ...] = ()
        self.layers: dict[str, list[Expr]] = {}
        self.scans: dict[str, Scan] = {}
        self.cells: tuple[Cell, ...] = ()
        self.homes: dict[Expr, frozenset[str]] = {}
        self.steps: dict[str, NodeStep] = {}
        self.declared: Any = None
        self.apart = True
        self.boundaries: Any = None
        self.inputs: dict[str, tuple[Expr, ...]] = {}
        self.discounts: dict[str, tuple[Expr, ...]] = {}

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names that are declared inside with "name/"; scopes nest."""
        _check_name(name, "scope")
        with self.at((*self.path, name)):
            yield

    @contextlib.contextmanager
    def at(self, path: tuple[str, ...]) -> Iterator[None]:
        """Declare inside as in the scopes of `path`, in place of the present ones."""
        self.path, before = path, self.path
        try:
            yield
        finally:
            self.path = before

    @checked('g.named("z")')
    def named(self, name: str) -> Expr:
        """The node of a declared name."""
        found = self.roles.get(name)
        if found is None:
            hint = did_you_mean(name, self.roles)
            raise CallError(f"graph {self.name!r} has no node {name!r}{hint}")
        return found[0]

    def declared_name(self, name: str) -> str:
        """The name that a user gave a node, which may be a step of an unrolled scan."""
        return name if self.apart else self.declared_node(name)

    def declared_node(self, name: str) -> str:
        """The name of the node of which one is a step, or its own."""
        return self.steps[name].node if name in self.steps else name

    @property
    def plates(self) -> tuple[Plate, ...]:
        """All plates of the declared nodes."""
        return as_plates(self._plates.values())

    def to_networkx(self) -> nx.DiGraph:
        """The declared graph as a directed graph of named nodes, each with its ``role``.

        Unnamed deterministic operations are contracted into edges between named nodes. An edge has
        two attributes: ``within`` tells whether a path leads there without a carry, at one step,
        and ``next`` holds the names of ordered plates along which carries lead there, to other
        steps. Edges of scans may form cycles; those that are ``within`` form none.
        """
        import networkx as nx

        digraph = nx.DiGraph(name=self.name)
        for name, (_, role) in self.roles.items():
            digraph.add_node(name, role=role)
        by_expr: dict[Expr, str] = {}
        for name, (node, role) in self.roles.items():
            if role != "cost":
                by_expr.setdefault(node, name)
        for name, (node, _) in self.roles.items():
            # A cost, or a further name of a node, has the node itself as its source.
            further = by_expr.get(node, name) != name
            found = {node: {""}} if further else passed_below(self, node, by_expr)
            for source in sorted(found, key=by_expr.__getitem__):
                ways = found[source]
                plates = tuple(sorted(ways - {""}))
                digraph.add_edge(by_expr[source], name, within="" in ways, next=plates)
        return digraph

    def __repr__(self) -> str:
        counts = Counter(role for _, role in self.roles.values())
        return f"Graph({self.name!r}: {', '.join(f'{n} {role}' for role, n in counts.items())})"

    # --- for what declares --------------------------------------------------------------------
    def _register(self, name: str) -> str:
        """Check the name of a new node; return it with its scopes."""
        _check_name(name, "node")
        full = "/".join((*self.path, name))
        if full in self.roles:
            role = self.roles[full][1]
            raise DeclarationError(
                f"graph {self.name!r} already has a {role} node {full!r}; "
                "choose another name or a scope: with g.scope(...):"
            )
        return full

    def _enter(self, full: str, node: Expr, role: str) -> None:
        """Store a new node; unnamed nodes built since the last one get it as their origin."""
        check_homes(self, f"node {full!r}", node)
        self.roles[full] = node, role
        if self.origin.name is None:
            self.origin.name, self.origin.line = full, caller()
        self.origin = Origin()

    def as_node(self, value: Any, name: str) -> Expr:
        """A value that the node `name` uses, as an expression of this graph."""
        if not isinstance(value, Expr):
            try:
                return constant(self, value)
            except DeclarationError as error:
                raise DeclarationError(f"node {name!r}: {error}") from error
        if value.graph is not self:
            raise DeclarationError(
                f"node {name!r} of graph {self.name!r} uses {describe(value)} "
                f"of another graph ({value.graph.name!r})"
            )
        return value

    def _on(self, name: str, plates: Any) -> Plates:
        """The plates that the node `name` is given, in canonical order."""
        try:
            return as_plates(plates)
        except DeclarationError as error:
            raise DeclarationError(
                f'node {name!r}: {error}; make it once, as in batch = scg.Plate("batch")'
            ) from error

    def _check_plates(self, name: str, plates: Plates) -> None:
        known = dict(self._plates)
        for plate in plates:
            if known.setdefault(plate.name, plate) is not plate:
                raise DeclarationError(
                    f"node {name!r}: the graph has two plates of the name {plate.name!r}. "
                    "Make one scg.Plate and use it everywhere, or choose another name"
                )
        self._plates = known


def _check_name(name: Any, what: str) -> None:
    check_name(f"a {what}", name)
    for character in _RESERVED:
        if character in name:
            raise DeclarationError(
                f"{what} name {name!r}: {character!r} is reserved"
                + (" for scopes; write with g.scope(...):" if character == "/" else "")
            )
