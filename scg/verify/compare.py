"""Compare: gradient estimators side by side on one graph: bias, variance, time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.arguments import checked
from scg.compile import compile
from scg.errors import BiasWarning, CallError, EnumerationError, ScgError
from scg.graph.core import CoreGraph
from scg.ir.tables import grid
from scg.run.step import Step
from scg.verify.exact import gradient
from scg.verify.sampling import LEVEL, ROUNDING, Sample, flat, seconds, z_limit, z_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Row:
    """One estimator in a comparison.

    Attributes
    ----------
    estimator : str
        What was compiled.
    unbiased : bool
        What the estimator claims.
    runs, evaluations : int
        Runs, and evaluations of the costs in one run.
    mean, stderr : dict
        Mean gradient and its standard error, with the keys and shapes of the parameters.
    z : float
        The deviation from the reference in standard errors, where it is largest; NaN without a
        reference.
    variance, variance_stderr : float
        Variance of a single-run gradient, summed over all components, and its standard error.
    seconds : float
        Median time of one run.
    """

    estimator: str
    unbiased: bool
    runs: int
    evaluations: int
    mean: dict[str, np.ndarray]
    stderr: dict[str, np.ndarray]
    z: float
    variance: float
    variance_stderr: float
    seconds: float

    @property
    def work(self) -> float:
        """Variance × time: the seconds that it takes to reach variance 1."""
        return self.variance * self.seconds


@dataclass(frozen=True)
class Comparison:
    """Gradient estimators side by side; ``print`` it.

    Attributes
    ----------
    rows : dict
        A row by the name given to the estimator.
    reference : {"exact", "pooled", "none"}
        What bias is measured against: the exact gradient, or the mean of the unbiased estimators
        weighted with their precision.
    """

    rows: dict[str, Row]
    reference: str

    @property
    def components(self) -> int:
        """Number of components of a gradient."""
        return next((flat(row.mean).size for row in self.rows.values()), 0)

    @property
    def threshold(self) -> float:
        """What the largest |z| of an unbiased estimator stays below in 99.9 % of cases."""
        return z_limit(self.components)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, fit for JSON."""
        rows = {}
        for name, row in self.rows.items():
            rows[name] = {**asdict(row), "work": row.work}
            rows[name]["z"] = None if math.isnan(row.z) else row.z
            for key in ("mean", "stderr"):
                rows[name][key] = {k: v.tolist() for k, v in rows[name][key].items()}
        return {"reference": self.reference, "threshold": self.threshold, "rows": rows}

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Draw the variances as bars with two standard errors, biased estimators hatched.

        The axis is logarithmic where the variances differ more than thirtyfold.

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
        ScgError
            If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ScgError(
                "a plot needs matplotlib: pip install 'scg[draw]'; print(comparison) needs nothing"
            ) from None
        figure = Figure(figsize=(7, 1.2 + 0.4 * len(self.rows)), layout="constrained")
        axes = figure.subplots()
        rows = list(self.rows.values())
        axes.barh(
            [_marked(name, row).replace("$", r"\$") for name, row in self.rows.items()],
            [row.variance for row in rows],
            xerr=[2.0 * row.variance_stderr for row in rows],
            color=["#4c78a8" if row.unbiased else "#d0d0d0" for row in rows],
            hatch=["" if row.unbiased else "//" for row in rows],
        )
        left, positive = 0.0, [row.variance for row in rows if row.variance > 0]
        if positive and max(positive) > 30.0 * min(positive):
            left = min(positive) / 3.0
            axes.set_xscale("log")
        for y, row in enumerate(rows):
            end = max(row.variance + 2.0 * row.variance_stderr, left)
            axes.annotate(f"{row.variance:.3g}", (end, y), (4, -3), textcoords="offset points")
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xlim(left=left)
        axes.set_xlabel("variance of a single-run gradient, summed over its components")
        if path is not None:
            figure.savefig(path)
        return figure

    def __str__(self) -> str:
        lines = [self._head, *self._cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(
                f"{cell:{'>' if k else '<'}{width}}"
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*text, self._note])

    def _repr_html_(self) -> str:
        return grid(self._head, self._cells, caption=self._note)

    @property
    def _head(self) -> list[str]:
        mean = "mean" if self.components == 1 else "|mean|"
        return ["", mean, "z", "evaluations", "variance", "time", "variance × time"]

    @property
    def _cells(self) -> list[list[str]]:
        rows = []
        for name, row in self.rows.items():
            mean, stderr = flat(row.mean), flat(row.stderr)
            single = self.components == 1
            rows.append(
                [
                    _marked(name, row),
                    f"{mean[0]:.4g} ± {stderr[0]:.1g}" if single else f"{_norm(mean):.4g}",
                    "" if math.isnan(row.z) else f"{round(row.z, 1) + 0.0:.1f}",
                    str(row.evaluations),
                    f"{row.variance:.4g} ± {row.variance_stderr:.1g}",
                    _duration(row.seconds),
                    _duration(row.work),
                ]
            )
        return rows

    @property
    def _note(self) -> str:
        """What the columns are."""
        runs = sorted({row.runs for row in self.rows.values()})
        counts = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
        against = {
            "exact": "the exact gradient",
            "pooled": "the pooled mean of the unbiased estimators",
        }
        if self.reference not in against:
            return f"no z: nothing unbiased to compare with; {counts} runs"
        size = self.components
        most = f", the largest of {size} components" if size > 1 else ""
        return (
            f"z: deviation from {against[self.reference]} in standard errors{most} "
            f"(bias if |z| > {self.threshold:.2f}, at {100 * LEVEL:g} %); {counts} runs"
        )


