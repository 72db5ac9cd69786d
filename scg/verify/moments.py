"""Moments: the exact mean and variance of a gradient estimate over its own noise.

Noise that only meets comparisons is split at their thresholds, into cells on which the estimate is
constant; other noise is integrated by adaptive quadrature (:mod:`scg.verify.walk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg.arguments import checked
from scg.engine.interpreter import Sizes
from scg.engine.program import Program
from scg.errors import EnumerationError
from scg.ir.tables import grid
from scg.run.curvature import assemble
from scg.run.finish import finish
from scg.run.result import nest
from scg.run.step import Step
from scg.verify.kinks import ADVICE
from scg.verify.quadrature import Integral
from scg.verify.text import aligned, outcome_table, short
from scg.verify.walk import Branches, Walk

LIMIT = 1 << 20
_HEAD = ["", "mean", "variance"]
CONVERGED = 1e-6  # relative to the mean absolute value of an output


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
    _rows: list[tuple[float, dict[str, Any]]] = field(repr=False, default_factory=list)

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
        if self._rows:
            return f"exact: {self.outcomes} outcomes"
        return f"quadrature: {self.outcomes} points, means to {self.error:.1g}"

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
        if not self._rows:
            raise EnumerationError(
                "the noise has no separate outcomes to list: the moments were integrated over "
                f"{self.outcomes} points; step.noise(seed=0, runs=10) gives some runs"
            )
        return outcome_table(self._rows, rows)


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
        hessian=assemble(step.layout.second, mean),
        state=nest(memory, mean, "state"),
        estimator_grads=nest({}, mean, "own"),
        sizes={name: size["grads", name] for name in spread},
        outcomes=walk.count,
        error=_largest(wrong.values()),
        variance_error=_largest(doubt.values()),
        _rows=[] if walk.lines else _draws(step, values, sizes, walk.branches),
    )


def _largest(arrays: Iterable[np.ndarray]) -> float:
    return max((float(np.max(array, initial=0.0)) for array in arrays), default=0.0)


def converged(walk: Walk) -> Integral:
    """Integrate, or raise where the error is not small."""
    found = walk()
    if not walk.lines:  # exact, and not finite where the estimate is not
        return found
    doubt = found.error[0] / walk.scale(found.size[0])
    if not np.all(doubt <= CONVERGED):
        worst = int(np.argmax(np.where(np.isnan(doubt), np.inf, doubt)))
        what = "the square of " if worst >= len(doubt) // (1 + walk.squares) else ""
        raise EnumerationError(
            f"the mean of {what}{walk.name(worst)} was found to {doubt[worst]:.1g} of its size "
            f"only: it may be infinite, or hard to integrate. {ADVICE}"
        )
    return found


def _draws(
    step: Step, values: Mapping[str, Any], sizes: Sizes, branches: Branches
) -> list[tuple[float, dict[str, Any]]]:
    """The most probable outcomes with samples, cost and gradients, for the table."""
    shown = np.sort(np.argsort(-branches.weight, kind="stable")[:256])
    noise = {name: array[shown] for name, array in branches.noise.items()}
    drawn = finish({node.name: term.draw.value for node, term in step.surrogate.terms.items()})
    # A draw of which nothing is left in the program has no branches, and no column.
    kept = {k: e for k, e in drawn.outputs.items() if noise.keys() >= Program({k: e}).noise.keys()}
    draws = Program(kept).run(values, {name: noise[name] for name in Program(kept).noise}, sizes)
    out = step.outcomes(values, noise, sizes, len(shown))
    rows = []
    for i, k in enumerate(shown):
        cells = {name: value[i if len(value) > 1 else 0] for name, value in draws.items()}
        cells["cost"] = out[("cost",)][i]
        cells |= {f"∂/∂{name}": out["grads", name][i] for name in step.graph.parameters}
        rows.append((float(branches.weight[k]), cells))
    return rows
