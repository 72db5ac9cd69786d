"""Compare: gradient estimators side by side on one graph: bias, variance, time."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.arguments import checked
from scg.common.frame import frame
from scg.compile import compile
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.tables import aligned, grid
from scg.run.step import Step
from scg.verify.distributed import Distributed, compiled
from scg.verify.plot import bars
from scg.verify.row import Row
from scg.verify.sampling import (
    LEVEL,
    Sample,
    by_parameter,
    flat,
    reference,
    seconds,
    z_limit,
    z_scores,
)
from scg.verify.text import duration
from scg.workers import Crew

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        """All rows as plain values, fit for JSON."""
        rows = {}
        for name, row in self.rows.items():
            rows[name] = {**asdict(row), "work": row.work}
            rows[name]["z"] = None if math.isnan(row.z) else row.z
            for key in ("mean", "stderr"):
                rows[name][key] = {k: v.tolist() for k, v in rows[name][key].items()}
        return {"reference": self.reference, "threshold": self.threshold, "rows": rows}

    def to_frame(self) -> Any:
        """A row for each estimator as a pandas DataFrame; see :class:`scg.verify.row.Row`."""
        rows = []
        for name, row in self.to_dict()["rows"].items():
            arrays = {f"{k} {of}": v for k in ("mean", "stderr") for of, v in row.pop(k).items()}
            rows.append({"name": name, **row, **arrays})
        return frame(rows)

    @checked('table.plot("variance.svg")')
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
        return bars(self.rows, path)

    def __str__(self) -> str:
        return f"{aligned([self._head, *self._cells], left=1)}\n{self._note}"

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
                    row.marked(name),
                    f"{mean[0]:.4g} ± {stderr[0]:.1g}" if single else f"{np.linalg.norm(mean):.4g}",
                    "" if math.isnan(row.z) else f"{round(row.z, 1) + 0.0:.1f}",
                    str(row.evaluations),
                    f"{row.variance:.4g} ± {row.variance_stderr:.1g}",
                    duration(row.seconds),
                    duration(row.work),
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


@checked('scg.compare(g, {"muprop": scg.MuProp()}, params, runs=1000, seed=0)', options=compile)
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
    executor: Any = None,
    **options: Any,
) -> Comparison:
    """Compare gradient estimators on a graph: bias, variance, time.

    Use it to choose an estimator. All of them get the same seed, that is, common random numbers;
    :func:`scg.check` tests one estimator more sharply.

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
    executor : int, executor, or callable, optional
        Who computes the runs, see :class:`scg.workers.Crew`; by default this process, which always
        measures the times. The rest of the table has the same bits for every number of workers,
        lost and replaced ones included; it agrees with that of one process to rounding.
    **options
        Further options of ``scg.compile``.

    Raises
    ------
    CallError
        If there are fewer than two runs of an estimator, or the exact gradient is not finite; if
        the graph cannot be sent to workers.
    WorkerError
        If the executor is lost, or a chunk of runs fails.

    Returns
    -------
    Comparison

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
            raise CallError(f"compare: state of {name!r}, which is not the name of an estimator")
    steps: dict[str, Step] = {}
    for name, estimator in estimators.items():
        steps[name] = compiled(graph, estimator, options)
    calls = {name: (params, data, (state or {}).get(name)) for name in steps}
    samples: dict[str, Sample] = {}
    evaluations: dict[str, int] = {}
    with Crew(executor, retries=3) as crew:
        far = Distributed(crew, graph, estimators, calls, seed, options)
        for name, step in steps.items():
            count = evaluations[name] = step.explain().evaluations
            samples[name] = Sample(
                step,
                step.checked(*calls[name]),
                seed,
                runs // count if equal == "evaluations" else runs,
                None if executor is None else functools.partial(far, name),
            )
    times = seconds(list(samples.values()))
    against, truth, doubt = reference(graph, params, data, list(samples.values()))
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
            mean=by_parameter(graph, sample.mean),
            stderr=by_parameter(graph, sample.stderr),
            z=z,
            variance=sample.variance,
            variance_stderr=sample.variance_stderr,
            seconds=each,
        )
    return Comparison(rows, against)
