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


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("filler", [np.nan, np.inf, -7])
def test_any_number_may_fill_padded_steps(filler, backend):
    """The filler meets parameters in a product and in a row number."""
    g, t = scg.Graph("filled"), scg.Time("t")
    x, there = g.data("x", shape=(2,), plates=t), g.data("there", plates=t, kind="int")
    row = g.data("row", plates=t, kind="int")
    w, rows = g.parameter("w", [[0.3], [-0.2]]), g.parameter("rows", [[0.1], [0.5]])

    def cell(h, x, row):
        z = g.sample("z", scg.Bernoulli(logits=x @ w + h + rows[row]))
        g.cost("fit", np.sum(z * x) + np.sum(x**2))
        return np.tanh(z + x @ w)

    g.scan(cell, init=np.zeros(1), xs=(x, row), over=t, mask=there)
    step, params = scg.compile(g, scg.MuProp(), backend=backend), g.init(seed=0)
    data = {"x": np.ones((4, 2)), "row": [1, 0, 1, 0], "there": [1, 1, 0, 0]}
    expected = step(params, seed=0, data=data)
    data["x"][2:] = filler
    data["row"][2:] = [-7, 9] if filler == -7 else [0, 0]
    found = step(params, seed=0, data=data)
    assert found.cost == expected.cost
    for name, grad in expected.grads.items():
        np.testing.assert_array_equal(found.grads[name], grad)


def judge(g, estimator, data=None):
    """Raise unless the mean of the step's gradient is the true one."""
    step, params = scg.compile(g, estimator, backend="numpy"), g.init(seed=0)
    found, truth = scg.moments(step, params, data, variance=False), scg.exact(g, params, data)
    for name, grad in truth.grads.items():
        assert found.mean[name] == pytest.approx(grad, abs=1e-9)
    return step


def test_steps_of_one_weighted_sample_have_weights_of_their_own():
    g, t = scg.Graph("single"), scg.Time("t", length=2)
    a = g.parameter("a", 0.3)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=a + 0.5 * h))
        return 1.3 * z, z * (1 + h)

    _, out = g.scan(cell, init=0.2, over=t)
    g.cost("c", scg.plate_sum(out, t) ** 2)
    judge(g, scg.SumAndSample(samples=1))


@pytest.mark.parametrize(("length", "lag"), [(1, 1), (6, 4)])
def test_a_node_may_influence_only_costs_of_much_later_steps(length, lag):
    g, t = scg.Graph("delay"), scg.Time("t", length=length)
    a = g.parameter("a", 0.3)

    def cell(line):
        z = g.sample("z", scg.Bernoulli(logits=a))
        y = g.sample("y", scg.Bernoulli(logits=1.5 * a))
        g.cost("c", (line[-1] - 0.3) ** 2 * (1 + z))
        return (y, *line[:-1])

    g.scan(cell, init=(0.5,) * lag, over=t)
    step = judge(g, scg.ScoreFunction())
    made = step.unrolled({t: length}).plan.estimators
    assert all(isinstance(own, scg.ScoreFunction) for own in made.values())


def test_memory_of_a_node_that_influences_costs_of_much_later_steps():
    g, t = scg.Graph("delay"), scg.Time("t")
    x, a = g.data("x", plates=t), g.parameter("a", 0.3)

    def cell(line, x):
        y = g.sample("y", scg.Bernoulli(logits=a * x))
        g.cost("c", (line[-1] - 0.3) ** 2 * x)
        return (y, *line[:-1])

    g.scan(cell, init=(0.5,) * 5, xs=x, over=t)
    step = scg.compile(g, scg.ScoreFunction(scg.baselines.MovingAverage(0.9)), backend="numpy")
    state = step.init(seed=0)
    for length in (1, 7, 2):
        out = step({"a": 0.3}, seed=0, data={"x": np.ones(length)}, state=state)
        assert out.state.keys() == state.keys() == {"y"}
        assert bool(out.state["y"]["weight"] > state["y"]["weight"]) is (length > 5)
        state = out.state


def test_costs_of_a_carry_get_the_plates_of_the_mask():
    g, t, batch = scg.Graph("ragged"), scg.Time("t"), scg.Plate("batch")
    there = g.data("there", plates=(t, batch), kind="int")
    a = g.parameter("a", 0.3)

    def cell(h):
        g.cost("c", np.exp(a * h))
        return 0.5 * h + g.sample("z", scg.Bernoulli(logits=a + h))

    last, _ = g.scan(cell, init=0.1, over=t, mask=there)
    g.cost("end", last**2)  # the plate of time says how it is reduced
    judge(g, scg.ScoreFunction(), {"there": [[1, 0], [0, 0]]})


def test_costs_of_all_steps_do_not_credit_a_sample_that_comes_too_late():
    g, t = scg.Graph("late"), scg.Time("t")
    x, a = g.data("x", plates=t), g.parameter("a", 0.3)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=a + h * x))
        return 0.5 * h + z, h

    _, before = g.scan(cell, init=0.2, xs=x, over=t)
    g.cost("c", scg.plate_mean(before, t) ** 2)
    data, params = {"x": [0.4, -0.3, 1.1]}, g.init(seed=0)
    step = judge(g, scg.ScoreFunction(), data)
    other = scg.compile(g.unroll(t=3), scg.ScoreFunction(), backend="numpy")
    noise = other.noise(seed=0, runs=5, data=data)
    one, other = (s(params, noise=noise, data=data).grads["a"] for s in (step, other))
    assert one == pytest.approx(other, abs=1e-12)


@pytest.mark.parametrize("estimator", [scg.ScoreFunction(), scg.MuProp()])
@pytest.mark.parametrize("read", ["both", "one", "last"])
def test_samples_of_carries_that_no_cost_reads_need_no_estimator(read, estimator):
    g, t = scg.Graph("unread"), scg.Time("t", length=2)
    a = g.parameter("a", 0.3)
    start = g.sample("start", scg.Bernoulli(logits=a))

    def cell(h):
        y = g.sample("y", scg.Bernoulli(logits=a + h[1]))
        z = g.sample("z", scg.Bernoulli(logits=a * 0.7 if read == "last" else a + h[1]))
        if read != "last":
            g.cost("c", (z - h[0] if read == "both" else z) ** 3 * a)
        return y, z

    last, _ = g.scan(cell, init=(start, 0.2), over=t)
    if read == "last":  # the cell makes the carry, but does not read it
        g.cost("end", np.exp(a * last[1]))
    judge(scg.Graph.from_json(g.to_json()), estimator)
