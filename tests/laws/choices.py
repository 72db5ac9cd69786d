"""What the laws are checked for: every estimator of the registry, and options that matter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import scg
from scg.estimators import ESTIMATORS
from scg.estimators.baselines import (
    Constant,
    MovingAverage,
    Network,
    OptimalConstant,
    OptimalInput,
    PerUnit,
    SelfCritical,
)

from .rows import Row

DISCRETE = 1e-10  # cells and atoms are exact
SMOOTH = 1e-6  # leaves that are integrated by quadrature


def vimco(index: int, **options: Any) -> Callable[[scg.Graph], Any]:
    """VIMCO at the nodes that live on one of the graph's plates; at all, where there is none."""

    def make(graph: scg.Graph) -> Any:
        nodes = graph.stochastic.values()
        plates = list(dict.fromkeys(plate for node in nodes for plate in node.plates))
        if not plates:
            return scg.VIMCO(scg.Plate("particles", length=2), **options)
        estimator = scg.VIMCO(plates[index], **options)
        return {node.name: estimator for node in nodes if plates[index] in node.plates}

    return make


#: By the name that tests use: a class with its options, or what makes the estimators of a graph.
TABLE: dict[str, tuple[Any, dict[str, Any]] | Callable[[scg.Graph], Any]] = {
    "score": (scg.ScoreFunction, {}),
    "score+constant": (scg.ScoreFunction, {"baseline": Constant(2.0)}),
    "score+moving": (scg.ScoreFunction, {"baseline": MovingAverage(0.9)}),
    "score+selfcritical": (scg.ScoreFunction, {"baseline": SelfCritical()}),
    "score+network": (scg.ScoreFunction, {"baseline": Network(hidden=(4,))}),
    "score+optimal": (scg.ScoreFunction, {"baseline": OptimalInput()}),
    "score+optimal-constant": (scg.ScoreFunction, {"baseline": OptimalConstant()}),
    "score+unit": (scg.ScoreFunction, {"baseline": PerUnit()}),
    "score-normalized": (scg.ScoreFunction, {"variance_normalization": True}),
    "loo2": (scg.LeaveOneOut, {"samples": 2}),
    "loo3": (scg.LeaveOneOut, {"samples": 3}),
    "muprop": (scg.MuProp, {}),
    "muprop-rollout": (scg.MuProp, {"mean_field": "rollout"}),
    "muprop-half": (scg.MuProp, {"scale": 0.5}),
    "muprop+constant": (scg.MuProp, {"baseline": Constant(2.0)}),
    "muprop-rollout+moving": (
        scg.MuProp,
        {"mean_field": "rollout", "baseline": MovingAverage(0.9)},
    ),
    "path": (scg.Reparameterization, {}),
    "enumeration": (scg.Enumeration, {}),
    "disarm": (scg.DisARM, {}),
    "arm": (scg.ARM, {}),
    "arms2": (scg.ARMS, {"samples": 2}),
    "arms3": (scg.ARMS, {"samples": 3}),
    "arms4": (scg.ARMS, {}),
    "arms3-gaussian": (scg.ARMS, {"samples": 3, "copula": "gaussian"}),
    "arms3-independent": (scg.ARMS, {"samples": 3, "copula": "independent"}),
    "carms2": (scg.CARMS, {"samples": 2}),
    "carms3": (scg.CARMS, {"samples": 3}),
    "carms4": (scg.CARMS, {}),
    "carms3-gaussian": (scg.CARMS, {"samples": 3, "copula": "gaussian"}),
    "carms3-independent": (scg.CARMS, {"samples": 3, "copula": "independent"}),
    "carms3-gumbel": (scg.CARMS, {"samples": 3, "sampling": "gumbel"}),
    "disarm-stick": (scg.CategoricalDisARM, {}),
    "disarm-tree": (scg.CategoricalDisARM, {"construction": "tree"}),
    "set2": (scg.UnorderedSet, {"samples": 2}),
    "set3": (scg.UnorderedSet, {"samples": 3}),
    "set2-plain": (scg.UnorderedSet, {"samples": 2, "baseline": False}),
    "sum+sample1": (scg.SumAndSample, {"samples": 1}),
    "sum+sample2": (scg.SumAndSample, {"samples": 2}),
    "sum+sample2+constant": (scg.SumAndSample, {"samples": 2, "baseline": Constant(2.0)}),
    "stratified2": (scg.Stratified, {"samples": 2}),
    "stratified3": (scg.Stratified, {"samples": 3}),
    "stratified2+moving": (scg.Stratified, {"samples": 2, "baseline": MovingAverage(0.9)}),
    "ram": (scg.RAM, {}),
    "measure": (scg.MeasureValued, {}),
    "local": (scg.LocalExpectation, {}),
    "ugc-wide": (scg.UGC, {"threshold": 0.45}),
    "ugc": (scg.UGC, {}),
    "double2": (scg.DoubleCV, {"samples": 2}),
    "double3": (scg.DoubleCV, {"samples": 3}),
    "double2-fixed": (scg.DoubleCV, {"samples": 2, "scale": -1.0}),
    "rodeo2": (scg.RODEO, {"samples": 2, "hidden": 3}),
    "rodeo3": (scg.RODEO, {"samples": 3, "hidden": 3}),
    "rebar": (scg.REBAR, {}),
    "rebar-independent": (scg.REBAR, {"coupled": False}),
    "rebar-fixed": (scg.REBAR, {"learn": False}),
    "relax": (scg.RELAX, {"hidden": (3,)}),
    "relax-coupled": (scg.RELAX, {"hidden": (3,), "coupled": True}),
    "relax-network": (scg.RELAX, {"temperature": None, "hidden": (3,), "coupled": True}),
    "lax": (scg.LAX, {"hidden": (3,)}),
    "vimco": vimco(-1),
    "vimco-arithmetic": vimco(-1, impute="arithmetic"),
    "vimco-outer": vimco(0),
    "through": (scg.StraightThrough, {}),
    "through-logits": (scg.StraightThrough, {"through": "logits"}),
    "gumbel-hard": (scg.GumbelSoftmax, {"hard": True}),
    "gumbel-learned": (scg.GumbelSoftmax, {"learn": True}),
    "rao-gumbel": (scg.RaoGumbel, {"resamples": 3}),
    "spsa": (scg.SPSA, {"step": 0.5}),
    "gapped-mean": (scg.GappedStraightThrough, {"gap": None}),
    "automatic": lambda graph: None,
}


