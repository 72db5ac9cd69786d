"""Moments: the exact mean and variance of a gradient estimate over its own noise.

Noise that only meets comparisons is split at their thresholds, into cells on which the estimate is
constant; other noise is integrated by adaptive quadrature (:mod:`scg.verify.walk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.common.arguments import checked
from scg.common.frame import frame
from scg.common.lazy import cached_property
from scg.engine.program import Program
from scg.errors import EnumerationError
from scg.ir.tables import aligned, grid
from scg.run.curvature import assemble
from scg.run.finish import finish
from scg.run.result import nest
from scg.run.runner import spread
from scg.run.step import Step
from scg.verify.by_step import by_step
from scg.verify.joint import attributed, covariance
from scg.verify.plot import distributions
from scg.verify.text import outcome_table, short
from scg.verify.walk import LIMIT, Walk, converged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEAD = ["", "mean", "variance"]


class Outcomes(NamedTuple):
    """The joint outcomes of a step's noise; arrays have one entry for each.

    Attributes
    ----------
    outcome : dict
        The samples by node; nodes of which nothing is left in the gradient are missing.
    probability : array
        Probabilities, which add up to 1.
    cost : array
        Estimates of the cost.
    estimate : dict
        Gradient estimates, by parameter.
    """

    outcome: dict[str, np.ndarray]
    probability: np.ndarray
    cost: np.ndarray
    estimate: dict[str, np.ndarray]


@dataclass
class Moments:
    """Exact moments of one single-run gradient estimate.

    Attributes
    ----------
    cost : float
        Mean of the cost estimate.
    mean, variance : dict
        Mean and variance of the gradient estimate, with the keys and shapes of the parameters.
    hessian : dict
        Mean of the Hessian estimate, for a step of order 2.
    state, estimator_grads : dict
        Means of the new state (with the own parameters, unchanged) and of the gradients of the
        estimators' own parameters.
    sizes : dict
        Means of the absolute values of the gradient estimate.
    outcomes : int
        Number of joint outcomes, or of points where noise was integrated.
    error, variance_error : float
        Bounds on the error of every mean and of every variance, from the disagreement of two
        quadrature rules; 0 where the noise was split into cells, which are exact.
    """

    cost: float
    mean: dict[str, np.ndarray]
    variance: dict[str, np.ndarray]
    hessian: dict[str, dict[str, np.ndarray]]
    state: dict[str, dict[str, np.ndarray]]
    estimator_grads: dict[str, dict[str, np.ndarray]]
    sizes: dict[str, np.ndarray]
    outcomes: int
    error: float
    variance_error: float
    _walk: Walk = field(repr=False)

    def __str__(self) -> str:
        return f"{aligned([_HEAD, *self._cells])}\n{self._how}"

    def _repr_html_(self) -> str:
        return grid(_HEAD, self._cells, caption=self._how)

    @property
    def _cells(self) -> list[list[str]]:
        rows = [[f"∂/∂{k}", short(v), short(self.variance[k])] for k, v in self.mean.items()]
        return [["cost", f"{self.cost:.8g}", ""], *rows]

    @property
    def _how(self) -> str:
        if self._walk.lines:
            return f"quadrature: {self.outcomes} points, means to {self.error:.1g}"
        return f"exact: {self.outcomes} outcomes"

    @cached_property
    def covariance(self) -> dict[str, dict[str, np.ndarray]]:
        """Covariances ``covariance["a"]["b"]`` of shape a.shape + b.shape, once asked for.

        The whole matrix is computed at once: it has the squared number of all parameters.
        """
        return covariance(self._walk, self.mean)

    def by_node(self) -> dict[str, float]:
        """The variance, summed over all parameters, by the node whose noise causes it.

        The shares follow the law of total variance along the graph's order, and add up to the
        variance. :func:`scg.attribute` also splits them by term, and samples large graphs.
        """
        walk = self._walk
        return attributed(walk.step, walk.values, walk.sizes, walk.limit).by_node

    def rows(self) -> Outcomes:
        """All outcomes of the noise as arrays: samples, probability, cost, gradient estimates.

        Raises
        ------
        EnumerationError
            If noise was integrated: it has no separate outcomes.
        """
        return self._rows(np.arange(self._separate))

    def to_frame(self) -> Any:
        """The outcomes as a pandas DataFrame, with a column for each component of an array.

        Raises
        ------
        EnumerationError
            If noise was integrated: it has no separate outcomes.
        ScgError
            If pandas is not installed.
        """
        outcome, probability, cost, estimate = self.rows()
        arrays = outcome | {"probability": probability, "cost": cost}
        arrays |= {f"∂/∂{name}": values for name, values in estimate.items()}
        columns = {
            name + place: column for name, x in arrays.items() for place, column in _components(x)
        }
        return frame(
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        )

    @checked("moments.table(rows=32)")
    def table(self, rows: int = 32) -> str:
        """Text of the enumerated outcomes: probability, samples, cost, gradients.

        Parameters
        ----------
        rows : int
            How many outcomes, the most probable first; their order is that of the noise.

        Raises
        ------
        EnumerationError
            If noise was integrated: it has no separate outcomes.
        """
        count = self._separate
        shown = np.argsort(-self._walk.branches.weight, kind="stable")[:rows]
        return outcome_table(*self._rows(np.sort(shown)), count - len(shown))

    @checked('moments.plot("outcomes.svg")')
    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Draw the distribution of the estimate: a bar for each value, its mean and deviation.

        There is a panel for each of the first six components of the gradient.

        Parameters
        ----------
        path : path, optional
            Where to write the picture, too.

        Returns
        -------
        matplotlib.figure.Figure
            The picture, which notebooks show.

        Raises
        ------
        EnumerationError
            If noise was integrated: it has no separate outcomes.
        ScgError
            If matplotlib is not installed.
        """
        rows = self.rows()
        panels = []
        for name, values in rows.estimate.items():
            for k, (place, column) in enumerate(_components(values)):
                spread = np.sqrt(max(np.ravel(self.variance[name])[k], 0.0))
                mean = np.ravel(self.mean[name])[k]
                panels.append((f"∂/∂{name}{place}", column, float(mean), float(spread)))
        return distributions(rows.probability, panels[:6], path)

    @property
    def _separate(self) -> int:
        """The number of separate outcomes."""
        if self._walk.lines:
            raise EnumerationError(
                "the noise has no separate outcomes to list: the moments were integrated over "
                f"{self.outcomes} points; step.noise(seed=0, runs=10) gives some runs"
            )
        return len(self._walk.branches.weight)

    def _rows(self, shown: np.ndarray) -> Outcomes:
        """Some of the outcomes, by their numbers."""
        walk, step = self._walk, self._walk.step
        noise = {name: array[shown] for name, array in walk.branches.noise.items()}
        drawn = finish({node.name: term.draw.value for node, term in step.surrogate.terms.items()})
        # A draw of which nothing is left in the program has no branches, and no column.
        kept = {
            k: e for k, e in drawn.outputs.items() if noise.keys() >= Program({k: e}).noise.keys()
        }
        program = Program(kept)
        draws = program.run(walk.values, {name: noise[name] for name in program.noise}, walk.sizes)
        out = step.outcomes(walk.values, noise, walk.sizes, len(shown))
        return Outcomes(
            spread(draws, len(shown)),
            walk.branches.weight[shown],
            out["cost",],
            {name: out["grads", name] for name in step.graph.parameters},
        )


