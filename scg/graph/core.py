"""Declaring a model: a graph of parameter, data, deterministic, stochastic and cost nodes."""

from __future__ import annotations

from typing import Any

from scg.common.arguments import checked, kind
from scg.distributions.base import Distribution
from scg.distributions.constraints import Constraint
from scg.errors import DeclarationError
from scg.graph.cells import discounted, gated, homes_of, on_cells, present_in
from scg.graph.costs import Observation, check_distribution, cost_of, cost_of_observation
from scg.graph.nodes import NamedNodes
from scg.graph.parameters import (
    Initializer,
    Parameter,
    as_shape,
    constrained,
    constrained_node,
    initial,
    start,
    unconstrained,
)
from scg.graph.scan import scan
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, PARAMETER, Op, intern
from scg.ir.plate import Plate, Plates, as_plates


def _sampled(*_: Any, **__: Any) -> Any:
    raise TypeError("the compiler replaces a stochastic node by its sample before a program runs")


#: Arguments of calls, beside which data are given by keyword.
RESERVED = ("params", "seed", "runs", "data", "state", "noise", "carry")

SAMPLE = Op(
    "sample", _sampled, lambda *shapes, **attrs: (), continuous=False, smooth=False, stochastic=True
)


@kind("a scg.Graph")
class CoreGraph(NamedNodes):
    """What a graph is declared with; users hold its subclass :class:`scg.face.Graph`."""

    # --- declaring ----------------------------------------------------------------------------
    @checked('g.parameter("theta", 0.4)', DeclarationError)
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

        What training changes is a parameter; what a call supplies is :meth:`data`.

        Parameters
        ----------
        name : str
            The key in ``params`` and ``grads``; under a scope it is "scope/name".
        value : array_like, optional
            The initial value; its shape is the parameter's.
        shape, init : optional
            A shape and an initializer of ``scg.init`` (zeros by default), or a function of a NumPy
            generator and the shape.
        constraint : Constraint, optional
            Where the values lie: ``scg.positive``, ``positive_exp``, ``unit_interval``,
            ``simplex``, ``ordered_vector`` or ``lower_cholesky``. ``params`` and the returned node
            hold such values. Gradients, in contrast, are with respect to the unconstrained numbers
            that ``constraint.transform`` maps to the values, so that every update is possible.

        Returns
        -------
        Expr
            The node, for use in the model.

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
        event, first = start(full, value, shape, init, constraint)
        node = leaf = intern(self, PARAMETER, (), {"name": full}, (event, (), "float"))
        if constraint is not None:
            node = constrained_node(full, leaf, constraint)
            self.names[node] = full
        self._enter(full, node, "parameter")
        self.parameters[full] = Parameter(leaf, first, constraint)
        return node

    @checked('g.data("x", shape=(784,), plates=batch)', DeclarationError)
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
            The event shape: that of one example, without the batch.
        plates : Plate or tuple of Plate, optional
            The leading axes, which lie in the order in which the plates were made, whatever their
            order here; ``print(node)`` names them in that order.
        kind : {"float", "int"}
            Integers can serve as indices.

        Returns
        -------
        Expr
            The node, for use in the model.
        """
        full = self._register(name)
        if full in RESERVED:
            raise DeclarationError(
                f"data: {full!r} is an argument of calls such as step(params, seed=1); choose "
                "another name"
            )
        if kind not in ("float", "int"):
            raise DeclarationError(f'data {full!r}: kind must be "float" or "int", got {kind!r}')
        signature = (as_shape(shape, f"data {full!r}"), self._on(full, plates), kind)
        self._check_plates(full, signature[1])
        node = intern(self, DATA, (), {"name": full}, signature)
        self._enter(full, node, "data")
        self.data_nodes[full] = node
        return node

    @checked('g.sample("z", scg.Bernoulli(logits=theta))', DeclarationError)
    def sample(
        self, name: str, dist: Distribution, *, plates: Plate | Plates | None = None
    ) -> StochasticNode:
        """Declare a stochastic node, sampled from `dist` once for each element of its plates.

        Use it for what the model leaves unknown; a value that was seen is an :meth:`observe`.

        Parameters
        ----------
        name : str
            The node's name.
        dist : Distribution
            Its distribution given its parents.
        plates : Plate or tuple of Plate, optional
            Plates besides those of the distribution's parameters.

        Returns
        -------
        StochasticNode
            The sample, with its distribution as ``dist``.
        """
        full = self._register(name)
        check_distribution(full, dist)
        args = tuple(gated(self, self.as_node(v, full)) for v in dist.parameters.values())
        own = (*self._on(full, plates), *(cell.plate for cell in self.cells))
        every = as_plates([*(plate for arg in args for plate in arg.plates), *own])
        self._check_plates(full, every)
        attrs = {"name": full, "family": type(dist), "static": dist.static}
        signature = (dist.shape, every, dist.kind)
        node = intern(self, SAMPLE, args, attrs, signature)
        assert isinstance(node, StochasticNode)
        if self.cells:
            homes_of(self, args)
            inside = frozenset(cell.name for cell in self.cells)
            self.homes[node] = inside.union(*(self.homes[arg] for arg in args))
        self._enter(full, node, "stochastic")
        self.stochastic[full] = node
        return node

    @checked('g.deterministic("total", np.sum(z))', DeclarationError)
    def deterministic(self, name: str, value: Expr) -> Expr:
        """Return a deterministic node with a name, for drawings, messages and ``simulate``."""
        full = self._register(name)
        node = gated(self, self.as_node(value, full))
        self._enter(full, node, "deterministic")
        self.deterministics[full] = node
        self.names.setdefault(node, full)
        return node

    @checked('g.cost("loss", (z - 0.5) ** 2)', DeclarationError)
    def cost(self, name: str, value: Any, *, mask: Any = None) -> None:
        """Declare a cost: a scalar for each plate element, to be minimised in expectation.

        Parameters
        ----------
        name : str
            Its name in ``costs``.
        value : node or array_like
            A scalar for each plate element.
        mask : node or array_like, optional
            For ragged data: true where an element is present. The others contribute zero, but
            their value must be finite all the same. A mean over a plate divides by the number of
            all elements, which is unbiased for batches; for the mean over those that are present
            write ``g.cost(name, value / scg.plate_mean(mask, plates), mask=mask)``.
        """
        full = self._register(name)
        present = present_in(self, None if mask is None else self.as_node(mask, full))
        node = discounted(self, self.as_node(value, full))
        cost = cost_of(full, on_cells(self, node), present)
        self._check_plates(full, cost.plates)
        self._enter(full, cost, "cost")
        self.costs[full] = cost

    @checked('g.observe("y", scg.Normal(mean, 1.0), y)', DeclarationError)
    def observe(self, name: str, dist: Distribution, value: Any, *, mask: Any = None) -> None:
        """Declare the cost −log p(value): an observation, summed over its plates by default.

        Parameters
        ----------
        name : str
            Its name in ``costs``.
        dist : Distribution
            The distribution p, of the event shape of `value`.
        value : node or array_like
            What was observed. A call whose data lie outside the support is an error.
        mask : node or array_like, optional
            True where something was observed: a scalar for each plate element, or of the event
            shape where the distribution's coordinates are independent.

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
        check_distribution(full, dist)
        present = present_in(self, None if mask is None else self.as_node(mask, full))
        seen = Observation(dist, on_cells(self, self.as_node(value, full)), present)
        cost = discounted(self, cost_of_observation(full, seen))
        self._check_plates(full, cost.plates)
        self._enter(full, cost, "cost")
        self.observations[full] = seen
        self.costs[full] = cost

    # --- using ----------------------------------------------------------------------------------
    scan = scan
    init = initial
    unconstrained = unconstrained
    constrained = constrained
