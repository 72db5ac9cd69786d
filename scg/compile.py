"""Compile: the public function, which checks its options and lets the passes run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scg.common.arguments import checked
from scg.engine.backends import chosen_backend
from scg.errors import DeclarationError, did_you_mean
from scg.estimators.protocol import Estimator
from scg.estimators.recorded import Recorded
from scg.estimators.truncation import Truncation
from scg.graph.core import CoreGraph
from scg.ir import collector
from scg.run.step import Step

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

DTYPES = ("float64", "float32")


@checked("scg.compile(g, estimator=scg.MuProp())")
@collector.paused()
def compile(
    graph: CoreGraph,
    estimator: Estimator | Mapping[str, Estimator] | None = None,
    *,
    backend: str | None = None,
    dtype: DTypeLike = "float64",
    order: int = 1,
    data_grads: Sequence[str] = (),
    check_finite: bool = False,
    truncate: Truncation | None = None,
    stream: bool = False,
    checkpoint: bool | int = False,
    given: Sequence[str] | Mapping[str, Recorded] = (),
) -> Step:
    """Compile a graph to a step, which samples and estimates the cost and its gradients.

    For the exact values of a small graph use :func:`scg.exact`; for samples without gradients,
    :meth:`Graph.simulate`.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    estimator : Estimator, mapping or None
        One estimator for all stochastic nodes, or a mapping from node names to estimators. The
        compiler chooses an unbiased one for each node without. Nodes that share an instance are
        sampled jointly.
    backend : {"numba", "numpy"}, optional
        The engine: kernels compiled by numba, or the NumPy interpreter. The default is the
        environment variable ``SCG_BACKEND``, and numba without it.
    dtype : {"float64", "float32"} or NumPy's types of these names
        The type of all floats.
    order : {1, 2}
        With 2 the step also returns Hessian estimates.
    data_grads : sequence of str
        Names of data in which the step returns derivatives, too: ``out.data_grads["x"]``, of the
        shape of the data. Use them where a larger program computes the data.
    check_finite : bool
        Check each call: arguments of distributions must satisfy their constraints, observations
        must lie in the support, and costs and their derivatives must be finite; an error names
        the node.
        The checked values are computed twice. Without it, arguments of
        distributions are checked in each call if they are parameters, data, or computed from
        parameters alone; others, in a call whose cost is NaN.
    truncate : Truncation, optional
        How credit passes from step to step of scans: cut at random by :class:`ARTBP`, or in
        windows by :class:`Truncated`, which is biased; forward in time, by :class:`RTRL` and
        :class:`UORO`; or by perturbed parameters, :class:`PES`. Without it credit goes back to the
        first step.
    stream : bool
        Make a step for windows of a sequence without end: ``out.carry`` holds the state after a
        window, and ``step(..., carry=out.carry)`` continues there; without `carry` a window begins
        a sequence. Needs `truncate`, because backpropagation ends where a window begins. The
        windows of :class:`ARTBP` are its segments, see :meth:`ARTBP.segment`. See also
        ``scg.fit(..., stream=True)``.
    checkpoint : bool or int
        Run scans in windows of so many steps; with True, of √T of T steps. The step keeps the
        carries between windows, and computes each window again when credit passes it, so that its
        working memory is of order √T in place of T. Use it for long sequences; for one without end
        see `stream`. (The ``checkpoint`` of ``scg.fit`` is the file of a run.) The estimates are
        those of the step that runs scans as loops, up to rounding. The estimators must run as
        loops, and ops of your own be pure.
    given : sequence of str, or mapping from str to Recorded
        Nodes whose values a call brings as data, by their names, as where actions were taken in a
        live environment. A recorded value of a stochastic node is scored, not sampled, and
        :class:`Recorded` says how values of another distribution are weighted. A recorded
        deterministic node keeps its paths, so that recorded rewards are credited to the actions
        from which the graph computes them.

    Returns
    -------
    Step
        Call it as ``step(params, seed=1)``; for many calls bind it with ``step.bind``.

    Raises
    ------
    DeclarationError
        If the graph has no cost, or costs on different plates without ``reduce=``; if an option
        or ``SCG_BACKEND`` is unknown.
    EstimatorError
        If an estimator does not fit a node, or it or the truncation does not support the order; if
        `stream` or `checkpoint` does not fit the graph.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> theta = g.parameter("theta", 0.4)
    >>> b = g.sample("b", scg.Bernoulli(logits=theta))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> step = scg.compile(g, estimator=scg.MuProp())
    >>> step(g.init(seed=0), seed=1, runs=10).grads["theta"].shape
    ()
    """
    from scg.compiler.given import make_given  # importing scg is to stay fast
    from scg.passes import Request, compiled

    backend = chosen_backend(backend, "scg.compile")
    _check_options(graph, order, data_grads)
    request = Request(
        backend=backend,
        dtype=_precision(dtype),
        order=order,
        data_grads=tuple(data_grads),
        check_finite=check_finite,
        truncate=truncate,
        stream=stream,
        checkpoint=checkpoint,
        given=make_given(graph, given),
    )
    return compiled(graph, estimator, request)


def _precision(dtype: DTypeLike) -> str:
    try:
        name = None if dtype is None else np.dtype(dtype).name  # np.dtype(None) is float64
    except (TypeError, ValueError):
        name = None
    if name in DTYPES:
        return name
    known = ", ".join(map(repr, DTYPES))
    raise DeclarationError(f"scg.compile: dtype must be one of {known}, got {dtype!r}")


def _check_options(graph: CoreGraph, order: int, data_grads: Sequence[str]) -> None:
    if not graph.costs:
        raise DeclarationError(
            f'graph {graph.name!r} declares no cost; write g.cost("loss", ...) before compiling'
        )
    for name in data_grads:
        node = graph.data_nodes.get(name)
        if node is None:
            near = did_you_mean(name, graph.data_nodes)
            raise DeclarationError(f"scg.compile: data_grads: {name!r} is not a data node{near}")
        if node.kind != "float":
            raise DeclarationError(
                f"scg.compile: data {name!r} holds integers, which have no gradient; leave it out "
                "of data_grads"
            )
    if order not in (1, 2):
        raise DeclarationError(f"scg.compile: order must be 1 or 2, got {order!r}")
