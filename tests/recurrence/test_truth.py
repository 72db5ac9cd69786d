"""Estimates on recurrent graphs are unbiased, exactly."""

import numpy as np
import pytest

import scg


@pytest.fixture(scope="module")
def graph():
    g, t = scg.Graph("small"), scg.Time("t")
    x, there = g.data("x", plates=t), g.data("there", plates=t, kind="int")
    theta, w = g.parameter("theta", 0.4), g.parameter("w", -0.7)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=theta * h + x))
        y = g.sample("y", scg.Bernoulli(logits=w * z + h))
        g.cost("fit", (z - 0.3 * h) ** 2 + w * y)
        return np.tanh(h + y - theta * z)

    last, _ = g.scan(cell, init=0.8, xs=x, over=t, mask=there)
    g.cost("end", last**2 * w)
    data = {"x": [0.3, -0.6], "there": [1, 1]}
    return g, data, scg.exact(g, g.init(seed=0), data)


SHARED = scg.LeaveOneOut(samples=2)


@pytest.mark.parametrize(
    "estimator",
    [
        scg.ScoreFunction(scg.baselines.MovingAverage(0.9)),
        SHARED,
        {"z": scg.ScoreFunction(), "y": SHARED},
        {"z": scg.MuProp(), "y": scg.Enumeration()},
        scg.MuProp(mean_field="rollout"),
        {"z": scg.DisARM(), "y": scg.Enumeration()},
        scg.RAM(),
        scg.LocalExpectation(),
        scg.MeasureValued(),
        scg.UnorderedSet(samples=2),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::scg.PathsWarning")
def test_the_mean_gradient_is_the_true_one(graph, estimator):
    g, data, truth = graph
    step, params = scg.compile(g, estimator, backend="numpy"), g.init(seed=0)
    found = scg.moments(step, params, data, variance=False)
    for name, grad in truth.grads.items():
        assert found.mean[name] == pytest.approx(grad, abs=1e-9)


@pytest.mark.parametrize("estimator", [scg.ScoreFunction(), SHARED], ids=str)
def test_second_derivatives_are_unbiased(graph, estimator):
    g, data, truth = graph
    step = scg.compile(g, estimator, backend="numpy", order=2)
    assert step.rolled is not None
    found = scg.moments(step, g.init(seed=0), data, variance=False).hessian
    for a in found:
        for b in found[a]:
            assert found[a][b] == pytest.approx(truth.hessian[a][b], abs=1e-9)


def test_padded_steps_change_nothing(graph):
    g, data, truth = graph
    step, params = scg.compile(g, SHARED, backend="numpy"), g.init(seed=0)
    padded = {"x": [*data["x"], 5.0], "there": [1, 1, 0]}
    found = scg.moments(step, params, padded, variance=False)
    for name, grad in truth.grads.items():
        assert found.mean[name] == pytest.approx(grad, abs=1e-9)