@checked('scg.compare(g, {"muprop": scg.MuProp()}, params, runs=1000, seed=0)')
def compare(
    graph: CoreGraph,
    estimators: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    runs: int,
    seed: int | tuple[int, ...],
    data: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    equal: str = "runs",
    **options: Any,
) -> Comparison:
    """Compare gradient estimators on a graph, all with the same seed (common random numbers).

    Parameters
    ----------
    graph : Graph
        The declared graph.
    estimators : mapping
        By a name for each: what ``scg.compile`` takes as estimator.
    params, data : mapping
        As for a call of a step.
    runs : int
        Runs of each estimator; with ``equal="evaluations"`` evaluations of the costs of each.
    seed : int or tuple of int
        The seed.
    state : mapping, optional
        The state of estimators that keep one, by the names in `estimators`; by default initial.
    equal : {"runs", "evaluations"}
        What is the same for all.
    **options
        Further options of ``scg.compile``.

    Raises
    ------
    CallError
        If there are fewer than two runs of an estimator, or the exact gradient is not finite.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> choice = {"score": scg.ScoreFunction(), "loo": scg.LeaveOneOut(samples=2)}
    >>> table = scg.compare(g, choice, g.init(seed=0), runs=1000, seed=0)
    >>> table.reference, table.rows["loo"].variance < table.rows["score"].variance
    ('exact', True)
    """
    if equal not in ("runs", "evaluations"):
        raise CallError(f'compare: equal must be "runs" or "evaluations", got {equal!r}')
    if not estimators:
        raise CallError('compare: give estimators by name, e.g. {"score": scg.ScoreFunction()}')
    for name in state or {}:
        if name not in estimators:
            raise CallError(f"compare: state of {name!r}, which is no name of an estimator")
    steps: dict[str, Step] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)  # the table marks them
        for name, estimator in estimators.items():
            steps[name] = compile(graph, estimator, **options)
    samples: dict[str, Sample] = {}
    evaluations: dict[str, int] = {}
    for name, step in steps.items():
        count = evaluations[name] = step.explain().evaluations
        samples[name] = Sample(
            step,
            step.checked(params, data, (state or {}).get(name)),
            seed,
            runs // count if equal == "evaluations" else runs,
        )
    times = seconds(list(samples.values()))
    reference, truth, doubt = _reference(graph, params, data, list(samples.values()))
    rows = {}
    for (name, sample), each in zip(samples.items(), times, strict=True):
        z = math.nan
        if truth is not None:
            # Draws are shared, so that errors may be dependent: their sum bounds any case.
            scores = z_scores(sample.mean - truth, sample.stderr + doubt, truth)
            z = float(scores[np.argmax(np.abs(scores))]) if scores.size else 0.0
        rows[name] = Row(
            estimator=str(estimators[name]),
            unbiased=sample.step.plan.unbiased,
            runs=sample.runs,
            evaluations=evaluations[name],
            mean=_named(graph, sample.mean),
            stderr=_named(graph, sample.stderr),
            z=z,
            variance=sample.variance,
            variance_stderr=sample.variance_stderr,
            seconds=each,
        )
    return Comparison(rows, reference)


def _reference(
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


# --- words ----------------------------------------------------------------------------------------
def _named(graph: CoreGraph, flat: np.ndarray) -> dict[str, np.ndarray]:
    named, start = {}, 0
    for name, parameter in graph.parameters.items():
        node = parameter.node
        named[name] = flat[start : start + node.size].reshape(node.shape)
        start += node.size
    return named


def _norm(values: np.ndarray) -> float:
    return float(np.sqrt(np.sum(values**2)))


def _marked(name: str, row: Row) -> str:
    return name if row.unbiased else f"{name} (BIASED)"


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
