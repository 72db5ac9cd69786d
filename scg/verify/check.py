"""Check whether the gradient of a step is unbiased: exactly where possible, else by sampling."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.arguments import checked
from scg.compile import compile
from scg.errors import BiasWarning, CallError, EnumerationError, StopWarning
from scg.estimators import REFERENCES
from scg.run.step import Step
from scg.seeds.noise import check_seed
from scg.verify.exact import Exact, exact
from scg.verify.moments import moments
from scg.verify.sampling import Sample, flat, z_scores

LEVEL = 0.999
#: Sums of fewer runs are not normal where most runs have a gradient of zero: false alarms.
LEAST_RUNS = 1000
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
    """

    unbiased: bool
    exact: bool
    bias: float
    bound: float
    z: float
    where: str
    reference: str
    runs: int

    def __bool__(self) -> bool:
        return self.unbiased

    def __str__(self) -> str:
        if self.exact:
            return (
                "exact: unbiased" if self else f"exact: biased by {self.bias:.3g} in {self.where}"
            )
        how = f"({self.runs} runs against {self.reference})"
        if self:
            return f"no bias found; |bias| < {self.bound:.2g} at {100 * LEVEL:g} % {how}"
        return f"bias found: z = {self.z:.1f} in {self.where} {how}"


@checked("scg.check(step, params, seed=0)")
def check(
    step: Step,
    params: Mapping[str, Any],
    seed: int | tuple[int, ...],
    data: Mapping[str, Any] | None = None,
    *,
    runs: int = 10_000,
    state: Mapping[str, Mapping[str, Any]] | None = None,
) -> Check:
    """Check whether a step's gradient estimate is unbiased.

    Where the graph can be enumerated and the noise split into cells, the expected estimate is
    computed and compared with the exact gradient; no sampling is involved. Otherwise the mean over
    many runs is compared with the exact gradient or, without it, with that of another estimator.

    Parameters
    ----------
    step : Step
        A compiled step.
    params, data, state : mapping
        As for a call of the step.
    seed : int or tuple of int
        The seed of the sampling.
    runs : int
        Number of runs, where it is sampled; at least 1000.

    Raises
    ------
    CallError
        If it must sample, and `runs` is too few for the normal law of their mean.

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
    exact: biased by 0.0474 in 'theta'
    """
    check_seed(seed)
    try:
        truth = exact(step.graph, params, data)
    except EnumerationError:
        truth = None
    if truth is not None:
        try:
            return _computed(step, params, data, state, truth)
        except EnumerationError:
            pass
    return _sampled(step, params, seed, data, runs, state, truth)


def _computed(step: Step, params: Any, data: Any, state: Any, truth: Exact) -> Check:
    m = moments(step, params, data, state)
    mean, wanted = flat(m.mean), flat(truth.grads)
    scale = np.max(np.sqrt(np.abs(flat(m.variance))) + np.abs(wanted), initial=0.0)
    bound = float(_TOLERANCE[str(step.program.dtype)] * scale + 10.0 * m.error)
    deviation = np.abs(mean - wanted)
    bias = float(np.max(deviation, initial=0.0))
    return Check(
        unbiased=bias <= bound,
        exact=True,
        bias=bias,
        bound=bound,
        z=math.nan,
        where=_component(step, deviation),
        reference="the exact gradient",
        runs=0,
    )


def _sampled(
    step: Step,
    params: Any,
    seed: int | tuple[int, ...],
    data: Any,
    runs: int,
    state: Any,
    truth: Exact | None,
) -> Check:
    from scipy.special import ndtri

    if runs < LEAST_RUNS:
        raise CallError(
            f"check: runs={runs} is too few, their mean need not be normal; give at least "
            f"{LEAST_RUNS}"
        )
    sample = Sample(step, step.checked(params, data, state), seed, runs)
    if truth is not None:
        reference, wanted, doubt = "the exact gradient", flat(truth.grads), np.zeros(())
    else:
        other = _other(step)
        seeds = (*seed, 1) if isinstance(seed, tuple) else (seed, 1)  # independent of the step's
        against = Sample(other, other.checked(params, data, None), seeds, runs)
        reference = type(next(iter(other.plan.estimators.values()))).__name__
        wanted, doubt = against.mean, against.stderr
    difference, stderr = sample.mean - wanted, np.hypot(sample.stderr, doubt)
    scores = np.abs(z_scores(difference, stderr, wanted))
    # Bonferroni: every component keeps its bound at once.
    limit = -ndtri((1.0 - LEVEL) / (2.0 * max(scores.size, 1)))
    return Check(
        unbiased=bool(np.all(scores <= limit)),
        exact=False,
        bias=float(np.max(np.abs(difference), initial=0.0)),
        bound=float(np.max(np.abs(difference) + limit * stderr, initial=0.0)),
        z=float(np.max(scores, initial=0.0)),
        where=_component(step, scores),
        reference=reference,
        runs=sample.runs,
    )


def _other(step: Step) -> Step:
    """Compile the graph with an unbiased estimator of another kind than the step's."""
    used = {type(estimator) for estimator in step.plan.estimators.values()}
    first, second = REFERENCES
    other = second if type(first) in used else first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)
        warnings.simplefilter("ignore", StopWarning)
        return compile(step.graph, other)


def _component(step: Step, deviation: np.ndarray) -> str:
    """Name the component of the largest deviation."""
    position = int(np.argmax(deviation)) if deviation.size else 0
    for name, parameter in step.graph.parameters.items():
        if position < parameter.node.size:
            index = [int(i) for i in np.unravel_index(position, parameter.node.shape)]
            return f"{name!r}{index or ''}"
        position -= parameter.node.size
    return "no parameter"
