"""Check the laws of an estimator, exactly, on small graphs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg.compile import compile
from scg.distributions import Bernoulli, Categorical, Normal, OneHotCategorical
from scg.errors import BiasWarning, EnumerationError, EstimatorError, StopWarning
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.gather import one_hot
from scg.verify.exact import exact
from scg.verify.moments import moments


@dataclass(frozen=True)
class _Case:
    """A small graph, where it is evaluated, and a graph without stochastic nodes for its truth."""

    graph: CoreGraph
    params: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
    truth: CoreGraph | None = None


def check_estimator(
    estimator: Estimator | Mapping[str, Estimator] | None,
    graph: CoreGraph | None = None,
    params: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    *,
    tolerance: float = 1e-8,
) -> list[str]:
    """Check the laws of an estimator, exactly, on small graphs.

    The laws: the mean cost is the true cost; the mean gradient is the true one, or, where
    ``unbiased = False``, differs from it on at least one graph; the mean Hessian is the true one
    where ``orders`` is 2 or more. Means are exact moments. Use it for an estimator of your own; for
    a compiled step, sampled if need be, use ``scg.check``.

    Parameters
    ----------
    estimator : Estimator or mapping
        As for ``scg.compile``.
    graph : Graph, optional
        A graph of your own whose stochastic nodes can all be enumerated. Without it: the built-in
        graphs that the estimator fits (Bernoulli units, a chain with two costs, a plate with a
        global parent, one-hot and integer categories, normals).
    params, data : mapping, optional
        Of that graph; by default its initial parameters.
    tolerance : float
        The largest difference allowed, relative to the largest entry, besides errors of quadrature.

    Returns
    -------
    list of str
        Names of the graphs that were checked.

    Raises
    ------
    AssertionError
        If a law is broken, or no built-in graph fits the estimator.

    Examples
    --------
    >>> import scg
    >>> from scg.testing import check_estimator
    >>> check_estimator(scg.ScoreFunction())
    ['units', 'chain', 'plate', 'one-hot', 'categories', 'normals']
    """
    if graph is not None:
        start = graph.init(seed=0) if params is None else dict(params)
        cases = iter([_Case(graph, start, dict(data or {}))])
    else:
        cases = _cases()
    checked: list[str] = []
    refused: list[str] = []
    exact_so_far, unbiased = True, True
    for case in cases:
        try:
            gap, unbiased = _check_case(estimator, case, tolerance)
        except (EstimatorError, EnumerationError) as error:
            if graph is not None:
                raise
            refused.append(f"{case.graph.name}: {error}")
            continue
        exact_so_far &= gap is None
        checked.append(case.graph.name)
    if not checked:
        reasons = "\n  ".join(refused)
        raise AssertionError(
            f"check_estimator: no built-in graph fits {estimator!r}; give one that does with "
            f"graph=...\n  {reasons}"
        )
    if exact_so_far and not unbiased:
        raise AssertionError(
            f"check_estimator: {estimator!r} says unbiased = False, but no bias shows on "
            f"{', '.join(checked)}. Say unbiased = True, or give a graph on which it is biased"
        )
    return checked


def _check_case(estimator: Any, case: _Case, tolerance: float) -> tuple[str | None, bool]:
    """Check one graph: how the gradient differs, if it does, and whether the plan is unbiased."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiasWarning)
        warnings.simplefilter("ignore", StopWarning)
        step = compile(case.graph, estimator)
        order = min((chosen.orders for chosen in step.plan.estimators.values()), default=2)
        if order >= 2:
            step = compile(case.graph, estimator, order=2)
    true = exact(case.truth or case.graph, case.params, case.data)
    found = moments(step, case.params, data=case.data, state=_warm(step.init(seed=0)))
    allowed = tolerance + 10.0 * found.error
    what = f"check_estimator: {estimator!r} on the graph {case.graph.name!r}:"
    if (gap := _gap("cost", found.cost, true.cost, allowed)) is not None:
        raise AssertionError(
            f"{what} {gap}. The value law is broken: a term must have the value 0 (write it with "
            "control_variate), and draws must follow the node's distribution"
        )
    gaps = [_gap(f"gradient in {n!r}", found.mean[n], g, allowed) for n, g in true.grads.items()]
    gap = next((gap for gap in gaps if gap is not None), None)
    if gap is not None and step.plan.unbiased:
        raise AssertionError(
            f"{what} {gap}. It is biased: does a baseline depend on the sample, or lacks a control "
            "variate the gradient of its mean? A biased estimator says unbiased = False"
        )
    blocks = true.hessian if order >= 2 and step.plan.unbiased else {}
    for a, b in itertools.product(blocks, blocks):
        name = f"second derivative in {a!r} and {b!r}"
        wrong = _gap(name, found.hessian[a][b], blocks[a][b], allowed)
        if wrong is not None:
            raise AssertionError(
                f"{what} {wrong}. The order is less than claimed: what is stopped must not be part "
                "of the value law, or say orders = 1"
            )
    return gap, step.plan.unbiased