def of(cls: type[scg.Estimator], options: Mapping[str, Any]) -> Callable[[scg.Graph], Any]:
    """Make a new estimator at each call, one that may be biased where it is."""

    def make(graph: scg.Graph) -> scg.Estimator:
        estimator = cls(**options)
        return estimator if estimator.unbiased else cls(**options, allow_biased=True)

    return make


_SAID = {entry[0] for entry in TABLE.values() if isinstance(entry, tuple)} | {scg.VIMCO}
#: What makes the estimators of a graph, by name: all of the table, and who is not in it by default.
CHOICES: dict[str, Callable[[scg.Graph], Any]] = {
    name: entry if callable(entry) else of(*entry)
    for name, entry in {
        **TABLE,
        **{cls.__name__: (cls, {}) for cls in ESTIMATORS if cls not in _SAID},
    }.items()
}


def compiled(row: Row, choice: str | Mapping[str, str], **options: Any) -> Any:
    """Compile a row with an estimator for all nodes, or with one instance for each node."""
    graph = row.build()
    if isinstance(choice, str):
        return scg.compile(graph, CHOICES[choice](graph), **options)
    return scg.compile(graph, {n: CHOICES[name](graph) for n, name in choice.items()}, **options)


def warm(state: Any) -> Any:
    """Move every entry of a state, so that a baseline of zero does not hide what it does."""
    if isinstance(state, Mapping):
        return {key: warm(value) for key, value in state.items()}
    return np.asarray(state) + 0.3


def moments(step: Any, row: Row, data: dict | None = None, **options: Any) -> Any:
    """Exact moments of a step on a row, from a state in which every baseline is at work."""
    data = row.data if data is None else data
    return scg.moments(step, row.params, data=data, state=warm(step.init(seed=0)), **options)


def assert_close(actual: Mapping, expected: Mapping, tolerance: float, what: str) -> None:
    """Compare dictionaries of arrays, relative to the largest entry, and name the worst."""
    assert set(actual) == set(expected), f"{what}: parameters {set(actual)} != {set(expected)}"
    for name, truth in expected.items():
        value = np.asarray(actual[name])
        assert value.shape == truth.shape, f"{what}[{name}]: {value.shape} != {truth.shape}"
        scale = max(1.0, float(np.max(np.abs(truth), initial=0.0)))
        error = float(np.max(np.abs(value - truth), initial=0.0))
        assert error <= tolerance * scale, (
            f"{what}[{name}] is off by {error:.3g}:\n{value}\nexpected\n{truth}"
        )


def assert_mean(m: Any, row: Row, tolerance: float) -> None:
    """The law: the mean of the estimate is the true gradient, the mean cost the true cost."""
    scale = max(1.0, abs(row.cost))
    assert abs(float(m.cost) - row.cost) <= tolerance * scale, f"cost {m.cost}, truth {row.cost}"
    assert_close(m.mean, row.grads, tolerance, "mean")


def assert_unbiased(row: Row, step: Any, tolerance: float = DISCRETE) -> Any:
    """Compute the moments of a step and hold them to the law."""
    m = moments(step, row)
    assert_mean(m, row, tolerance)
    return m


def quiet_exact(row: Row) -> Any:
    """``scg.exact`` on a row, without the warning about stops."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scg.StopWarning)
        return scg.exact(row.build(), row.params, data=row.data)
