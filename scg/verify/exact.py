"""Exact truth: the objective and its derivatives by enumerating all stochastic nodes.

No estimator is involved: the value x_n of each node n becomes data on a plate of outcomes, and the
objective Σ_outcomes Π_n p(x_n) c(x), where c is the cost, is differentiated symbolically. If no op
mixes the elements of a plate on the way to a cost, they are independent and enumerated one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.common.lazy import cached_property
from scg.common.named import Named
from scg.compile import compile
from scg.compiler.analyse import Influence
from scg.compiler.differentiate import gradients
from scg.compiler.objective import check_reductions, contribution
from scg.compiler.unroll import Unrolled, by_node
from scg.engine.program import Program
from scg.errors import CallError, EnumerationError, EstimatorError
from scg.estimators import Enumeration
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, constant, intern
from scg.ir.plate import Plate, Plates
from scg.ir.tables import listing
from scg.ir.walk import rewrite
from scg.ops.elementwise import equal, exp, log, possible, where
from scg.ops.gradient import stop
from scg.ops.reductions import expand, plate_sum
from scg.run.binding import Binder
from scg.run.curvature import assemble, directional, hessian, shapes_of
from scg.run.finish import finish
from scg.run.step import Step
from scg.verify.text import short

LIMIT = 1 << 20
_BLOCK = 1 << 14
OUTCOMES = Plate.internal("outcomes", None, rank=0)


@dataclass
class Exact:
    """The true objective and its derivatives.

    Attributes
    ----------
    cost : float
        The objective E[Σ costs].
    costs : dict
        The contribution of each cost.
    grads : dict
        Its gradient, with the keys and shapes of the parameters.
    hessian : dict
        ``hessian["a"]["b"]`` of shape ``a.shape + b.shape``, computed when first asked for.
    outcomes : int
        Joint outcomes that were enumerated.
    """

    cost: float
    costs: dict[str, float]
    grads: dict[str, np.ndarray]
    outcomes: int
    _arguments: tuple[CoreGraph, dict[str, Any], dict[str, Any]] = field(repr=False)

    @cached_property
    def hessian(self) -> dict[str, dict[str, np.ndarray]]:
        """Second derivatives."""
        graph, params, data = self._arguments
        enumeration, values, sizes = _enumerated(graph, params, data)
        if enumeration.count(sizes) > LIMIT:
            return _eliminated(graph, order=2)(params, seed=0, data=data).hessian
        return enumeration.curvature(values, sizes)

    def __repr__(self) -> str:
        grads = ", ".join(f"{name}: {value}" for name, value in self.grads.items())
        return f"Exact(cost={self.cost:.12g}, grads={{{grads}}}, outcomes={self.outcomes})"

    def _repr_html_(self) -> str:
        rows = {"cost": f"{self.cost:.12g}"}
        rows |= {f"∂/∂{name}": short(value) for name, value in self.grads.items()}
        return listing(rows, caption=f"exact, {self.outcomes} outcomes")


@checked("scg.exact(g, params)")
def exact(
    graph: CoreGraph, params: Mapping[str, Any], data: Mapping[str, Any] | None = None
) -> Exact:
    """Compute the true objective and gradient by enumeration.

    Use it as the truth for any estimator on a small graph; :func:`scg.moments` computes what one
    estimator yields, on average. Beyond 2^20 joint outcomes it sums nodes out one after the other
    (:class:`scg.Enumeration`), for costs that each depend on few of them, as in a chain or a tree.

    Parameters
    ----------
    graph : Graph
        A graph whose stochastic nodes all have a finite support.
    params, data : mapping
        As for a compiled step.

    Raises
    ------
    EnumerationError
        If a node cannot be enumerated, or there are more than 2^20 joint outcomes and a cost
        depends on too many nodes.

    Returns
    -------
    Exact

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> theta = g.parameter("theta", 0.0)
    >>> b = g.sample("b", scg.Bernoulli(logits=theta))
    >>> g.cost("loss", (b - 0.25) ** 2)
    >>> scg.exact(g, g.init(seed=0)).grads["theta"].item()
    0.125
    """
    enumeration, values, sizes = _enumerated(graph, params, data)
    # The Hessian is that of these numbers, even if the caller writes others into the arrays.
    arguments = graph, deepcopy(dict(params)), deepcopy(dict(data or {}))
    if enumeration.count(sizes) > LIMIT:
        return _by_elimination(enumeration.count(sizes), *arguments)
    total = enumeration.total(enumeration.program, values, sizes)
    return Exact(
        cost=float(sum(total["costs", name] for name in enumeration.costs)),
        costs=Named({name: float(total["costs", name]) for name in enumeration.costs}),
        grads={name: total["grads", name] for name in graph.parameters},
        outcomes=enumeration.count(sizes),
        _arguments=arguments,
    )


def _enumerated(
    graph: CoreGraph, params: Mapping[str, Any], data: Mapping[str, Any] | None
) -> tuple[Enumerated, dict[str, np.ndarray], dict[Plate, int]]:
    values, sizes = Binder(graph, np.float64).bind(params, data)
    return Enumerated(Unrolled(graph, sizes).graph if graph.scans else graph), values, sizes


def _eliminated(graph: CoreGraph, order: int) -> Step:
    return compile(graph, Enumeration(), backend="numpy", order=order)


def _by_elimination(
    outcomes: int, graph: CoreGraph, params: dict[str, Any], data: dict[str, Any]
) -> Exact:
    """The truth by sums over one node after the other."""
    try:
        out = _eliminated(graph, order=1)(params, seed=0, data=data)
    except EstimatorError as reason:
        raise EnumerationError(
            f"{outcomes if outcomes < 10**9 else 'far more than 10^9'} joint outcomes, more than "
            f"{LIMIT}: too many to enumerate, and the nodes cannot be summed out one after the "
            f"other: {str(reason).partition('. Enumerate')[0]}. Use a smaller graph or batch, or "
            "scg.check(step, params, seed=0) with many runs"
        ) from None
    return Exact(
        cost=float(out.cost),
        costs=out.costs,
        grads=dict(out.grads),
        outcomes=outcomes,
        _arguments=(graph, params, data),
    )


def gradient(graph: CoreGraph, params: Mapping[str, Any], data: Any = None) -> np.ndarray:
    """The exact gradient as one vector; an error if it is not finite."""
    found = exact(graph, params, data)
    for name, value in found.grads.items():
        if not np.isfinite(value).all():
            raise CallError(
                f"the exact gradient of {name!r} is not finite ({np.ravel(value)}), so that no "
                "estimate can be compared with it; look for logarithms and quotients at the edge "
                f"of their domain (the exact cost is {found.cost:g})"
            )
    return np.concatenate([np.ravel(value) for value in found.grads.values()] or [np.empty(0)])


class Enumerated:
    """A graph whose stochastic nodes have become data on the plate of outcomes."""

    def __init__(self, graph: CoreGraph):
        self.graph = graph
        self.influence = Influence(graph)
        check_reductions(self.influence)
        for node in self.influence.nodes:
            if not node.attrs["family"].supports("cardinality"):
                raise EnumerationError(
                    f"node {node.name!r} ({node.attrs['family'].__name__}) has no finite support, "
                    "so that the truth cannot be enumerated. Compare with a large number of runs: "
                    "scg.check(step, params, seed=0)"
                )
        mixed = self._mixed()
        self.joint: dict[StochasticNode, Plates] = {
            node: tuple(p for p in node.plates if p in mixed) for node in self.influence.nodes
        }
        env: dict[Expr, Expr] = {}
        self.probs: dict[StochasticNode, Expr] = {}
        for expr in self.influence.order:
            if isinstance(expr, StochasticNode):
                env[expr] = self._leaf(expr)
                dist = expr.given(tuple(env[arg] for arg in expr.args))
                self.probs[expr] = _product(dist.prob(env[expr]), self.joint[expr])
            else:
                rewrite((expr,), env)
        steps = {name: self._expected(cost, env[cost]) for name, cost in self.influence.costs}
        costs = by_node(graph, steps)
        self.costs = tuple(costs)
        objective = constant(graph, 0.0)
        for value in costs.values():
            objective = objective + value
        leaves = self.influence.learned
        self.grads = dict(zip(leaves, gradients(objective, list(leaves.values())), strict=True))
        outputs: dict[Any, Expr] = {("costs", name): value for name, value in costs.items()}
        self.program = finish(outputs | {("grads", name): g for name, g in self.grads.items()})

    def _mixed(self) -> set[Plate]:
        """Plates some of whose elements meet on the way to a cost."""
        found: set[Plate] = set()
        for node in self.influence.nodes:
            for reach in self.influence.downstream[node]:
                found |= set(node.plates) - reach.sep
        return found

    def _leaf(self, node: StochasticNode) -> Expr:
        signature = (node.shape, (OUTCOMES, *self.joint[node]), node.kind)
        leaf = intern(self.graph, DATA, (), {"name": f"outcome@{node.name}"}, signature)
        return expand(leaf, node.plates, node.shape)

    def _expected(self, cost: Expr, value: Expr) -> Expr:
        """Σ over outcomes and plates of p(outcome) w_c c; credit to open paths alone."""
        weight, seen = constant(self.graph, 1.0), set[StochasticNode]()
        for reach in self.influence.ancestors[cost]:
            seen.update(reach.members)
            for node in reach.members:
                prob = self.probs[node]
                weight = weight * (prob if reach.open else stop(prob))
        for node in self.influence.nodes:
            if node not in seen:  # other nodes sum to one: give their values equal weights
                signature = ((), (), "float")
                leaf = intern(self.graph, DATA, (), {"name": f"share@{node.name}"}, signature)
                weight = weight * leaf
        value = weight * possible(contribution(cost, value), weight)
        value = expand(value, (OUTCOMES,), ())
        return plate_sum(value, value.plates)

    def curvature(
        self, values: Mapping[str, Any], sizes: Mapping[Plate, int]
    ) -> dict[str, dict[str, np.ndarray]]:
        """Second derivatives."""
        products = directional(self.graph, self.influence.learned, self.grads)
        rows = self.total(finish(hessian(self.graph, products)), values, sizes)
        return assemble(shapes_of(self.graph), rows)

    # --- numbers ----------------------------------------------------------------------------------
    def counts(self, sizes: Mapping[Plate, int]) -> dict[StochasticNode, int]:
        """Number of values of each node on its jointly enumerated plates."""
        return {
            node: node.declared.cardinality() ** int(np.prod([sizes[p] for p in joint], dtype=int))
            for node, joint in self.joint.items()
        }

    def count(self, sizes: Mapping[Plate, int]) -> int:
        """Number of joint outcomes."""
        total = 1
        for n in self.counts(sizes).values():
            total *= n
        return total

    def blocks(self, sizes: Mapping[Plate, int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yield all joint outcomes in blocks: their number, and values of the nodes' leaves."""
        total = self.count(sizes)
        supports = {node: node.declared.enumerate_support() for node in self.influence.nodes}
        for start in range(0, total, _BLOCK):
            length = min(_BLOCK, total - start)
            index = np.arange(start, start + length)
            block: dict[str, np.ndarray] = {}
            for node, n in self.counts(sizes).items():
                index, own = np.divmod(index, n)
                shape = tuple(sizes[p] for p in self.joint[node])
                digits = np.empty((len(own), int(np.prod(shape, dtype=int))), dtype=int)
                for k in range(digits.shape[1]):
                    own, digits[:, k] = np.divmod(own, len(supports[node]))
                block[f"outcome@{node.name}"] = supports[node][digits.reshape(len(own), *shape)]
                block[f"share@{node.name}"] = np.asarray(1.0 / n)
            yield length, block

    def total(
        self, program: Program, values: Mapping[str, Any], sizes: Mapping[Plate, int]
    ) -> dict[Any, np.ndarray]:
        """Sum the outputs of a program over all outcomes."""
        total: dict[Any, np.ndarray] = {}
        for outcomes, block in self.blocks(sizes):
            out = program.run({**values, **block}, None, {**sizes, OUTCOMES: outcomes})
            for key, value in out.items():
                total[key] = total.get(key, 0.0) + value[0]
        return total


def _product(p: Expr, plates: Plates) -> Expr:
    """Π of probabilities over plates, by logarithms, and derivatives where one or two are 0."""
    if not plates:
        return p
    zero = equal(p, 0.0)
    rest = exp(plate_sum(log(where(zero, 1.0, p)), plates))
    zeros, none = plate_sum(zero, plates), where(zero, p, 0.0)
    one = plate_sum(none, plates)
    two = 0.5 * (one * one - plate_sum(none * none, plates))
    missing = where(
        equal(zeros, 0), 1.0, where(equal(zeros, 1), one, where(equal(zeros, 2), two, 0.0))
    )
    return rest * missing
