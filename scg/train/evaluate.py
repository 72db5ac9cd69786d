"""Evaluate: bounds on the log-likelihood of held-out data, from a model's log-weights.

A model that declares a deterministic node of per-example log-weights, log w = log p(x, h) −
log q(h | x) with h ~ q, can be evaluated with any number of samples: with one the mean of log w is
the evidence lower bound; the mean of log 1/K Σₖ wₖ is the importance-weighted bound of Burda et
al. (2016), which grows to log p(x). Where h is drawn from the model itself (structured
prediction: log w = log p(y | h)) its negative is the usual estimate of the NLL with K samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.run.binding import Binder
from scg.run.simulate import simulate
from scg.seeds.noise import check_seed, extended

if TYPE_CHECKING:
    from scg.train.run import Run

LOG_WEIGHT = "log_weight"


@dataclass(frozen=True)
class Evaluation:
    """Bounds on the log-likelihood per example, in nats.

    Attributes
    ----------
    elbo : float
        The mean log-weight: the evidence lower bound.
    bound : float
        The mean of log 1/K Σₖ wₖ: the importance-weighted bound with K samples.
    elbo_stderr, bound_stderr : float
        Standard errors over the examples.
    samples, examples : int
        K, and the number of examples.
    """

    elbo: float
    bound: float
    elbo_stderr: float
    bound_stderr: float
    samples: int
    examples: int

    @property
    def nll(self) -> float:
        """The negative of `bound`: an upper bound on the negative log-likelihood."""
        return -self.bound


@checked("scg.evaluate(g, params, data, samples=100, seed=0)")
def evaluate(
    graph: CoreGraph,
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    samples: int = 1,
    seed: int | tuple[int, ...],
    node: str = LOG_WEIGHT,
    batch_size: int = 500,
) -> Evaluation:
    """Estimate the evidence lower bound and the importance-weighted bound of held-out data.

    :class:`HeldOut` does so while a run trains.

    Parameters
    ----------
    graph : Graph
        A model with a deterministic node of log-weights: a scalar on one plate, the examples'.
    params, data : mapping
        Parameters, and the held-out data.
    samples : int
        K, the number of samples for each example.
    seed : int or tuple of int
        There is no default.
    node : str
        The name of the log-weights.
    batch_size : int
        Examples that are computed at once. Other sizes give other noise, but the same distribution.

    Raises
    ------
    CallError
        If the graph declares no such node, or the node is not one number per example.
    """
    check_seed(seed)
    if node not in graph.roles:
        raise CallError(
            f"graph {graph.name!r} declares no {node!r}; in the model write "
            f'g.deterministic("{node}", log_p - log_q)'
        )
    weights = graph.named(node)
    if weights.shape != () or len(weights.plates) != 1:
        raise CallError(
            f"node {node!r}: expected one number on one plate, the examples', got shape "
            f"{weights.shape} on {len(weights.plates)} plates"
        )
    (plate,) = weights.plates
    axes = {
        name: leaf.plates.index(plate)
        for name, leaf in graph.data_nodes.items()
        if plate in leaf.plates
    }
    arrays, sizes = Binder(graph, np.float64).arrays({}, data, needed=set())
    if axes.keys().isdisjoint(arrays):
        raise CallError(f"no data on plate {plate.name!r} were given")
    count = sizes[plate]
    if not count:
        raise CallError(f"the data hold no examples on plate {plate.name!r}")
    elbo, bound = [], []
    for start in range(0, count, batch_size):
        examples = range(start, min(start + batch_size, count))
        part = {
            name: np.take(x, examples, axis=axes[name]) if name in axes else x
            for name, x in arrays.items()
        }
        own = extended(seed, start)
        drawn = simulate(graph, params, nodes=[node], seed=own, runs=samples, data=part)[node]
        elbo.append(drawn.mean(axis=0))
        peak = drawn.max(axis=0)
        with np.errstate(divide="ignore"):  # an example of probability 0 under every sample
            peak = np.where(np.isneginf(peak), 0.0, peak)
            bound.append(peak + np.log(np.mean(np.exp(drawn - peak), axis=0)))
    low, high = np.concatenate(elbo), np.concatenate(bound)
    return Evaluation(
        float(low.mean()), float(high.mean()), _stderr(low), _stderr(high), samples, count
    )


class HeldOut:
    """A callback: evaluate held-out data after an epoch.

    Adds ``<name>_elbo`` and ``<name>_bound``.

    Parameters
    ----------
    data : mapping
        The held-out data.
    name : str
        The prefix of the metrics.
    samples, seed : int
        See :func:`evaluate`; the noise is the same each time.
    every : int
        Epochs between two evaluations.
    """

    @checked("HeldOut(data, samples=1, every=1)")
    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        name: str = "test",
        samples: int = 1,
        seed: int | tuple[int, ...] = 0,
        every: int = 1,
    ):
        self.data, self.name = dict(data), name
        self.samples, self.seed, self.every = samples, seed, every

    def __call__(self, run: Run) -> dict[str, float]:
        """Measure, if it is time."""
        if run.epoch % self.every:
            return {}
        found = evaluate(
            run.step.graph, run.params, self.data, samples=self.samples, seed=self.seed
        )
        return {f"{self.name}_elbo": found.elbo, f"{self.name}_bound": found.bound}


def _stderr(values: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):  # bounds may be infinite
        spread = values.std(ddof=1) if len(values) > 1 else np.nan
    return float(spread / np.sqrt(len(values)))
