"""Law 10: bias is detected where it is claimed, and only there."""

import contextlib
import warnings

import numpy as np
import pytest

import scg

from .choices import CHOICES, DISCRETE, assert_close, compiled, moments
from .graphs import ROWS
from .oracle import sigmoid

DETECTED = 1e-3


ROW = ROWS["two_units"]


def slope(b):
    """The derivative of the cost in the two units."""
    bell, square = np.exp(1.1 * b[0] - 0.6 * b[1]), 3 * (b[0] * b[1] + 0.3) ** 2
    return np.array([1.1 * bell + square * b[1], -0.6 * bell + square * b[0]])


def test_straight_through_is_biased_by_exactly_what_its_formula_says():
    step = scg.compile(ROW.build(), estimator=scg.StraightThrough(allow_biased=True))
    m = moments(step, ROW)
    assert float(m.cost) == pytest.approx(ROW.cost, abs=DISCRETE)
    p = sigmoid(ROW.params["theta"])
    expected = sum(
        np.prod(np.where(np.array(b) == 1, p, 1 - p)) * slope(b) * p * (1 - p)
        for b in np.ndindex(2, 2)
    )
    assert_close(m.mean, {"theta": expected}, DISCRETE, "mean")
    assert np.all(np.abs(m.mean["theta"] - ROW.grads["theta"]) > DETECTED)


def test_variance_normalization_is_biased():
    estimator = scg.ScoreFunction(
        baseline=scg.baselines.Constant(0.5), variance_normalization=True, allow_biased=True
    )
    step = scg.compile(ROW.build(), estimator=estimator)
    state = {"b": {**step.init(seed=0)["b"], "variance": np.array(4.0)}}
    m = scg.moments(step, ROW.params, state=state)
    assert np.all(np.abs(m.mean["theta"] - ROW.grads["theta"]) > DETECTED)
    # σ = 2 halves the signal, and with it the gradient of this node.
    assert_close(m.mean, {"theta": ROW.grads["theta"] / 2}, DISCRETE, "mean")


@pytest.mark.parametrize(
    "make",
    [
        scg.StraightThrough,
        lambda **k: scg.ScoreFunction(variance_normalization=True, **k),
        lambda **k: scg.MuProp(variance_normalization=True, **k),
    ],
)
def test_biased_estimators_warn_once_a_node_unless_allowed(make):
    with pytest.warns(scg.BiasWarning, match="'b'") as record:
        scg.compile(ROW.build(), estimator=make())
    assert sum(issubclass(w.category, scg.BiasWarning) for w in record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", scg.BiasWarning)
        step = scg.compile(ROW.build(), estimator=make(allow_biased=True))
    out = step(ROW.params, seed=0, state=step.init(seed=0))
    assert out.unbiased is False


def test_steps_say_whether_they_are_biased():
    for name in CHOICES:
        with contextlib.suppress(scg.EstimatorError):
            step = compiled(ROW, name)
            out = step(ROW.params, seed=0, state=step.init(seed=0))
            assert out.unbiased is all(e.unbiased for e in step.plan.estimators.values()), name


@pytest.mark.parametrize("row", ["chain_two_costs", "diamond", "global_parent", "mixed"])
def test_the_automatic_plan_is_never_biased(row):
    step = scg.compile(ROWS[row].build())
    assert "StraightThrough" not in str(step.plan)
    assert step.plan.unbiased


def test_check_reports_the_bias():
    biased = scg.compile(ROW.build(), estimator=scg.StraightThrough(allow_biased=True))
    report = str(scg.check(biased, ROW.params, seed=0))
    assert "unbiased" not in report
    assert "bias" in report
    fine = scg.compile(ROW.build(), estimator=scg.MuProp())
    assert "unbiased" in str(scg.check(fine, ROW.params, seed=0))


def test_compare_marks_the_biased_row():
    table = scg.compare(
        ROW.build(),
        {
            "score": scg.ScoreFunction(),
            "through": scg.StraightThrough(allow_biased=True),
        },
        ROW.params,
        runs=20_000,
        seed=0,
    )
    rows = table.to_dict()["rows"]
    assert rows["score"]["unbiased"] and not rows["through"]["unbiased"]
    assert rows["score"]["z"] < 6 < rows["through"]["z"]
    line = next(text for text in str(table).splitlines() if "through" in text)
    other = next(text for text in str(table).splitlines() if "score" in text)
    assert "BIASED" in line
    assert "BIASED" not in other


def test_straight_through_in_one_node_leaves_the_other_parameters_alone():
    """In a chain the bias of b's estimator reaches only what lies above b."""
    row = ROWS["chain_two_costs"]
    estimators = {"a": scg.ScoreFunction(), "b": scg.StraightThrough(allow_biased=True)}
    m = moments(scg.compile(row.build(), estimator=estimators), row)
    assert np.max(np.abs(m.mean["tb"] - row.grads["tb"])) > DETECTED
    for name in ("ta", "k"):
        error = np.max(np.abs(m.mean[name] - row.grads[name]))
        assert error < DISCRETE, f"{name}: a's score sees the true cost of both draws"
