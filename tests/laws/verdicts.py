"""How a pair of graph and estimator stands to the law: exact, sampled, biased, or refused.

`scg.compile` decides what is refused, and the number of outcomes of the compiled step whether its
moments are computed or its runs averaged. Here is no table of what fits where.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

import scg
from scg.engine.blocks import spans
from scg.engine.program import Program

from .choices import CHOICES, DISCRETE, SMOOTH, assert_close, assert_mean, compiled, moments, warm
from .rows import Row

LIMIT = 1 << 12  # outcomes above which runs are averaged
FAMILY_WISE, POWER = 1e-6, 0.99
THRESHOLD = 7.0  # of |z|; test_matrix counts the tests and holds them to FAMILY_WISE
MARGIN = THRESHOLD + NormalDist().inv_cdf(POWER)
WEAKEST = 0.1  # the bias that must be found, relative to the largest component
FIRST_RUNS, MOST_RUNS = 1 << 12, 1 << 23
AGAIN = 16  # times the runs: their mean has a quarter of the skewness
ROUNDING = 1e-9


class Verdict(NamedTuple):
    """What was found about a pair.

    `number` counts the outcomes ("exact"), or is relative to the largest entry of the gradient:
    the bias that would have been found ("sampled"), or that was found ("biased"; NaN if runs found
    none, which may be smaller than what they find).
    """

    kind: str
    number: float = 0.0
    reason: str = ""
    drawn: bool = False  #: Whether runs decided it, so that another seed may decide otherwise.


def verdict(
    row: Row, choice: str | Mapping[str, str], seed: Any, order: int = 1, drawn: bool = False
) -> Verdict:
    """Find how a pair stands; raise an AssertionError where it breaks the law.

    Parameters
    ----------
    row : Row
        The graph with its truth.
    choice : str or mapping
        One estimator for all nodes that it fits, or one for each node.
    seed : int
        Of the runs, where runs are averaged.
    order : int
        Whether Hessians are held to the law, too.
    drawn : bool
        Whether the moments are known to have too many outcomes.
    """
    try:
        step = placed(row, choice, order=order)
    except scg.EstimatorError as error:
        return Verdict("refused", reason=str(error))
    return judged(row, step, (seed, len(row.name), order), drawn=drawn)


def judged(
    row: Row, step: Any, seed: tuple[int, ...], weakest: float = WEAKEST, drawn: bool = False
) -> Verdict:
    """Find how a compiled step stands; runs, if there are any, find a bias of `weakest`."""
    m = None if drawn else few_outcomes(row, step)
    if m is None:
        found = Runs(step, row, seed, weakest)
        if not step.plan.unbiased:
            bias = found.bias if found.z > THRESHOLD else math.nan
            return Verdict("biased", bias, drawn=True)
        assert found.z <= THRESHOLD, f"z = {found.z:.1f} in {found.runs} runs ({found.where})"
        return Verdict("sampled", found.detectable, drawn=True)
    if not step.plan.unbiased:
        return Verdict("biased", largest_bias(m.mean, row.grads))
    tolerance = SMOOTH if m.error else DISCRETE
    assert_mean(m, row, tolerance)
    for name, block in row.hessian.items() if step.curvature is not None else ():
        # The oracle's second derivative is good to about 1e-11, relative to its size.
        assert_close(m.hessian[name], block, tolerance, f"hessian[{name}]")
    return Verdict("exact", m.outcomes)


def few_outcomes(row: Row, step: Any) -> Any:
    """Moments of a step, or None where it has too many outcomes."""
    try:
        return moments(step, row, variance=False, limit=LIMIT)
    except scg.EnumerationError:
        return None


def placed(row: Row, choice: str | Mapping[str, str], **options: Any) -> Any:
    """Compile a row with an estimator at all nodes; if it is refused there, at all that take it."""
    try:
        return compiled(row, choice, **options)
    except scg.EstimatorError:
        graph = row.build()
        estimator = CHOICES[choice](graph) if isinstance(choice, str) else None
        taking = {
            n: estimator for n in graph.stochastic if estimator and takes(graph, n, estimator)
        }
        if not taking:
            raise
        return scg.compile(graph, taking, **options)


def takes(graph: scg.Graph, node: str, estimator: Any) -> bool:
    """Whether the compiler accepts an estimator at one node, the others being its choice."""
    try:
        scg.compile(graph, {node: estimator})
    except scg.EstimatorError:
        return False
    return True


def largest_bias(mean: Mapping[str, Any], truth: Mapping[str, np.ndarray]) -> float:
    """The largest bias of a component, relative to the largest component of the truth."""
    bias = max(float(np.max(np.abs(mean[n] - v), initial=0.0)) for n, v in truth.items())
    return bias / scale_of(truth)


def scale_of(truth: Mapping[str, np.ndarray]) -> float:
    return max(float(np.max(np.abs(value), initial=0.0)) for value in truth.values())


class Runs:
    """The mean of so many runs that a bias of `weakest` is found with the probability `POWER`.

    Means of skewed runs are not normal so far out. What an estimator that claims to be unbiased
    has there is looked at again in `AGAIN` times as many runs, where a bias stands out more.

    Attributes
    ----------
    runs : int
        Their number.
    z : float
        The largest deviation from the truth in standard errors, at the component `where`.
    bias : float
        The largest deviation of a gradient, relative to the largest component.
    detectable : float
        The bias that would have been found with the probability `POWER`, relative likewise.
    """

    def __init__(self, step: Any, row: Row, seed: tuple[int, ...], weakest: float = WEAKEST):
        twice = step.curvature is not None
        self.truth, self.scale = _truth(row, twice)
        # What the estimators learn by is not computed.
        outputs = {key: step.program.outputs[key] for key in self.truth}
        self._program = Program(outputs, step.program.dtype)
        values, sizes, _ = step.checked(row.params, row.data, warm(step.init(seed=0)))
        self._call = values, seed, sizes
        self._total = {key: np.zeros(v.shape) for key, v in self.truth.items()}
        self._squares = {key: np.zeros(v.shape) for key, v in self.truth.items()}
        # Each of these runs has a row for each component.
        weakest = 2 * weakest if twice else weakest
        self.runs = 0
        wanted = FIRST_RUNS
        while True:
            self._sample(wanted)
            if self.detectable <= weakest or (not step.plan.unbiased and self.z > THRESHOLD):
                break
            assert self.runs < MOST_RUNS, (
                f"a bias below {self.detectable:.2g} of the gradient would not be found in "
                f"{self.runs} runs"
            )
            wanted = int(min(1.1 * self.runs * (self.detectable / weakest) ** 2, MOST_RUNS))
        if step.plan.unbiased and self.z > THRESHOLD:
            self._sample(min(AGAIN * self.runs, MOST_RUNS))

    def _sample(self, runs: int) -> None:
        """Continue up to some number of runs."""
        values, seed, sizes = self._call
        length = self._program.block_length(sizes)
        for block in spans(runs - self.runs, length):
            block = range(self.runs + block.start, self.runs + block.stop)
            out = self._program.sample(values, seed, block, sizes)
            for key, truth in self.truth.items():
                away = np.broadcast_to(out[key] - truth, (len(block), *truth.shape))
                self._total[key] += away.sum(axis=0)
                self._squares[key] += (away**2).sum(axis=0)
        self.runs = runs
        self.z = self.detectable = self.bias = 0.0
        self.where = ""
        for key, scale in self.scale.items():
            away = self._total[key] / runs
            error = np.sqrt(np.maximum(self._squares[key] / runs - away**2, 0.0) / runs)
            exact = np.abs(away) <= ROUNDING * scale
            with np.errstate(divide="ignore", invalid="ignore"):
                z = float(np.max(np.where(exact, 0.0, np.abs(away) / error), initial=0.0))
            if z > self.z:
                self.z, self.where = z, str(key)
            self.detectable = max(self.detectable, MARGIN * np.max(error, initial=0.0) / scale)
            if key[0] == "grads":
                self.bias = max(self.bias, float(np.max(np.abs(away), initial=0.0)) / scale)


def _truth(row: Row, twice: bool) -> tuple[dict[Any, np.ndarray], dict[Any, float]]:
    """True values of a step's outputs by key, and the scale of each."""
    gradient = scale_of(row.grads)
    truth: dict[Any, Any] = {("cost",): np.asarray(row.cost)}
    scale: dict[Any, float] = {("cost",): max(abs(row.cost), gradient)}
    for name, value in row.grads.items():
        truth["grads", name], scale["grads", name] = value, gradient
    if twice:
        curvature = max(scale_of(block) for block in row.hessian.values())
        for b in row.params:
            rows = [np.reshape(row.hessian[a][b], (row.params[a].size, -1)) for a in row.params]
            truth["hessian", b] = np.concatenate(rows).reshape(-1, *row.params[b].shape)
            scale["hessian", b] = curvature
    return truth, scale