def _components(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The place of each component of the outcomes' arrays, and its values."""
    for index in np.ndindex(values.shape[1:]):
        yield "".join(f"[{i}]" for i in index), values[(slice(None), *index)]


@checked("scg.moments(step, params)")
def moments(
    step: Step,
    params: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
    state: Mapping[str, Mapping[str, Any]] | None = None,
    variance: bool = True,
    *,
    limit: int = LIMIT,
) -> Moments:
    """Compute the exact mean and variance of a step's gradient estimate.

    Use it to see what an estimator does on a small graph, without sampling error. It integrates
    over the step's noise; :func:`scg.exact` enumerates the model, whatever the estimator.

    Parameters
    ----------
    step : Step
        A compiled step in float64.
    params, data, state : mapping
        As for a call of the step.
    variance : bool
        Whether to compute variances, which may be infinite where means are not; without them
        they are NaN.
    limit : int
        The largest number of joint outcomes to compute.

    Raises
    ------
    EnumerationError
        If there are more than `limit` outcomes, if the integrals do not converge, or if the cost
        contains a user's own op, whose jumps and kinks cannot be located.

    Returns
    -------
    Moments

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> theta = g.parameter("theta", 0.0)
    >>> b = g.sample("b", scg.Bernoulli(logits=theta))
    >>> g.cost("loss", (b - 0.25) ** 2)
    >>> m = scg.moments(scg.compile(g, scg.ScoreFunction()), g.init(seed=0))
    >>> m.mean["theta"].item(), round(m.variance["theta"].item(), 12)
    (0.125, 0.0244140625)
    """
    values, sizes, memory = step.checked(params, data, state)
    # The covariance is computed later, when the caller may have written other numbers into them.
    values = {name: np.copy(value) for name, value in values.items()}
    layout, step = step.layout, by_step(step.unrolled(sizes))
    walk = Walk(step, values, sizes, squares=variance, limit=limit)
    found = converged(walk)
    (mean, square), (size, _), (wrong, wrong_square) = (walk.named(part[0]) for part in found)
    spread, doubt = {}, {}
    for name in step.graph.parameters:
        key = ("grads", name)
        absent = np.full(np.shape(mean[key]), np.nan)
        spread[name] = square.get(key, absent) - mean[key] ** 2
        doubt[name] = wrong_square.get(key, absent) + 2.0 * np.abs(mean[key]) * wrong[key]
    return Moments(
        cost=float(mean[("cost",)]),
        mean={name: mean["grads", name] for name in spread},
        variance=spread,
        hessian=assemble(layout.second, mean),
        state=nest(memory, mean, "state"),
        estimator_grads=nest({}, mean, "own"),
        sizes={name: size["grads", name] for name in spread},
        outcomes=walk.count,
        error=_largest(wrong.values()),
        variance_error=_largest(doubt.values()),
        _walk=walk,
    )


def _largest(arrays: Iterable[np.ndarray]) -> float:
    return max((float(np.max(array, initial=0.0)) for array in arrays), default=0.0)