def _gap(what: str, found: Any, true: Any, allowed: float) -> str | None:
    found, true = np.asarray(found), np.asarray(true)
    error = np.abs(found - true)
    if np.all(error <= allowed * max(1.0, float(np.max(np.abs(true), initial=0.0)))):
        return None
    worst = np.unravel_index(int(np.argmax(np.nan_to_num(error, nan=np.inf))), error.shape)
    return f"the mean {what} is {found[worst]:.10g}, the truth {true[worst]:.10g}"


def _warm(state: Any) -> Any:
    """A state with each entry moved, so that baselines that start at zero are at work."""
    if isinstance(state, Mapping):
        return {key: _warm(value) for key, value in state.items()}
    return np.asarray(state) + 0.3


def _cases() -> Iterator[_Case]:
    """The built-in graphs: no symmetric point, no cost that is quadratic alone."""
    g, (theta,) = _graph("units", theta=[0.4, -0.7])
    b = g.sample("b", Bernoulli(logits=theta))
    g.cost("loss", np.exp(1.1 * b[0] - 0.6 * b[1]) + (b[0] * b[1] + 0.3) ** 3)
    yield _Case(g, g.init(seed=0))

    g, (theta, phi, k) = _graph("chain", theta=0.3, phi=[0.5, -0.9], k=0.8)
    a = g.sample("a", Bernoulli(logits=theta))
    b = g.sample("b", Bernoulli(logits=phi[0] + phi[1] * a * theta))
    g.cost("near", np.exp(k * a) - 0.2 * a)
    g.cost("far", np.tanh(k * (a - 1.4 * b) + 0.3) + 0.25 * a * b * theta)
    yield _Case(g, g.init(seed=0))

    batch = Plate("batch")
    g, (theta, phi) = _graph("plate", theta=-0.4, phi=0.7)
    x = g.data("x", plates=batch)
    a = g.sample("a", Bernoulli(logits=theta))
    b = g.sample("b", Bernoulli(logits=phi * x + a))
    g.cost("loss", (b - 0.3 + 0.5 * a) ** 3 * np.exp(0.2 * phi * x) + 0.4 * a * b * x)
    yield _Case(g, g.init(seed=0), {"x": np.array([0.5, -1.2])})

    g, (theta, phi) = _graph("one-hot", theta=[0.3, -0.5, 0.1], phi=[0.6, -0.4, 0.2])
    a = g.sample("a", OneHotCategorical(logits=theta))
    b = g.sample("b", Bernoulli(logits=a @ phi))
    g.cost("loss", np.exp(0.5 * (a @ phi) * b) + (a[0] - 0.7 * a[1] * b) ** 3)
    yield _Case(g, g.init(seed=0))

    g, (theta, phi) = _graph("categories", theta=[0.3, -0.5, 0.1], phi=[0.6, -0.4, 0.2])
    a = g.sample("a", Categorical(logits=theta))
    g.cost("loss", np.exp(phi[a]) + (one_hot(a, 3) @ np.array([0.2, 1.0, -0.5])) ** 3)
    yield _Case(g, g.init(seed=0))

    params = {"mu": 0.3, "tau": -0.4, "k": 0.5}
    g, (mu, tau, k) = _graph("normals", **params)
    x = g.sample("x", Normal(mu, np.exp(tau)))
    g.cost("loss", np.exp(k * x) + x**3)
    truth, (mu, tau, k) = _graph("truth of normals", **params)
    square = np.exp(2.0 * tau)
    truth.cost("loss", np.exp(k * mu + 0.5 * k**2 * square) + mu**3 + 3.0 * mu * square)
    yield _Case(g, g.init(seed=0), truth=truth)


def _graph(name: str, **params: Any) -> tuple[CoreGraph, Sequence[Expr]]:
    graph = CoreGraph(name)
    return graph, [graph.parameter(key, value) for key, value in params.items()]
