"""Sweep: means, variances and biases of gradient estimators along a line of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.common.arguments import checked
from scg.compile import compile
from scg.errors import CallError, EnumerationError, did_you_mean
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.run.step import Step
from scg.verify.curves import Curve, Sweep
from scg.verify.distributed import compiled
from scg.verify.exact import gradient
from scg.verify.moments import moments
from scg.verify.sampling import Sample, by_parameter, flat, reference


@checked(
    'scg.sweep(g, {"muprop": scg.MuProp()}, over={"theta": np.linspace(-2, 2, 41)})',
    options=compile,
)
def sweep(
    graph: CoreGraph,
    estimators: Mapping[str, Any],
    over: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
    *,
    data: Mapping[str, Any] | None = None,
    exact: bool = True,
    runs: int = 10_000,
    seed: int | tuple[int, ...] | None = None,
    **options: Any,
) -> Sweep:
    """Compute curves of gradient estimators: mean, variance, bias² and mean squared error.

    Use it to see how estimators behave along a parameter, a datum or an option of their own;
    :func:`scg.compare` measures one point, with times.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    estimators : mapping
        By a name for each: what ``scg.compile`` takes as estimator, or a function of the swept
        options that returns it, for example a class.
    over : mapping
        Values by name, as many of each: of a parameter, of a datum, or of an option that the
        functions in `estimators` take. A number stands for an array of it.
    params : mapping, optional
        The other parameters; by default ``graph.init(seed=0)``.
    data : mapping, optional
        The other data.
    exact : bool
        Compute exact moments (:func:`scg.moments`), or sample.
    runs, seed
        Where it samples: runs at each point, and their seed, the same for all (common random
        numbers).
    **options
        Further options of ``scg.compile``. Exact curves use ``backend="numpy"``.

    Raises
    ------
    CallError
        If `over` names nothing that can be swept, or the lengths of its values differ; if it must
        sample without a seed.
    EnumerationError
        If exact moments are asked for and cannot be computed.

    Returns
    -------
    Sweep

    Notes
    -----
    The true gradient is enumerated (:func:`scg.exact`) or, where a node has no finite support, the
    mean of an unbiased estimator. A sampled bias² is |mean − truth|² minus the variance of this
    difference: unbiased, and negative for about half of the unbiased estimators.

    Examples
    --------
    >>> import numpy as np, scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    >>> g.cost("loss", (b - 0.25) ** 2)
    >>> choice = {"score": scg.ScoreFunction(), "straight-through": scg.StraightThrough()}
    >>> curves = scg.sweep(g, choice, over={"theta": [-1.0, 0.0, 1.0]})
    >>> curves["score"].variance[1].item()
    0.0244140625
    >>> np.sqrt(curves["straight-through"].bias2).round(3)
    array([0.091, 0.   , 0.091])

    A class takes the values of its option:

    >>> curves = scg.sweep(g, {"relaxed": scg.GumbelSoftmax}, over={"temperature": [0.1, 1.0]})
    >>> bool(np.diff(curves["relaxed"].bias2)[0] > 0)
    True
    """
    if not estimators:
        raise CallError('sweep: give estimators by name, e.g. {"score": scg.ScoreFunction()}')
    if not exact and seed is None:
        raise CallError("sweep: sampling needs a seed: scg.sweep(..., exact=False, seed=0)")
    if exact:
        options = {"backend": "numpy"} | options
    own = {name for name in over if name not in {**graph.parameters, **graph.data_nodes}}
    values = _values(graph, estimators, over, own)
    params = dict(params if params is not None else graph.init(seed=0))
    data = dict(data or {})
    leaves = {name: parameter.node for name, parameter in graph.parameters.items()}
    fixed: dict[str, Step] = {}
    points: list[_Point] = []
    for at in zip(*values.values(), strict=True):
        named = dict(zip(values, at, strict=True))
        settings = {name: named.pop(name).tolist() for name in own}
        steps = {}
        for name, estimator in estimators.items():
            if own and _is_function(estimator):
                steps[name] = compiled(graph, estimator(**settings), options)
            else:
                fixed[name] = fixed.get(name) or compiled(graph, estimator, options)
                steps[name] = fixed[name]
        here = {**params, **_filled(named, leaves, params)}
        known = {**data, **_filled(named, graph.data_nodes, data)}
        if exact:
            points.append(_computed(graph, steps, here, known))
        else:
            points.append(_sampled(graph, steps, here, known, runs, seed))
    curves = {
        name: Curve(
            unbiased=all(point.steps[name].plan.unbiased for point in points),
            evaluations=np.array([p.steps[name].explain().evaluations for p in points]),
            mean=_stacked([point.mean[name] for point in points]),
            variance=np.array([point.variance[name] for point in points]),
            bias2=np.array([point.bias2[name] for point in points]),
            variance_stderr=np.array([point.variance_stderr[name] for point in points]),
        )
        for name in estimators
    }
    return Sweep(curves, values, _stacked([point.truth for point in points]), exact)


# --- points ---------------------------------------------------------------------------------------
class _Point(NamedTuple):
    """What is measured at one point, by the names of the estimators."""

    steps: dict[str, Step]
    truth: dict[str, np.ndarray]
    mean: dict[str, dict[str, np.ndarray]]
    variance: dict[str, float]
    variance_stderr: dict[str, float]
    bias2: dict[str, float]


def _computed(graph: CoreGraph, steps: dict[str, Step], params: Any, data: Any) -> _Point:
    """Exact moments of all estimators."""
    found = {}
    for name, step in steps.items():
        try:
            found[name] = moments(step, params, data)
        except EnumerationError as error:
            raise EnumerationError(
                f"sweep: estimator {name!r}: {error}. scg.sweep(..., exact=False, seed=0) samples"
            ) from None
    truth = _truth(graph, steps, {name: m.mean for name, m in found.items()}, params, data)
    return _Point(
        steps,
        truth,
        {name: m.mean for name, m in found.items()},
        {name: sum(float(np.sum(v)) for v in m.variance.values()) for name, m in found.items()},
        dict.fromkeys(found, 0.0),
        {name: float(np.sum((flat(m.mean) - flat(truth)) ** 2)) for name, m in found.items()},
    )


def _truth(
    graph: CoreGraph, steps: dict[str, Step], means: dict[str, Any], params: Any, data: Any
) -> dict[str, np.ndarray]:
    """The true gradient by enumeration, or the mean of an unbiased estimator."""
    try:
        return by_parameter(graph, gradient(graph, params, data))
    except EnumerationError:
        unbiased = next((name for name in steps if steps[name].plan.unbiased), None)
        if unbiased is not None:
            return means[unbiased]
        return moments(compile(graph, backend="numpy"), params, data, variance=False).mean


def _sampled(
    graph: CoreGraph, steps: dict[str, Step], params: Any, data: Any, runs: int, seed: Any
) -> _Point:
    """Sampled moments of all estimators."""
    samples = {
        name: Sample(s, s.checked(params, data, None), seed, runs) for name, s in steps.items()
    }
    _, truth, doubt = reference(graph, params, data, list(samples.values()))
    if truth is None:
        other = compile(graph)
        sample = Sample(other, other.checked(params, data, None), seed, runs)
        truth, doubt = sample.mean, sample.stderr
    bias2 = {}
    for name, sample in samples.items():
        noise = np.sum(sample.stderr**2) + np.sum(doubt**2)
        bias2[name] = float(np.sum((sample.mean - truth) ** 2) - noise)
    return _Point(
        steps,
        by_parameter(graph, truth),
        {name: by_parameter(graph, sample.mean) for name, sample in samples.items()},
        {name: sample.variance for name, sample in samples.items()},
        {name: sample.variance_stderr for name, sample in samples.items()},
        bias2,
    )


# --- arguments ------------------------------------------------------------------------------------
def _values(
    graph: CoreGraph, estimators: Mapping[str, Any], over: Mapping[str, Any], own: set[str]
) -> dict[str, np.ndarray]:
    """The swept values as arrays of one length."""
    if not over:
        raise CallError('sweep: over names what is swept, e.g. over={"theta": [-1.0, 0.0, 1.0]}')
    if own and not any(map(_is_function, estimators.values())):
        name = min(own)
        near = did_you_mean(name, [*graph.parameters, *graph.data_nodes])
        raise CallError(
            f"sweep: {name!r} is neither a parameter nor a datum of graph {graph.name!r}{near}; "
            "to sweep an option of an estimator, give a function of it, for example its class: "
            '{"relaxed": scg.GumbelSoftmax}, over={"temperature": [0.1, 1.0]}'
        )
    values = {name: np.asarray(each) for name, each in over.items()}
    lengths = {name: len(each) if each.ndim else 0 for name, each in values.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        said = ", ".join(f"{length} of {name!r}" for name, length in lengths.items())
        raise CallError(f"sweep: over needs as many values of each name, at least one, got {said}")
    return values


def _is_function(estimator: Any) -> bool:
    return callable(estimator) and not isinstance(estimator, Estimator)


def _filled(at: Mapping[str, Any], declared: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """The swept values of declared names, where a number fills an array."""
    found = {}
    for name, value in at.items():
        if name in declared:
            shape = np.shape(given[name]) if name in given else declared[name].shape
            found[name] = value if np.ndim(value) else np.full(shape, value)
    return found


def _stacked(points: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([point[name] for point in points]) for name in points[0]}
