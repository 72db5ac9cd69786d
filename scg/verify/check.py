"""Check whether the gradient of a step is unbiased: exactly where possible, else by sampling."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.compile import compile
from scg.errors import BiasWarning, CallError, EnumerationError, EstimatorError, StopWarning
from scg.estimators import REFERENCES
from scg.estimators.forward import RTRL
from scg.estimators.pes import PES
from scg.ir.tables import listing
from scg.run.step import Step
from scg.seeds.noise import check_seed, extended
from scg.verify.exact import gradient
from scg.verify.moments import moments
from scg.verify.sampling import LEVEL, Sample, flat, z_limit, z_scores
from scg.verify.smoothed import smoothed
from scg.verify.windowed import mean_gradient, whole, windows_of

#: Sums of fewer runs are not normal where most runs have a gradient of zero: false alarms.
LEAST_RUNS = 1000
_ULPS = 16
_TOLERANCE = {"float64": 1e-10, "float32": 1e-4}  # relative to the gradient or its deviation


@dataclass(frozen=True)
class Check:
    """Whether a step's gradient is unbiased; ``print`` it.

    Attributes
    ----------
    unbiased : bool
        Whether no bias was found.
    exact : bool
        Whether the bias was computed, and not estimated.
    bias : float
        The largest absolute deviation from the reference, over all components.
    bound : float
        What |bias| is below, for all components at once with probability 0.999; where the bias
        was computed it is the precision of the computation.
    z : float
        The largest deviation in standard errors; NaN where the bias was computed.
    where : str
        The component of the largest deviation.
    reference : str
        What the gradient was compared with.
    runs : int
        Runs of the step; 0 where the bias was computed.
    biased : tuple of str
        The estimators that are biased by design, with their nodes, and a biased truncation.
    reason : str
        Why it was sampled.
    dtype : str
        What the step computes in: "exact" means exact up to its rounding.
    """

    unbiased: bool
    exact: bool
    bias: float
    bound: float
    z: float
    where: str
    reference: str
    runs: int
    biased: tuple[str, ...] = ()
    reason: str = ""
    dtype: str = "float64"

    def __bool__(self) -> bool:
        return self.unbiased

    def __str__(self) -> str:
        how = f" ({self.runs} runs against {self.reference})"
        if self.exact:
            single = f" up to {self.dtype} rounding ({_TOLERANCE[self.dtype]:.0e})"
            found = "unbiased" if self else f"biased by {self.bias:.3g} in {self.where}"
            text = f"exact{single if self.dtype != 'float64' else ''}: {found}"
        elif self:
            text = f"no bias found; |bias| < {self.bound:.2g} at {100 * LEVEL:g} %{how}"
        else:
            text = f"bias found: z = {self.z:.1f} in {self.where}{how}"
        if not self.biased:
            return text
        verb = "is" if len(self.biased) == 1 else "are"
        return f"{text}; {', '.join(self.biased)} {verb} biased by design"

    def _repr_html_(self) -> str:
        rows = {
            "where": self.where,
            "bias": f"{self.bias:.3g}",
            "bound": f"{self.bound:.3g}" + ("" if self.exact else f" at {100 * LEVEL:g} %"),
            "z": "" if self.exact else f"{self.z:.2f}",
            "against": self.reference,
            "runs": str(self.runs or ""),
            "sampled because": self.reason,
        }
        return listing(rows, caption=str(self))


@checked("scg.check(step, params, seed=0)")
def check(
    step: Step,
    params: Mapping[str, Any],
    seed: int | tuple[int, ...],
    data: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    *,
    runs: int = 10_000,
    state: Mapping[str, Mapping[str, Any]] | None = None,
) -> Check:
    """Check whether a step's gradient estimate is unbiased.

    Use it to test an estimator on your model. If the graph can be enumerated and the step's noise
    integrated, it compares the expected estimate with the exact gradient, without sampling.
    Otherwise it compares the mean of many runs with the exact gradient or, if that is not known,
    with another estimator's mean. :func:`scg.compare` also shows variances and times.

    Parameters
    ----------
    step : Step
        A compiled step.
    params, data, state : mapping
        As for a call of the step. Data of a step with ``stream=True`` are a sequence, or a list of
        its windows, through which each run goes; :class:`ARTBP` cuts the sequence anew in each run.
        A step by :class:`PES` is compared with the gradient of its own smoothed cost.
    seed : int or tuple of int
        The seed of the sampling.
    runs : int
        Number of runs, where it is sampled; at least 1000.

    Raises
    ------
    CallError
        If it must sample, and `runs` is too few for their mean to be normal; if the exact gradient
        or the estimate is not finite.

    Returns
    -------
    Check
        True where no bias was found.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> print(scg.check(scg.compile(g, scg.MuProp()), g.init(seed=0), seed=0))
    exact: unbiased
    >>> biased = scg.StraightThrough(allow_biased=True)
    >>> print(scg.check(scg.compile(g, biased), {"theta": 0.4}, seed=0))
    exact: biased by 0.0474 in 'theta'; StraightThrough at 'b' is biased by design
    """
    check_seed(seed)
    if recorded := step.plan.given.nodes:
        raise CallError(
            f"check: the values of {', '.join(map(repr, recorded))} are recorded, and the exact "
            "gradient is a mean over them. Check the step without given=; scg.moments(step, "
            "params, data) has the mean of the estimate for these values"
        )
    truth = None
    windows = windows_of(step, data)
    if isinstance(step.plan.truncation, PES):
        own, other = smoothed(step, _other(step, True), params, windows, seed, _enough(runs))
        what = "the gradient of the smoothed cost"
        return _compared(step, (*own, runs), other, what, "the smoothed cost is an integral")
    data = whole(step, windows)
    try:
        truth = gradient(step.graph, params, data)
        return _computed(step, params, data, state, truth)
    except EnumerationError as error:
        own = mean_gradient(step, params, windows, seed, _enough(runs), state)
        return _sampled(step, params, seed, data, own, runs, truth, str(error))


def _computed(step: Step, params: Any, data: Any, state: Any, truth: np.ndarray) -> Check:
    m = moments(step, params, data, state, False)
    mean, size = flat(m.mean), flat(m.sizes)
    deviation = np.abs(mean - truth)
    where = _component(step, np.where(np.isnan(deviation), np.inf, deviation))
    if not np.isfinite(deviation).all():
        raise CallError(
            f"check: the estimate of {where} is not finite in outcomes of positive probability; "
            "scg.moments(step, params).table() shows them"
        )
    dtype = str(step.program.dtype)
    rounding = _TOLERANCE[dtype] * np.max(size + np.abs(truth), initial=0.0)
    # a gradient of zero is a difference of terms of the size of the cost
    rounding += _ULPS * float(np.finfo(dtype).eps * np.abs(m.cost))
    bound = float(rounding + m.error)
    bias = float(np.max(deviation, initial=0.0))
    return Check(
        unbiased=bias <= bound,
        exact=True,
        bias=bias,
        bound=bound,
        z=math.nan,
        where=where,
        reference="the exact gradient",
        runs=0,
        biased=_biased(step),
        dtype=dtype,
    )


def _sampled(
    step: Step,
    params: Any,
    seed: int | tuple[int, ...],
    data: Any,
    own: tuple[Any, Any],
    runs: int,
    truth: np.ndarray | None,
    reason: str,
) -> Check:
    if truth is not None:
        reference, wanted, doubt = "the exact gradient", truth, np.zeros(())
    else:
        other = _other(step)
        seeds = extended(seed, 1)  # independent of the step's
        against = Sample(other, other.checked(params, data, None), seeds, runs)
        reference = type(next(iter(other.plan.estimators.values()))).__name__
        wanted, doubt = against.mean, against.stderr
    return _compared(step, (*own, runs), (wanted, doubt), reference, reason)


def _compared(
    step: Step, own: tuple[Any, Any, int], other: tuple[Any, Any], reference: str, reason: str
) -> Check:
    """The verdict on a mean of runs with its standard error, given those of a reference."""
    (mean, error, runs), (wanted, doubt) = own, other
    difference, stderr = mean - wanted, np.hypot(error, doubt)
    if not np.isfinite(difference).all():
        lost = _component(step, np.where(np.isfinite(difference), 0.0, 1.0))
        who = "the estimate" if not np.isfinite(mean).all() else f"that of {reference}"
        raise CallError(f"check: {who} of {lost} is not finite in some of the {runs} runs")
    scores = np.abs(z_scores(difference, stderr, wanted))
    limit = z_limit(scores.size, LEVEL)
    return Check(
        unbiased=bool(np.all(scores <= limit)),
        exact=False,
        bias=float(np.max(np.abs(difference), initial=0.0)),
        bound=float(np.max(np.abs(difference) + limit * stderr, initial=0.0)),
        z=float(np.max(scores, initial=0.0)),
        where=_component(step, scores),
        reference=reference,
        runs=runs,
        biased=_biased(step),
        reason=reason,
        dtype=str(step.program.dtype),
    )


def _enough(runs: int) -> int:
    if runs < LEAST_RUNS:
        raise CallError(
            f"check: runs={runs} is too few, their mean need not be normal; give at least "
            f"{LEAST_RUNS}"
        )
    return runs


def _other(step: Step, stream: bool = False) -> Step:
    """Compile the graph with an unbiased estimator of another kind than the step's."""
    used = {type(estimator) for estimator in step.plan.estimators.values()}
    first, second = REFERENCES
    other = second if type(first) in used else first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)
        warnings.simplefilter("ignore", StopWarning)
        if stream:
            return compile(step.graph, other, truncate=RTRL(), stream=True)
        try:
            return compile(step.graph, other)
        except EstimatorError:  # a score does not fit, as at a point mass
            return compile(step.graph)


def _biased(step: Step) -> tuple[str, ...]:
    """Name the estimators that are biased by design, and their nodes; and a biased truncation."""
    named = [
        f"{type(estimator).__name__} at {node.name!r}"
        for node, estimator in step.plan.estimators.items()
        if not estimator.unbiased
    ]
    return (*named, *([] if step.plan.truncation_unbiased else [repr(step.plan.truncation)]))


def _component(step: Step, deviation: np.ndarray) -> str:
    """Name the component of the largest deviation."""
    position = int(np.argmax(deviation)) if deviation.size else 0
    for name, parameter in step.graph.parameters.items():
        if position < parameter.node.size:
            index = [int(i) for i in np.unravel_index(position, parameter.node.shape)]
            return f"{name!r}{index or ''}"
        position -= parameter.node.size
    return "no parameter"
