"""The estimator protocol: how a node is drawn, and what is added to the surrogate for it.

An estimator builds expressions and never sees the engine. It has two questions to answer: how the
node is sampled (:meth:`Estimator.draw`) and which term of value 0 joins the surrogate
(:meth:`Estimator.term`). Everything it may ask about the rest of the graph is in
:class:`Downstream`; what it keeps from call to call is in :class:`Memory`. The answers of the base
class, a draw with a score and no term, are the score function's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from scg.arguments import Checked
from scg.distributions.base import Distribution
from scg.errors import EstimatorError, UnsupportedError
from scg.ir.expr import Expr
from scg.ir.plate import Plate, Plates
from scg.ops.gradient import box, stop
from scg.ops.reductions import sum


class Draw(NamedTuple):
    """How a node was drawn.

    Attributes
    ----------
    value : Expr
        What takes the node's place in the surrogate.
    logp : Expr or None
        The exponent ℓ that the node contributes to the magic box; None where it is pathwise.
    plate : Plate or None
        The estimator's own sample plate.
    weight : Expr or None
        The weight of each draw on the plate, 1/K without it; it may carry a gradient.
    coupling : tuple or None
        Uniforms that are coupled along the plate, and their law, for exact moments.
    aux : dict
        Whatever the estimator's own term needs again.
    """

    value: Expr
    logp: Expr | None = None
    plate: Plate | None = None
    weight: Expr | None = None
    coupling: tuple[Expr, Any] | None = None
    aux: dict[str, Any] = {}  # noqa: RUF012 - never mutated

    @property
    def samples(self) -> Plate:
        """The sample plate, for estimators that draw on one."""
        assert self.plate is not None
        return self.plate


class Replay(Protocol):
    """A second run of the graph below a node, ``do(node = point)``.

    Attributes
    ----------
    point : Expr
        The value given to the node.
    cost : Expr
        The influenced costs, as contributions to the objective, on the plates of the point.
    slope : Expr
        The derivative of the costs in the point.
    costs : dict
        The costs by route, each on the plates that survive and open in the point alone, for
        control variates that are differentiated.
    logp : Expr
        With below="kept": the log-probability of the kept draws under their new parents.
    """

    point: Expr
    cost: Expr
    slope: Expr
    costs: Mapping[Route, Expr]
    logp: Expr


class Route(Protocol):
    """Costs to which the same plates survive, from a node and from each of its ancestors.

    An estimator whose term differs by cost returns one term for each route, on the plates that
    survive there; one that returns a single term gives it for the node's `own` route.
    """

    def score(self, logp: Expr) -> Expr:
        """Sum the node's log-probability over its plates that do not survive."""
        ...


class Sampler(Protocol):
    """The noise of one node; see :class:`scg.distributions.protocols.Noise`."""

    memory: Memory  #: What the estimator keeps at the node, for draws that depend on it.

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Any:
        """Return uniforms, independent on all plates of the node."""
        ...

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Any:
        """Return standard normals, independent on all plates of the node."""
        ...

    def plate(self, length: int) -> Plate:
        """Return the sample plate of this estimator at this node."""
        ...

    def on(self, plate: Plate) -> Sampler:
        """Return the same source with independent noise along one more plate."""
        ...

    def constant(self, values: np.ndarray, plate: Plate) -> Expr:
        """Return fixed values, the leading axis of which is `plate`."""
        ...


class Downstream(Protocol):
    """All that a node may ask about its future."""

    cost: Expr  #: The influenced costs as contributions to the objective, on the node's plates.
    unit: Expr  #: Factor that turns a contribution into the user's units of a cost.
    inputs: tuple[Expr, ...]  #: The data and the draws on which the node directly depends.
    plates: Plates  #: The user's plates of the node.
    routes: tuple[Route, ...]  #: The influenced costs, by the plates that survive to them.
    own: Route  #: The route that ends at the node itself, where all its plates survive.

    @property
    def mean_field(self) -> Replay:
        """One deterministic pass with all stochastic nodes at their means, shared by all nodes."""
        ...

    def at(self, value: Expr, below: str, temperature: Expr | float = 1.0) -> Replay:
        """Replay with the node at `value`, which may carry further plates.

        The nodes below are at their "mean" or "mode", drawn by their own estimators from the
        "same" noise, "kept" as they were drawn, averaged over exactly ("expected"), or relaxed
        at a temperature on the same noise ("relax"); then the cost is open in `value` alone.
        """
        ...

    def without(self, plate: Plate, impute: str = "geometric") -> Expr:
        """`cost` with every reduction over a user's plate leaving out the element's own part.

        That part is imputed by the "geometric" or "arithmetic" mean of the other elements.
        """
        ...

    def expected(self, of: Callable[[Distribution, Expr, Expr], Expr]) -> Expr:
        """Return the exact mean over the whole graph of `of` (law of the node, value, cost)."""
        ...

    def plate(self, length: int) -> Plate:
        """Return a plate of alternatives for `at`; the term must sum over it."""
        ...

    def others(self, plate: Plate, of: Expr | None = None) -> Expr:
        """Mean of `cost`, or `of` something else, over the other draws of a sample plate."""
        ...

    def twin(self, plate: Plate) -> Plate:
        """Return a plate of the same length, for pairs of draws; the term must sum over it."""
        ...

    def average(self, expr: Expr) -> Expr:
        """Weighted mean over all plates of the node."""
        ...


