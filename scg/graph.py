"""Declaring a model: a graph of parameter, data, deterministic, stochastic and cost nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.errors import CallError, DeclarationError, UnsupportedError
from scg.expr import Expr, Plate, Plates, StochasticNode, as_plates, describe, intern, topological
from scg.init import Given, zeros
from scg.ops import base
from scg.ops.gradient import observed

if TYPE_CHECKING:
    import networkx as nx

    from scg.distributions.base import Distribution
    from scg.distributions.constraints import Constraint

Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
_RESERVED = "/@#"


def _draw(*_: Any, **__: Any) -> Any:
    raise TypeError("a stochastic node is replaced by its draw before a program runs")


SAMPLE = base.Op("sample", _draw, lambda *shapes, **attrs: (), (), continuous=False, smooth=False)


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: its (unconstrained) leaf, how it is initialised, and its constraint."""

    node: Expr
    init: Initializer
    constraint: Constraint | None = None


class Observation(NamedTuple):
    """What was observed: its law, its value, and where there is a value."""

    dist: Distribution
    value: Expr
    mask: Expr | None


class Graph:
    """A stochastic computation graph (Schulman et al. 2015).

    Parameters
    ----------
    name : str
        A name for drawings and messages.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> theta = g.parameter("theta", 0.4)
    >>> b = g.sample("b", scg.Bernoulli(logits=theta))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> g
    Graph('toy': 1 parameter, 1 stochastic, 1 cost)
    """

    def __init__(self, name: str = "graph"):
        self.name = name
        self.table: dict[Any, Expr] = {}  # interned expressions live and die with the graph
        self.names: dict[Expr, str] = {}
        self.parameters: dict[str, Parameter] = {}
        self.data_nodes: dict[str, Expr] = {}
        self.stochastic: dict[str, StochasticNode] = {}
        self.deterministics: dict[str, Expr] = {}
        self.costs: dict[str, Expr] = {}
        self.observations: dict[str, Observation] = {}
        self.roles: dict[str, tuple[Expr, str]] = {}  # every declared name: its node and role
        self._plates: dict[str, Plate] = {}
        self._scope: tuple[str, ...] = ()

    # --- declaring ----------------------------------------------------------------------------
    def parameter(
        self,
        name: str,
        value: Any = None,
        *,
        shape: int | tuple[int, ...] | None = None,
        init: Initializer | None = None,
        constraint: Constraint | None = None,
    ) -> Expr:
        """Declare a parameter: an initial value, or a shape and an initializer.

        Parameters
        ----------
        name : str
            The key in ``params`` and ``grads``; under a scope it is "scope/name".
        value : array_like, optional
            The initial value; its shape is the parameter's.
        shape, init : optional
            A shape and an initializer of ``scg.init`` (zeros by default).
        constraint : Constraint, optional
            Where the values lie: ``scg.positive``, ``positive_exp``, ``unit_interval``,
            ``simplex``, ``ordered_vector`` or ``lower_cholesky``. ``params`` holds such values,
            and the returned node is one; but gradients are with respect to the unconstrained
            numbers that ``constraint.transform`` maps to it, so that every update is possible.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph()
        >>> sigma = g.parameter("sigma", 1.5, constraint=scg.positive)
        >>> g.cost("loss", 3.0 * sigma)
        >>> scg.compile(g)({"sigma": 1.5}, seed=0).grads["sigma"].round(6)  # 3 (1 − exp(−1.5))
        np.float64(2.33061)
        """
        full = self._register(name)
        if (value is None) == (shape is None):
            raise DeclarationError(
                f"parameter {full!r}: give an initial value or a shape (with init=...), not "
                f"{'both' if shape is not None else 'neither'}"
            )
        if value is not None:
            if init is not None:
                raise DeclarationError(f"parameter {full!r}: init= goes with shape=, not a value")
            array = _float_array(value, f"parameter {full!r}")
            event, start = array.shape, Given(array)
        else:
            event = as_shape(shape, f"parameter {full!r}")
            start = init or zeros
        leaf = self._leaf(base.PARAMETER, full, event, ())
        node = leaf
        if constraint is not None:
            node = _constrained(full, leaf, constraint)
            self.names[node] = full
            if value is not None and (complaint := constraint.complaint(array)):
                raise DeclarationError(f"parameter {full!r} {complaint}")
            if value is None and init is None:
                start = ImageOfZeros(constraint)
        self.roles[full] = node, "parameter"
        self.parameters[full] = Parameter(leaf, start, constraint)
        return node

    def data(
        self,
        name: str,
        shape: int | tuple[int, ...] = (),
        *,
        plates: Plate | Plates | None = None,
        kind: str = "float",
    ) -> Expr:
        """Declare data: arrays of plate axes and then the event `shape`, supplied at each call.

        Parameters
        ----------
        name : str
            The key in ``data``.
        shape : int or tuple of int
            The event shape: one example.
        plates : Plate or tuple of Plate, optional
            The leading axes.
        kind : {"float", "int"}
            Integers can serve as indices.
        """
        full = self._register(name)
        if kind not in ("float", "int"):
            raise DeclarationError(f'data {full!r}: kind must be "float" or "int", got {kind!r}')
        plates = as_plates(plates)
        self._check_plates(full, plates)
        node = self._leaf(base.DATA, full, as_shape(shape, f"data {full!r}"), plates, kind)
        self.roles[full] = node, "data"
        self.data_nodes[full] = node
        return node

    def sample(
        self, name: str, dist: Distribution, *, plates: Plate | Plates | None = None
    ) -> StochasticNode:
        """Declare a stochastic node, drawn from `dist` once on each element of its plates.

        The node lives on the plates of the distribution's parameters, and on `plates` besides.
        """
        full = self._register(name)
        self._check_law(full, dist)
        args = tuple(self._node(value, full) for value in dist.parameters.values())
        every = as_plates([p for arg in args for p in arg.plates] + list(as_plates(plates)))
        self._check_plates(full, every)
        attrs = {"name": full, "family": type(dist), "static": dist.static}
        signature = (dist.shape, every, dist.kind)
        node = intern(self, SAMPLE, args, attrs, signature)
        assert isinstance(node, StochasticNode)
        self.roles[full] = node, "stochastic"
        self.stochastic[full] = node
        return node

    def deterministic(self, name: str, value: Expr) -> Expr:
        """Name a deterministic node, for drawings, messages and ``simulate``."""
        full = self._register(name)
        node = self._node(value, full)
        self.roles[full] = node, "deterministic"
        self.deterministics[full] = node
        self.names.setdefault(node, full)
        return node

    def cost(self, name: str, value: Any, *, mask: Any = None) -> None:
        """Declare a cost: a scalar for each plate element, to be minimised in expectation.

        Parameters
        ----------
        name : str
            Its name in ``costs``.
        value : node or array_like
            A scalar for each plate element.
        mask : node or array_like, optional
            For ragged data: true where an element is there. Others contribute zero; a mean over
            a plate still divides by all its elements, so that padded plates are best summed.
            The value of an element that is not there must be finite all the same.
        """
        full = self._register(name)
        node = self._node(value, full)
        if node.shape != ():
            raise DeclarationError(
                f"cost {full!r} has event shape {node.shape}, expected a scalar per plate element. "
                'Write np.sum(...) around it: g.cost("%s", np.sum(...))' % name
            )
        self._check_plates(full, node.plates)
        if mask is not None:
            node = self._masked(full, node, mask)
        # A cost is deterministic: a stochastic node must be an ancestor of it to get credit.
        plain = node.kind == "float" and not isinstance(node, StochasticNode)
        self.costs[full] = node if plain else base.OPS["float"](node)
        self.roles[full] = self.costs[full], "cost"

    def observe(self, name: str, dist: Distribution, value: Any, *, mask: Any = None) -> None:
        """Declare the cost −log p(value): an observation, summed over its plates by default.

        Parameters
        ----------
        name : str
            Its name in ``costs``.
        dist : Distribution
            The law, of the event shape of `value`.
        value : node or array_like
            What was observed. A call whose data lie outside the support is an error.
        mask : node or array_like, optional
            True where something was observed: a scalar for each plate element, or of the event
            shape where the law's coordinates are independent.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("coin")
        >>> tosses = scg.Plate("tosses")
        >>> theta = g.parameter("theta", 0.0)
        >>> g.observe("heads", scg.Bernoulli(logits=theta), g.data("x", plates=tosses))
        >>> scg.compile(g)({"theta": 0.0}, seed=0, x=[1, 1, 0, 1]).grads["theta"].item()
        -1.0
        """
        full = self._register(name)
        self._check_law(full, dist)
        node = self._node(value, full)
        if node.shape != dist.shape:
            raise DeclarationError(
                f"observation {full!r}: the value has event shape {node.shape}, but "
                f"{type(dist).__name__} draws events of shape {dist.shape}"
            )
        if dist.kind == "int" and node.kind != "int":
            raise DeclarationError(
                f"observation {full!r}: {type(dist).__name__} draws integers, got {describe(node)} "
                f'of kind {node.kind}; declare data with kind="int"'
            )
        if node.value is not None and not isinstance(dist.support, Expr):
            complaint = dist.support.complaint(node.value)
            if complaint and mask is None:
                raise DeclarationError(f"observation {full!r}: the value {complaint}")
        mask = None if mask is None else self._node(mask, full)
        logp = dist.log_prob(node, elementwise=mask is not None and mask.ndim > 0)
        cost = -self._node(logp, full)
        self._check_plates(full, cost.plates)
        if mask is not None:
            cost = np.sum(self._masked(full, cost, mask))
        self.observations[full] = Observation(dist, node, mask)
        self.costs[full] = observed(cost)
        self.roles[full] = self.costs[full], "cost"

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names declared inside with "name/"."""
        _check_name(name, "scope")
        self._scope, before = (*self._scope, name), self._scope
        try:
            yield
        finally:
            self._scope = before

    # --- using ----------------------------------------------------------------------------------
    def init(self, seed: int | tuple[int, ...]) -> dict[str, np.ndarray]:
        """Return initial parameters; each depends on the seed and its own name alone."""
        from scg.engine.noise import check_seed, stream_key

        check_seed(seed)
        params = {}
        for name, parameter in self.parameters.items():
            rng = np.random.default_rng([int(word) for word in stream_key(seed, f"init:{name}")])
            value = np.asarray(parameter.init(rng, parameter.node.shape), dtype=np.float64)
            if value.shape != parameter.node.shape:
                raise CallError(
                    f"parameter {name!r}: its initializer returned shape {value.shape}, "
                    f"expected {parameter.node.shape}"
                )
            params[name] = value
        return params

    def unconstrained(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the numbers behind the values of constrained parameters; others as they are.

        Raises
        ------
        CallError
            If a value violates its parameter's constraint.
        """
        numbers = {}
        for name, value in params.items():
            constraint = self.parameters[name].constraint
            if constraint is not None:
                value = np.asarray(value, dtype=np.float64)
                if complaint := constraint.complaint(value):
                    raise CallError(f"parameter {name!r} {complaint}")
                value = np.asarray(constraint.inverse(value))
            numbers[name] = value
        return numbers

    def constrained(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of unconstrained numbers: the inverse of :meth:`unconstrained`."""
        params = {}
        for name, value in numbers.items():
            constraint = self.parameters[name].constraint
            params[name] = constraint.transform(np.asarray(value)) if constraint else value
        return params

    def simulate(self, params: Mapping[str, Any], **options: Any) -> dict[str, np.ndarray]:
        """Draw values of any nodes; see :func:`scg.simulate.simulate`."""
        from scg.simulate import simulate

        return simulate(self, params, **options)

    def to_json(self) -> str:
        """Return the declaration as JSON text; see :mod:`scg.declaration`.

        Raises
        ------
        DeclarationError
            If something has no name that a reader could know it by, or is not finite.
        """
        from scg.declaration import write

        return write(self)

    @classmethod
    def from_json(
        cls, declaration: str | Mapping[str, Any], *, custom: Mapping[str, Any] | None = None
    ) -> Graph:
        """Declare the graph of a JSON text, or of what ``json.loads`` makes of it.

        Parameters
        ----------
        declaration : str or mapping
            The declaration; see :mod:`scg.declaration`. It is data: nothing of it is executed.
        custom : mapping, optional
            What the declaration may use by name besides scg's own: functions made by
            :func:`scg.op`, initializers, distributions.

        Raises
        ------
        DeclarationError
            If something is unknown, missing, circular, too large, or does not fit.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
        >>> g.cost("loss", (b - 0.499) ** 2)
        >>> scg.Graph.from_json(g.to_json())
        Graph('toy': 1 parameter, 1 stochastic, 1 cost)
        """
        from scg.declaration import read

        return read(declaration, custom=custom)

    def draw(self, path: str | None = None) -> Any:
        """Draw the graph; see :func:`scg.draw.dot.draw_graph`."""
        from scg.draw.dot import draw_graph

        return draw_graph(self, path)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    def to_networkx(self) -> nx.DiGraph:
        """Return the declared graph: named nodes with a ``role``, edges as in the model.

        Unnamed deterministic operations are contracted into edges between named nodes.
        """
        import networkx as nx

        digraph = nx.DiGraph(name=self.name)
        for name, (_, role) in self.roles.items():
            digraph.add_node(name, role=role)
        by_expr: dict[Expr, str] = {}
        for name, (node, role) in self.roles.items():
            if role != "cost":
                by_expr[node] = name
        sources: dict[Expr, frozenset[str]] = {}
        for expr in topological(node for node, _ in self.roles.values()):
            below = frozenset().union(*(sources[arg] for arg in expr.args))
            own = by_expr.get(expr)
            if own is not None:
                digraph.add_edges_from((source, own) for source in sorted(below))
            sources[expr] = below if own is None else frozenset((own,))
        for name, node in self.costs.items():
            digraph.add_edges_from((source, name) for source in sorted(sources[node]))
        return digraph

    def named(self, name: str) -> Expr:
        """Return the node of a declared name."""
        found = self.roles.get(name)
        if found is None:
            import difflib

            close = difflib.get_close_matches(name, list(self.roles), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise CallError(f"graph {self.name!r} has no node {name!r}{hint}")
        return found[0]

    @property
    def plates(self) -> tuple[Plate, ...]:
        """All plates of the declared nodes."""
        return as_plates(self._plates.values())

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for _, role in self.roles.values():
            counts[role] = counts.get(role, 0) + 1
        return f"Graph({self.name!r}: {', '.join(f'{n} {role}' for role, n in counts.items())})"

    # --- inside -----------------------------------------------------------------------------------
    def _register(self, name: str) -> str:
        _check_name(name, "node")
        full = "/".join((*self._scope, name))
        if full in self.roles:
            role = self.roles[full][1]
            raise DeclarationError(
                f"graph {self.name!r} already has a {role} node {full!r}; "
                "choose another name or a scope: with g.scope(...):"
            )
        return full

    def _leaf(
        self, op: base.Op, name: str, shape: tuple[int, ...], plates: Plates, kind: str = "float"
    ) -> Expr:
        return intern(self, op, (), {"name": name}, (shape, plates, kind))

    def _node(self, value: Any, name: str) -> Expr:
        if not isinstance(value, Expr):
            return base.constant(self, value)
        if value.graph is not self:
            raise DeclarationError(
                f"node {name!r} of graph {self.name!r} uses {describe(value)} "
                f"of another graph ({value.graph.name!r})"
            )
        return value

    def _check_law(self, name: str, dist: Any) -> None:
        from scg.distributions.base import Distribution

        if not isinstance(dist, Distribution):
            raise DeclarationError(
                f"node {name!r}: expected a distribution such as scg.Bernoulli(logits=...), "
                f"got {type(dist).__name__}"
            )

    def _masked(self, name: str, value: Expr, mask: Any) -> Expr:
        mask = self._node(mask, name)
        if mask.shape != value.shape or not set(mask.plates) <= set(value.plates):
            raise DeclarationError(
                f"cost {name!r}: the mask is {describe(mask)}, but masks {describe(value)}; "
                "it needs the same shape and no other plates"
            )
        return base.OPS["where"](mask, value, 0.0)

    def _check_plates(self, name: str, plates: Plates) -> None:
        for plate in plates:
            if self._plates.setdefault(plate.name, plate) is not plate:
                raise DeclarationError(
                    f"node {name!r}: the graph has two plates of the name {plate.name!r}. "
                    "Make one scg.Plate and use it everywhere, or choose another name"
                )


@dataclass(frozen=True, eq=False)
class ImageOfZeros:
    """The value of a constrained parameter whose unconstrained numbers are zero."""

    constraint: Constraint

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Transform zeros."""
        return np.asarray(self.constraint.transform(np.zeros(shape)))


def _constrained(name: str, leaf: Expr, constraint: Constraint) -> Expr:
    from scg.distributions.constraints import Constraint

    if not isinstance(constraint, Constraint):
        raise DeclarationError(
            f"parameter {name!r}: expected a constraint such as scg.positive, got {constraint!r}"
        )
    if leaf.ndim < constraint.axes:
        raise DeclarationError(
            f"parameter {name!r} of shape {leaf.shape} cannot be {constraint.name}"
        )
    try:
        return constraint.transform(leaf)
    except UnsupportedError as error:
        raise DeclarationError(f"parameter {name!r}: {error}") from error


def _check_name(name: Any, what: str) -> None:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise DeclarationError(f"a {what} needs a name of printable characters, got {name!r}")
    for character in _RESERVED:
        if character in name:
            raise DeclarationError(
                f"{what} name {name!r}: {character!r} is reserved"
                + (" for scopes; write with g.scope(...):" if character == "/" else "")
            )


def as_shape(shape: Any, what: str) -> tuple[int, ...]:
    """Return a shape as a tuple, checked."""
    entries = (shape,) if isinstance(shape, (int, np.integer)) else shape
    if not isinstance(entries, (tuple, list)) or not all(
        isinstance(n, (int, np.integer)) and n >= 0 for n in entries
    ):
        raise DeclarationError(f"{what}: a shape is a tuple of integers, got {shape!r}")
    return tuple(int(n) for n in entries)


def _float_array(value: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"{what}: expected numbers, got {value!r}") from error
    if not np.all(np.isfinite(array)):
        raise DeclarationError(f"{what}: the initial value is not finite")
    return array
