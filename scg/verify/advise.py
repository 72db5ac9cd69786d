"""Advise: estimators ranked node by node by variance × price on a pilot."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from scg.common.arguments import checked, said
from scg.compile import compile
from scg.errors import BiasWarning, CallError, EstimatorError, PathsWarning, StopWarning
from scg.estimators import ESTIMATORS, Estimator
from scg.graph.core import CoreGraph
from scg.ir.walk import topological
from scg.run.step import Step
from scg.verify.advice import Advice, Candidate
from scg.verify.sampling import Sample, by_parameter, seconds

SAMPLES = (2, 4, 8)  #: K of the candidates that take a number of samples.
_ROUNDING = 1e-14  # of the gradient: deviations below are none
_ROUNDS = 2  # over all nodes


@checked("scg.advise(g, params)", options=compile)
def advise(
    graph: CoreGraph,
    params: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
    *,
    candidates: Sequence[Estimator] | None = None,
    allow_biased: bool = False,
    price: str = "work",
    runs: int = 1000,
    seed: int | tuple[int, ...] = 0,
    **options: Any,
) -> Advice:
    """Rank estimators for each node of a graph by variance × price.

    Use it to choose estimators for a model. :func:`scg.compare` measures estimators that you name,
    more precisely; :func:`scg.attribute` says which node is worth the effort.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    params, data : mapping
        As for a call of a step: the point at which variances are taken.
    candidates : sequence of Estimator, optional
        What is tried at each node. By default all estimators that fit, with 2, 4 and 8 samples
        where they take a number of samples, but none that keeps state or parameters of its own,
        which a pilot would have to train.
    allow_biased : bool
        Whether biased estimators are tried; their squared bias counts as variance.
    price : {"work", "evaluations", "time"}
        Count operations, or evaluations of the costs where these call ops of the user's own,
        whose operations cannot be counted; count evaluations of the costs in any case, as papers
        do; or measure the time of a run.
    runs, seed
        Runs of the pilot, and their seed: all candidates get common random numbers.
    **options
        Further options of ``scg.compile``.

    Raises
    ------
    CallError
        If no candidate fits a node, if the graph has no stochastic node or no parameter, or if a
        gradient is NaN.

    Returns
    -------
    Advice
        A mapping from node names to estimators, which ``scg.compile`` takes.

    Notes
    -----
    The search starts from the compiler's own plan and goes through the nodes in order, twice: at
    each node it tries all candidates and keeps the best. Nodes with one candidate share its
    instance, and are sampled jointly if it samples whole paths. A plan of the whole graph is run
    for each node and candidate, so that the time grows with the square of the number of nodes.

    The price can decide. On a layer of n bits with the cost a + ½ Σ Hᵢⱼ bᵢ bⱼ, MuProp's variance is
    about n/2 times that of local expectations, which evaluate the cost 2n + 1 times where MuProp
    takes 2. By evaluations MuProp is thus better by a factor of about 2. By work or time it need
    not be, because replays that change one bit share the first product with the layer.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> advice = scg.advise(g, g.init(seed=0))
    >>> advice["b"], scg.compile(g, advice).plan.unbiased
    (Enumeration(), True)
    """
    if price not in ("work", "evaluations", "time"):
        raise CallError(f'advise: price must be "work", "evaluations" or "time", got {price!r}')
    if candidates is not None and not _estimators(candidates):
        raise CallError(
            "advise: candidates must be a list of estimators such as [scg.DisARM(), scg.RAM()], "
            f"which are tried at each node; got {said(candidates)}"
        )
    for kind, declared in ("stochastic node", graph.stochastic), ("parameter", graph.parameters):
        if not declared:
            raise CallError(f"advise: graph {graph.name!r} has no {kind}")
    if price == "work":
        options = {"backend": "numpy"} | options
    pilot = _Pilot(graph, params, data, price, runs, seed, options)
    pilot.check()
    tried = list(_defaults(allow_biased) if candidates is None else candidates)
    plan = {node.name or "": own for node, own in pilot.reference.step.plan.estimators.items()}
    ranking: dict[str, tuple[Candidate, ...]] = {}
    refused: dict[str, dict[str, str]] = {}
    for _ in range(_ROUNDS if len(plan) > 1 else 1):
        before = dict(plan)
        for node in plan:
            samples, refused[node] = {}, {}
            for estimator in tried:
                try:
                    if not (allow_biased or estimator.unbiased):
                        raise EstimatorError("it is biased; allow_biased=True tries it")
                    trained = candidates is not None
                    samples[estimator] = pilot.sample({**plan, node: estimator}, node, trained)
                except EstimatorError as error:
                    refused[node][repr(estimator)] = str(error)
            if not samples:
                reasons = "; ".join(dict.fromkeys(refused[node].values()))
                raise CallError(f"advise: no candidate fits node {node!r}: {reasons}")
            ranking[node] = pilot.ranked(samples)
            plan[node] = ranking[node][0].estimator
        if plan == before:
            break
    return Advice(ranking, refused, pilot.priced)


class _Pilot:
    """Measures steps with common random numbers."""

    def __init__(
        self,
        graph: CoreGraph,
        params: Any,
        data: Any,
        price: str,
        runs: int,
        seed: Any,
        options: dict[str, Any],
    ):
        self.graph, self.params, self.data = graph, params, data
        self.runs, self.seed, self.options = runs, seed, options
        order = topological(graph.costs.values())
        own = any(expr.op.label for expr in order)
        self.priced = "evaluations" if price == "work" and own else price
        self._known: dict[tuple[Estimator, ...], Sample | EstimatorError] = {}
        self.reference = self._sample(self._compiled(None))  # unbiased

    def check(self) -> None:
        """Raise if a gradient is not a number, in which all estimators are equal."""
        grads = by_parameter(self.graph, self.reference.mean)
        for name in (name for name, grad in grads.items() if np.isnan(grad).any()):
            given = [n for n in grads if np.isnan(np.asarray(self.reference.values[n])).any()]
            what = f"parameter {given[0]!r}" if given else f"the gradient of {name!r}"
            raise CallError(f"advise: {what} is NaN here; give parameters and data of finite costs")

    def sample(self, plan: Mapping[str, Estimator], new: str, trained: bool) -> Sample:
        """The runs of a plan, which are drawn once, or the error that it does not fit.

        The estimator at the node `new` needs no training, unless it is `trained` already.
        """
        key = tuple(plan.values())
        if key not in self._known:
            try:
                step = self._compiled(plan)
                if not trained and new in step.surrogate.memory:
                    raise EstimatorError("it keeps state or parameters that need training")
                self._known[key] = self._sample(step)
            except EstimatorError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, EstimatorError):
            raise found
        return found

    def _compiled(self, estimators: Any) -> Step:
        """A step, without warnings."""
        with warnings.catch_warnings():
            for kind in (BiasWarning, PathsWarning, StopWarning):
                warnings.simplefilter("ignore", kind)
            return compile(self.graph, estimators, **self.options)

    def ranked(self, samples: Mapping[Estimator, Sample]) -> tuple[Candidate, ...]:
        """The candidates, best first.

        Of those without variance the first in their order is the best, unless its price is more
        than twice the lowest one.
        """
        timed = self.priced == "time"
        times = seconds(list(samples.values())) if timed else [math.nan] * len(samples)
        found = []
        for (estimator, sample), time in zip(samples.items(), times, strict=True):
            about = sample.step.explain()
            price = {"work": about.work, "evaluations": about.evaluations, "time": time}
            error = self._error(sample) if math.isfinite(sample.variance) else math.inf
            found.append(Candidate(estimator, error, price[self.priced], about.evaluations))
        least = min((each.price for each in found if not each.error), default=math.inf)
        return tuple(sorted(found, key=lambda each: (each.product, each.price > 2.0 * least)))

    def _sample(self, step: Step) -> Sample:
        bound = step.checked(self.params, self.data, None)
        return Sample(step, bound, self.seed, self.runs)

    def _error(self, sample: Sample) -> float:
        """The variance, 0 within rounding, and the square of the bias that was found."""
        scale = float(np.sum(sample.mean**2))
        error = sample.variance if sample.variance > _ROUNDING**2 * scale else 0.0
        if sample.step.plan.unbiased:
            return error
        other = self.reference
        noise = np.sum(sample.stderr**2) + np.sum(other.stderr**2)
        return error + max(float(np.sum((sample.mean - other.mean) ** 2) - noise), 0.0)


def _estimators(given: Any) -> bool:
    """Whether something is a sequence of estimators, and not empty."""
    whole = isinstance(given, Sequence) and len(given) > 0
    return whole and all(isinstance(each, Estimator) for each in given)


def _defaults(allow_biased: bool) -> Iterator[Estimator]:
    """All estimators whose options have defaults, with several numbers of samples."""
    for cls in ESTIMATORS:
        if cls.suggested:
            sampled = "samples" in inspect.signature(cls).parameters
            choices: list[dict[str, Any]] = [{"samples": k} for k in SAMPLES] if sampled else [{}]
            for options in choices:
                estimator = cls(**options)
                if estimator.unbiased or allow_biased:
                    yield estimator
