"""The estimators that the laws are checked for, and the steps between a row and its moments."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import scg

from .rows import Row

DISCRETE = 1e-10  # cells and atoms are exact
SMOOTH = 1e-6  # leaves that are integrated by quadrature


@dataclass(frozen=True)
class Choice:
    """A way to make an estimator; `samples` counts draws, `linear` asks for means and slopes.

    `families` names the distributions that it is for (all without it), `separate` says that it
    needs every user plate to survive, `single_below` that it needs single draws below, `smooth`
    that the uniforms of its node and of those below are integrated by rules of many points.
    """

    name: str
    make: Callable[[], Any]
    samples: int = 1
    linear: bool = False
    enumerates: bool = False
    families: tuple[str, ...] = ()
    separate: bool = False
    single_below: bool = False
    smooth: bool = False

    @property
    def orders(self) -> float:
        """The highest order of derivative that it claims."""
        estimator = self.make()
        return estimator.orders if estimator else float("inf")

    def __str__(self) -> str:
        return self.name


CLASSES = ("Categorical", "OneHotCategorical")
DISCRETE_FAMILIES = ("Bernoulli", *CLASSES)
CHOICES = {
    choice.name: choice
    for choice in (
        Choice("score", scg.ScoreFunction),
        Choice("score+constant", lambda: scg.ScoreFunction(baseline=scg.baselines.Constant(2.0))),
        Choice(
            "score+moving", lambda: scg.ScoreFunction(baseline=scg.baselines.MovingAverage(0.9))
        ),
        Choice(
            "score+selfcritical", lambda: scg.ScoreFunction(baseline=scg.baselines.SelfCritical())
        ),
        Choice(
            "score+network",
            lambda: scg.ScoreFunction(baseline=scg.baselines.Network(hidden=(4,))),
        ),
        Choice("loo2", lambda: scg.LeaveOneOut(samples=2), samples=2),
        Choice("loo3", lambda: scg.LeaveOneOut(samples=3), samples=3),
        Choice("muprop", scg.MuProp, linear=True),
        Choice("muprop-rollout", lambda: scg.MuProp(mean_field="rollout"), linear=True),
        Choice("muprop-half", lambda: scg.MuProp(scale=0.5), linear=True),
        Choice(
            "muprop+constant",
            lambda: scg.MuProp(baseline=scg.baselines.Constant(2.0)),
            linear=True,
        ),
        Choice(
            "muprop-rollout+moving",
            lambda: scg.MuProp("rollout", baseline=scg.baselines.MovingAverage(0.9)),
            linear=True,
        ),
        Choice("enumeration", scg.Enumeration, enumerates=True),
        Choice("disarm", scg.DisARM, samples=2, families=("Bernoulli",)),
        # Three coupled draws fall in more boxes than three independent ones in cells.
        Choice("arms3", lambda: scg.ARMS(samples=3), samples=5, families=("Bernoulli",)),
        Choice("carms3", lambda: scg.CARMS(samples=3), samples=5, families=CLASSES),
        Choice("carms2", lambda: scg.CARMS(samples=2), samples=2, families=CLASSES),
        Choice("disarm-stick", scg.CategoricalDisARM, samples=2, families=CLASSES),
        Choice("disarm-tree", lambda: scg.CategoricalDisARM("tree"), samples=2, families=CLASSES),
        Choice("set2", lambda: scg.UnorderedSet(samples=2), samples=2, separate=True),
        Choice("sum+sample2", lambda: scg.SumAndSample(samples=2), samples=2, separate=True),
        Choice("stratified2", lambda: scg.Stratified(samples=2), samples=2, separate=True),
        Choice("ram", scg.RAM, samples=2, families=DISCRETE_FAMILIES, separate=True),
        Choice("measure", scg.MeasureValued, samples=2, families=DISCRETE_FAMILIES, separate=True),
        Choice(
            "local",
            scg.LocalExpectation,
            families=DISCRETE_FAMILIES,
            separate=True,
            single_below=True,
        ),
        Choice(
            "score+optimal",
            lambda: scg.ScoreFunction(baseline=scg.baselines.OptimalInput()),
            families=DISCRETE_FAMILIES,
            separate=True,
        ),
        Choice(
            "score+unit",
            lambda: scg.ScoreFunction(baseline=scg.baselines.PerUnit()),
            families=DISCRETE_FAMILIES,
        ),
        Choice("double2", lambda: scg.DoubleCV(samples=2), samples=2, linear=True),
        Choice(
            "rodeo2",
            lambda: scg.RODEO(samples=2, hidden=3),
            samples=2,
            linear=True,
            families=("Bernoulli",),
        ),
        Choice("rebar", scg.REBAR, samples=6, families=("Bernoulli",), linear=True, smooth=True),
        Choice("arm", scg.ARM, samples=6, families=("Bernoulli",), smooth=True),
        Choice(
            "relax",
            lambda: scg.RELAX(hidden=(3,)),
            samples=12,
            families=("Bernoulli",),
            linear=True,
            smooth=True,
        ),
        Choice("automatic", lambda: None, samples=4, enumerates=True),
    )
}
#: One for each way of giving credit, where the full list would only cost time.
REPRESENTATIVE = ("score", "score+moving", "loo2", "muprop", "muprop-rollout", "enumeration")
MAX_BITS = 12  # the base-2 logarithm of the outcomes that one test may sum over


def bits(row: Row, choice: Choice) -> float:
    """The outcomes of a row under one estimator for all nodes, as a base-2 logarithm."""
    return 0 if choice.enumerates and row.separable else row.bits * choice.samples


def applies(row: Row, choice: Choice) -> bool:
    """Whether every requirement of a choice holds on a row."""
    if choice.families and not row.families <= set(choice.families):
        return False
    return (row.linear or not choice.linear) and (row.separable or not choice.separate)


def fits(row: Row, choice: Choice) -> bool:
    """Whether a choice applies to a row and is cheap enough to integrate exactly."""
    return applies(row, choice) and bits(row, choice) <= MAX_BITS


def pairs(rows: Iterable[Row], names: Iterable[str] = CHOICES) -> list[Any]:
    """Every row with every choice that fits it, as pytest parameters."""
    names = tuple(names)
    return [
        pytest.param(row, CHOICES[name], id=f"{row}-{name}")
        for row in rows
        for name in names
        if fits(row, CHOICES[name])
    ]


def warm(state: Any) -> Any:
    """Move every entry of a state, so that a baseline of zero does not hide what it does."""
    if isinstance(state, Mapping):
        return {key: warm(value) for key, value in state.items()}
    return np.asarray(state) + 0.3


def moments(step: Any, row: Row, data: dict | None = None) -> Any:
    """Exact moments of a step on a row, from a state in which every baseline is at work."""
    return scg.moments(
        step, row.params, data=row.data if data is None else data, state=warm(step.init(seed=0))
    )


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


def assert_unbiased(row: Row, step: Any, tolerance: float = DISCRETE) -> Any:
    """The law: the mean of the estimate is the true gradient, the mean cost the true cost."""
    m = moments(step, row)
    scale = max(1.0, abs(row.cost))
    assert abs(float(m.cost) - row.cost) <= tolerance * scale, f"cost {m.cost}, truth {row.cost}"
    assert_close(m.mean, row.grads, tolerance, "mean")
    return m


def quiet_exact(row: Row) -> Any:
    """``scg.exact`` on a row, without the warning about stops."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scg.StopWarning)
        return scg.exact(row.build(), row.params, data=row.data)
