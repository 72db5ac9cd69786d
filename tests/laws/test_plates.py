"""Law 2: plates, their own and an estimator's, with every estimator exactly unbiased."""

import math

import numpy as np
import pytest

import scg

from . import oracle_moments
from .choices import DISCRETE, assert_close, assert_unbiased, compiled, moments, quiet_exact
from .graphs import MIXING, PLATES, POOLED, ROWS
from .graphs_plates import batch_statistic, global_parent, layers_on_plate

EVERY = [*PLATES, *MIXING, *POOLED]
#: Where two draws of every node have 256 joint values at most.
SMALL = [row for row in EVERY if math.prod(len(c.atoms) for c in row.model.conditionals) <= 16]


@pytest.mark.parametrize("row", EVERY, ids=str)
def test_exact_equals_the_oracle(row):
    truth = quiet_exact(row)
    assert float(truth.cost) == pytest.approx(row.cost, abs=DISCRETE)
    assert_close(truth.grads, row.grads, DISCRETE, "grads")


@pytest.mark.parametrize("row", ["log_mean_exp", "batch_statistic", "nested_plates"])
def test_enumeration_across_a_mixing_op_is_refused(row):
    """One element's support cannot stand for all of them."""
    with pytest.raises(scg.EstimatorError, match=r"'b'.* Enumeration, but .*mixes"):
        compiled(ROWS[row], "enumeration")


@pytest.mark.parametrize("row", EVERY, ids=str)
def test_score_function_variance(row):
    """An element is credited with the costs that it influences on its own plates, no others."""
    m = moments(scg.compile(row.build(), estimator=scg.ScoreFunction()), row)
    mean, variance = oracle_moments.score_moments(row.model, row.params)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


@pytest.mark.parametrize("row", SMALL, ids=str)
def test_leave_one_out_variance(row):
    m = moments(scg.compile(row.build(), estimator=scg.LeaveOneOut(samples=2)), row)
    mean, variance = oracle_moments.leave_one_out_moments(row.model, row.params)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


@pytest.mark.parametrize("first", ["score", "loo2", "muprop", "enumeration", "score+network"])
@pytest.mark.parametrize("second", ["score", "loo2", "muprop-rollout", "enumeration"])
@pytest.mark.parametrize("row", ["global_parent", "subsampled_plate"])
def test_global_and_plate_node_with_different_estimators(row, first, second):
    row = ROWS[row]
    assert_unbiased(row, compiled(row, {"a": first, "b": second}))


def test_joint_and_nested_sample_plates_over_two_layers():
    row = ROWS["layers_on_plate"]
    joint = scg.LeaveOneOut(samples=2)
    assert_unbiased(row, scg.compile(row.build(), estimator={"a": joint, "b": joint}))
    nested = {"a": scg.LeaveOneOut(samples=2), "b": scg.LeaveOneOut(samples=2)}
    assert_unbiased(row, scg.compile(row.build(), estimator=nested))


def test_nested_samples_differ_from_joint_ones():
    """Two nested draws of b for each of two draws of a are four paths, joint ones two."""
    row = layers_on_plate(x=(0.9,), name="one_element")
    joint = moments(scg.compile(row.build(), estimator=scg.LeaveOneOut(samples=2)), row)
    nested = {"a": scg.LeaveOneOut(samples=2), "b": scg.LeaveOneOut(samples=2)}
    split = moments(scg.compile(row.build(), estimator=nested), row)
    assert_close(split.mean, row.grads, DISCRETE, "mean")
    assert np.all(split.variance["u"] < joint.variance["u"] - 1e-4)


def test_more_than_1024_paths_are_refused():
    graph = ROWS["shared_parents"].build()
    nested = {name: scg.LeaveOneOut(samples=11) for name in ("a1", "a2", "b", "c")}
    with pytest.raises(scg.EstimatorError, match="joint"):
        scg.compile(graph, estimator=nested)


@pytest.mark.parametrize("make", [global_parent, batch_statistic])
@pytest.mark.parametrize("name", ["score", "loo2", "muprop", "automatic"])
def test_batch_size_changes_between_calls_of_one_step(make, name):
    sizes = [(0.7,), (0.8, -1.3), (0.4, -0.6, 1.1)]
    rows = [make(x, f"size_{len(x)}") for x in sizes]
    step = compiled(rows[0], name)
    before = step.program, str(step.program)
    for row in [*rows, rows[0]]:
        assert_unbiased(row, step)
        step(row.params, seed=1, data=row.data)
    assert before == (step.program, str(step.program)), "a new batch size recompiled the step"
    assert before[0] is step.program


def test_data_by_keyword_is_the_same_call():
    row = ROWS["global_parent"]
    step = scg.compile(row.build(), estimator=scg.ScoreFunction())
    by_dict = step(row.params, seed=5, data=row.data)
    by_word = step(row.params, seed=5, x=row.data["x"])
    assert_close(by_dict.grads, dict(by_word.grads), 0.0, "grads")


def test_costs_on_different_plates_must_say_how_they_reduce():
    g = scg.Graph("unsaid")
    rows, columns = scg.Plate("rows"), scg.Plate("columns")
    x, y = g.data("x", plates=rows), g.data("y", plates=columns)
    theta = g.parameter("theta", 0.3)
    with pytest.raises(scg.ScgError, match="reduce"):
        g.cost("row", theta * x)
        g.cost("column", theta**2 * y)
        scg.compile(g)


def test_two_plates_of_one_name_are_refused():
    g = scg.Graph("twins")
    g.data("x", plates=scg.Plate("batch"))
    with pytest.raises(scg.DeclarationError, match="batch"):
        g.data("y", plates=scg.Plate("batch"))


def test_data_that_disagree_on_a_plate_are_refused():
    row = ROWS["costs_on_two_plates"]
    nested = ROWS["nested_plates"]
    step = scg.compile(nested.build(), estimator=scg.ScoreFunction())
    wrong = {"x": np.zeros((2, 2)), "y": np.zeros(3)}
    with pytest.raises(scg.CallError, match="batch"):
        step(nested.params, seed=0, data=wrong)
    step = scg.compile(row.build(), estimator=scg.ScoreFunction())
    with pytest.raises(scg.CallError, match="'y'"):
        step(row.params, seed=0, data={"x": row.data["x"]})
