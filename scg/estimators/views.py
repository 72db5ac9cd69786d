"""What an estimator is given: samples, replays, costs, noise and memory of its node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from scg.distributions.base import Distribution
from scg.ir.expr import Expr
from scg.ir.plate import Plate, Plates


class Draw(NamedTuple):
    """How a node is sampled.

    Attributes
    ----------
    value : Expr
        The node's replacement in the surrogate.
    logp : Expr or None
        The exponent ℓ that the node contributes to the magic box; None without a score.
    plate : Plate or None
        The estimator's own sample plate.
    weight : Expr or None
        The weight of each sample on the plate, by default 1/K; it may carry a gradient.
    coupling : tuple or None
        Uniforms that are coupled along the plate, and their coupling, for exact moments.
    ratio : Expr or None
        Logarithm of the importance ratio of a value that has another distribution than the node.
    aux : dict
        What the estimator's term needs again.
    """

    value: Expr
    logp: Expr | None = None
    plate: Plate | None = None
    weight: Expr | None = None
    coupling: tuple[Expr, Any] | None = None
    ratio: Expr | None = None
    aux: dict[str, Any] = {}  # noqa: RUF012 - never mutated

    @property
    def samples(self) -> Plate:
        """The sample plate, where there is one."""
        assert self.plate is not None
        return self.plate


class Replay(Protocol):
    """A second pass through the graph below a node, ``do(node = point)``.

    Attributes
    ----------
    point : Expr
        The value given to the node.
    cost : Expr
        The influenced costs, as contributions to the objective, on the plates of the point.
    slope : Expr
        The derivative of the costs with respect to the point.
    costs : dict
        The costs by route, each on the plates that survive and differentiable in the point alone,
        for control variates that are differentiated.
    """

    point: Expr
    cost: Expr
    slope: Expr
    costs: Mapping[Route, Expr]


class Alone(Protocol):
    """Replays in which one element of the node's plates moves, and the others stay as sampled.

    Attributes
    ----------
    cost : Expr
        The influenced costs, as contributions to the objective, on the plates of the value.
    logp : Expr
        With below="kept": the log-probability of the kept samples under their new parents.
    """

    cost: Expr
    logp: Expr


class Route(Protocol):
    """Costs to which the same plates survive, from a node and from each of its ancestors.

    An estimator whose term differs by cost returns a term for each route, on the plates that
    survive there. A single term is that of the node's `own` route.
    """

    def score(self, logp: Expr) -> Expr:
        """The node's log-probability, summed over its plates that do not survive."""
        ...


class Sampler(Protocol):
    """The noise of one node; see :class:`scg.distributions.protocols.Noise`."""

    memory: Memory  #: The memory that `term` receives, for samples that depend on it.

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Any:
        """Uniforms, independent on all plates of the node."""
        ...

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Any:
        """Standard normals, independent on all plates of the node."""
        ...

    def plate(self, length: int) -> Plate:
        """The sample plate of this estimator at this node."""
        ...

    def on(self, plate: Plate) -> Sampler:
        """The same source with independent noise along one more plate."""
        ...

    def constant(self, values: np.ndarray, plate: Plate) -> Expr:
        """Fixed values, whose leading axis is `plate`."""
        ...


class Downstream(Protocol):
    """What an estimator may use of the graph below a node."""

    cost: Expr  #: The influenced costs as contributions to the objective, on the node's plates.
    unit: Expr  #: Factor that turns a contribution into the user's units of a cost.
    inputs: tuple[Expr, ...]  #: The data and samples on which the node directly depends.
    plates: Plates  #: The user's plates of the node.
    routes: tuple[Route, ...]  #: The influenced costs, by the plates that survive to them.
    own: Route  #: The route that ends at the node itself, where all its plates survive.

    discount: Expr  #: The discount γ^t of the node's step in its scan, by default 1.

    def value(self, name: str, below: bool = False) -> Expr:
        """The value of a named node, at the node's own step, for critics.

        Unless `below`, it must not depend on the node.
        """
        ...

    def beyond(self, names: tuple[str, ...]) -> Expr:
        """The part of `cost` that a set of named nodes influences; the set must cut all paths."""
        ...

    def later(self, of: Callable[[Downstream], Expr], decay: float) -> Expr:
        """Σ_{k≥1} decay^(k−1) of what `of` returns for the node k steps later in its scan."""
        ...

    @property
    def mean_field(self) -> Replay:
        """One deterministic pass with all stochastic nodes at their means, shared by all nodes."""
        ...

    def at(self, value: Expr | float, below: str, temperature: Expr | float = 1.0) -> Replay:
        """Replay with the node at `value`, which may carry further plates.

        The nodes below are at their "mean" or "mode", sampled by their own estimators on the
        "same" noise, averaged over exactly ("expected"), or relaxed at a temperature on the same
        noise ("relax"). All elements of the node's plates move together.
        """
        ...

    def alone(self, value: Expr, below: str = "same") -> Alone:
        """Replays with one element of the node's plates at a time at `value`.

        The other elements stay as sampled, where a cost mixes them. The nodes below are sampled
        again on the "same" noise, or "kept". The value may carry further plates.
        """
        ...

    def without(self, plate: Plate, impute: str = "geometric") -> Expr:
        """`cost`, in whose reductions over a user's plate the element's own part is imputed.

        It is the "geometric" or "arithmetic" mean of the other elements.
        """
        ...

    def expected(self, of: Callable[[Distribution, Expr, Expr], Expr]) -> Expr:
        """Exact mean over the whole graph of `of` (distribution of the node, value, cost)."""
        ...

    def plate(self, length: int) -> Plate:
        """A plate of alternatives for `at`; the term must sum over it."""
        ...

    def others(self, plate: Plate, of: Expr | None = None) -> Expr:
        """Mean of `cost`, or `of` something else, over the other samples of a plate."""
        ...

    def twin(self, plate: Plate) -> Plate:
        """A plate of the same length, for pairs of samples; the term must sum over it."""
        ...

    def average(self, expr: Expr) -> Expr:
        """Weighted mean over all plates of the node."""
        ...


class Memory(Protocol):
    """An estimator's own parameters and state at one node, and how they change."""

    def parameter(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], learn: str = "loss"
    ) -> Expr:
        """A parameter of the estimator.

        It minimises the auxiliary "loss", the "variance" of the estimate, or the "objective".
        """
        ...

    def state(
        self,
        name: str,
        initial: float,
        shape: tuple[int, ...] = (),
        bounds: tuple[float, float] = (-math.inf, math.inf),
    ) -> Expr:
        """A number kept from call to call, as it was before this call.

        A call refuses a given state beyond its least and greatest number.
        """
        ...

    def update(self, name: str, value: Expr) -> None:
        """Set the state after this call."""
        ...

    def loss(self, value: Expr) -> None:
        """Add an auxiliary loss, a scalar, for the estimator's parameters."""
        ...
