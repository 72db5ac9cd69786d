"""Sampling: many gradient estimates of a step, their moments and their time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.common.lazy import scipy_function
from scg.errors import CallError, EnumerationError
from scg.graph.core import CoreGraph
from scg.run.binding import as_runs
from scg.run.step import Step
from scg.verify.exact import gradient

ROUNDING = 1e-10  # relative to the gradient
LEVEL = 0.999
_REPEATS = 5  # of each measurement of time
_SHARE = 20  # a repeat takes this part of the runs


class Totals(NamedTuple):
    """Totals of gradients g around a centre c, flat over all parameters."""

    total: np.ndarray  #: Σ (g − c).
    squares: np.ndarray  #: Σ (g − c)², by component.
    spread: np.ndarray  #: Σ ‖g − c‖².
    spread2: np.ndarray  #: Σ ‖g − c‖⁴.
    centre: np.ndarray  #: c.


@np.errstate(over="ignore", invalid="ignore")  # estimates may be infinite
def summed(
    step: Step, bound: tuple[Any, Any, Any], seed: Any, runs: range, centre: np.ndarray | None
) -> Totals:
    """Totals of the gradients of a range of runs, by default around the mean of the first block."""
    values, sizes, _ = bound
    total, squares, spread, spread2 = (np.zeros(()) for _ in range(4))
    for out in step.at(sizes).each_block(values, sizes, seed, len(runs), runs.start):
        grads = [out["grads", name] for name in step.graph.parameters]
        none = np.empty((len(out["cost",]), 0))  # for a graph without parameters
        columns = [none, *(g.reshape(len(g), -1) for g in grads)]
        block = np.concatenate(columns, axis=1, dtype=float)
        centre = block.mean(axis=0) if centre is None else centre
        block -= centre
        distance = np.sum(block**2, axis=1)
        total = total + block.sum(axis=0)
        squares = squares + np.sum(block**2, axis=0)
        spread, spread2 = spread + distance.sum(), spread2 + np.sum(distance**2)
    assert centre is not None
    return Totals(total, squares, spread, spread2, centre)


class Sample:
    """Many single-run gradient estimates of one step.

    Attributes
    ----------
    mean, stderr : array
        Mean gradient and its standard error, flat over all parameters.
    variance, variance_stderr : float
        Variance of an estimate, summed over all components, and its standard error.
    """

    def __init__(
        self,
        step: Step,
        bound: tuple[Any, Any, Any],
        seed: Any,
        runs: int,
        sums: Callable[[int], Totals] | None = None,
    ):
        if not isinstance(runs, (int, np.integer)) or runs < 2:
            raise CallError(f"at least two runs of each estimator are needed, got {runs!r}")
        self.step, self.seed, self.runs = step, seed, as_runs(runs)
        self.values, self.sizes, _ = bound
        n = self.runs
        total, squares, spread, spread2, centre = (
            sums(n) if sums else summed(step, bound, seed, range(n), None)
        )
        with np.errstate(over="ignore", invalid="ignore"):  # estimates may be infinite
            variance = np.maximum(squares - total**2 / n, 0.0) / (n - 1)
            self.mean = centre + total / n
            self.stderr = np.sqrt(variance / n)
            self.variance = float(variance.sum())
            fourth = max(spread2 / n - (spread / n) ** 2, 0.0)
            self.variance_stderr = float(np.sqrt(fourth / n))

    def blocks(self, runs: int) -> Iterator[dict[Any, np.ndarray]]:
        """Outputs of the step in blocks of runs."""
        return self.step.at(self.sizes).each_block(self.values, self.sizes, self.seed, runs)

    def time(self) -> float:
        """Seconds for one run, measured over a share of the runs."""
        runs = max(1, self.runs // _SHARE)
        start = time.perf_counter()
        for _ in self.blocks(runs):
            pass
        return (time.perf_counter() - start) / runs


def seconds(samples: list[Sample]) -> list[float]:
    """Median time of a run of each; the repeats are interleaved, so that all share a load."""
    times = [[sample.time() for sample in samples] for _ in range(_REPEATS)]
    return np.median(times, axis=0).tolist()


def reference(
    graph: CoreGraph, params: Any, data: Any, samples: list[Sample]
) -> tuple[str, np.ndarray | None, np.ndarray]:
    """What bias is measured against: its kind, the gradient, and its standard error."""
    try:
        truth = gradient(graph, params, data)
        return "exact", truth, np.zeros_like(truth)
    except EnumerationError:
        pass
    unbiased = [sample for sample in samples if sample.step.plan.unbiased]
    if not unbiased:
        return "none", None, np.zeros(())
    means, errors = (np.array([getattr(s, key) for s in unbiased]) for key in ("mean", "stderr"))
    smallest = ROUNDING * np.max(np.abs(means), initial=1e-300)  # no estimate is exact
    precision = 1.0 / np.maximum(errors, smallest) ** 2
    total = precision.sum(axis=0)
    return "pooled", (precision * means).sum(axis=0) / total, 1.0 / np.sqrt(total)


def flat(values: Mapping[str, Any]) -> np.ndarray:
    """The arrays of all parameters as one vector."""
    return np.concatenate([np.ravel(value) for value in values.values()] or [np.empty(0)])


def by_parameter(graph: CoreGraph, flat: np.ndarray) -> dict[str, np.ndarray]:
    """A vector as arrays by the names of parameters."""
    nodes = [parameter.node for parameter in graph.parameters.values()]
    parts = np.split(flat, np.cumsum([node.size for node in nodes], dtype=int))
    shaped = [part.reshape(node.shape) for part, node in zip(parts, nodes, strict=False)]
    return dict(zip(graph.parameters, shaped, strict=True))


def z_scores(difference: np.ndarray, stderr: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """difference / stderr; a difference within rounding of `scale` counts as zero."""
    rounding = ROUNDING * np.max(np.abs(scale), initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(difference) <= rounding, 0.0, difference / stderr)


def z_limit(components: int, level: float = LEVEL) -> float:
    """The bound that all |z| of so many unbiased components keep with probability `level`."""
    tail = (1.0 - level) / (2.0 * max(components, 1))  # Bonferroni
    return float(-scipy_function("ndtri")(tail))