class Memory(Protocol):
    """An estimator's own parameters and state at one node, and how they change."""

    def parameter(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], learn: str = "loss"
    ) -> Expr:
        """Return an own parameter.

        It learns by the auxiliary "loss", on the "variance", or on the "objective" of the model.
        """
        ...

    def state(self, name: str, initial: float, shape: tuple[int, ...] = ()) -> Expr:
        """Return what is kept from call to call, as it was before this call."""
        ...

    def update(self, name: str, value: Expr) -> None:
        """Set what the state will be after this call."""
        ...

    def loss(self, value: Expr) -> None:
        """Add an auxiliary loss (a scalar) for the own parameters."""
        ...


class Estimator(Checked):
    """A gradient estimator of one stochastic node. Concrete ones are final and only store.

    Attributes
    ----------
    unbiased : bool
        Whether the expected gradient is the true one.
    orders : float
        The highest order of derivative that is unbiased too.
    evaluations : str
        Evaluations of the cost for a gradient, as a formula in K (samples).
    requires : tuple of str
        Requirements on the distribution and on the paths to the costs, by the names of
        :data:`scg.compiler.requirements.REQUIREMENTS`.
    credit : {"score", "pathwise", "weight", "along"}
        How credit reaches the node's parameters: by its log-probability, through its value,
        through the weights of its plate, or by an estimate that its term injects.
    joint : bool or "layer"
        Whether nodes that are given one instance share one sample plate. With "layer" those do
        that do not depend on each other: coupled draws need one law for all draws of a plate.
    formula : str
        The gradient estimate, in the notation of Mohamed et al. (2020); the page of the estimator
        and ``docs/formulas`` take it from here.
    cites : tuple of str
        Keys of ``references.bib``.
    suggested : bool
        Whether messages may suggest it for any node; it then needs no arguments.
    """

    unbiased: bool = True
    orders: float = 1
    evaluations: str = "1"
    requires: tuple[str, ...] = ()
    credit: str = "score"
    joint: bool | str = False
    formula: str = ""
    cites: tuple[str, ...] = ()
    samples: int = 1
    allow_biased: bool = False
    suggested: bool = True

    def draws(self, dist: Distribution) -> int:
        """Return the number of draws on the sample plate of a node."""
        return self.samples

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide: numbers, text, or a baseline."""
        return {"K": self.samples} if "K" in self.formula else {}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the node: stopped values, with a score where it carries the credit."""
        if self.credit != "score":
            return Draw(stop(dist.sample(noise)))
        return score_draw(dist, noise, noise.plate(self.samples) if self.samples > 1 else None)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | Mapping[Route, Expr] | None:
        """Return the term of value 0 that joins the surrogate, one for each route, or None."""
        return None


ANY_ORDER = math.inf


def score_draw(dist: Distribution, noise: Sampler, plate: Plate | None = None) -> Draw:
    """Draw a stopped value whose log-probability carries the credit."""
    x = stop(dist.sample(noise.on(plate) if plate else noise))
    elements = dist.log_prob(x, elementwise=True)
    return Draw(x, logp=dist.log_prob(x), plate=plate, aux={"elements": elements})


def draws_of(estimator: Estimator, dist: Distribution) -> int:
    """Number of draws of a node on its sample plate; 1 where the estimator does not fit.

    The plan counts paths before it refuses what does not fit.
    """
    try:
        return estimator.draws(dist)
    except UnsupportedError:
        return 1


def at_least(owner: str, value: Any, least: int, word: str = "samples") -> int:
    """Return a number that an estimator was given, or say what is wrong with it."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise EstimatorError(f"{owner}: {word} must be an integer ≥ {least}, got {value!r}")
    return int(value)


def control_variate(draw: Draw, a: Expr, correction: Expr | None = None) -> Expr:
    """Return the term that subtracts `a` from the learning signal of a score-function draw.

    With ℓ the node's log-probability the term is (1 − ⊠(ℓ)) a, of value 0 and derivative −a ∇ℓ.
    Where `a` is no scalar it has one value for each independent element of the event, with an ℓ of
    its own. `correction` is an expression whose derivative is that of E[a]; a baseline needs none.
    """
    assert draw.logp is not None
    logp = draw.logp if a.shape == () else draw.aux["elements"]
    term = sum((1.0 - box(logp)) * stop(a))
    return term if correction is None else term + (correction - stop(correction))


def along(g: Expr, theta: Expr) -> Expr:
    """Return the term that injects `g`, an estimate of the derivative in `theta`, of value 0.

    `g` has the shape of `theta` and the plates of the draw.
    """
    return sum(stop(g) * (theta - stop(theta)))
