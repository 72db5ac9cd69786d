"""The training loop: what it feeds, what it repeats, what it reports."""

import json

import numpy as np
import pytest

import scg
from scg.train import Batches, GradientVariance
from tests.train.models import nvil, pixels, sbn


@pytest.fixture(scope="module")
def step():
    return scg.compile(sbn(), estimator=scg.MuProp(), backend="numpy")


def test_fit_is_the_loop_written_by_hand(step):
    data, rate = {"x": pixels(10)}, 0.1
    run = scg.fit(step, data=data, seed=5, optimizer=scg.optim.SGD(rate), epochs=2, batch_size=5)
    params = step.graph.init(5)
    batches = Batches(step.graph, data, 5, (5,))
    costs = []
    for count in range(4):
        out = step(params, seed=(5, count), data=batches[count])
        params = {name: value - rate * out.grads[name] for name, value in params.items()}
        costs.append(out.cost)
    for name, value in params.items():
        np.testing.assert_array_equal(run.params[name], value)
    found = [record["cost"] for record in run.history]
    np.testing.assert_allclose(found, [np.mean(costs[:2]), np.mean(costs[2:])], rtol=1e-14)


def test_training_lowers_the_exact_cost():
    g = scg.Graph("coins")
    theta = g.parameter("theta", np.zeros(3))
    b = g.sample("b", scg.Bernoulli(logits=theta))
    g.cost("loss", np.sum((b - np.array([0.2, 0.6, 0.9])) ** 2))
    step = scg.compile(g, estimator=scg.LeaveOneOut(samples=4))
    run = scg.fit(step, seed=0, optimizer=scg.optim.Adam(0.1), epochs=1, steps_per_epoch=200)
    best = 0.2**2 + 0.4**2 + 0.1**2
    assert scg.exact(g, g.init(0)).cost > best + 0.2
    assert scg.exact(g, run.params).cost < best + 0.05


def test_every_epoch_visits_each_example_once_and_in_a_new_order(step):
    data = {"x": np.arange(12.0)[:, None] + np.zeros((12, 4))}
    batches = Batches(step.graph, data, 4, (3,))
    epochs = [[batches[e * 3 + i]["x"][:, 0] for i in range(3)] for e in range(2)]
    first, second = (np.concatenate(epoch) for epoch in epochs)
    np.testing.assert_array_equal(np.sort(first), np.arange(12))
    np.testing.assert_array_equal(np.sort(second), np.arange(12))
    assert list(first) != list(second) != list(range(12))
    np.testing.assert_array_equal(batches[0]["x"][:, 0], first[:4])  # going back is possible


def test_what_is_left_over_is_left_out(step):
    batches = Batches(step.graph, {"x": pixels(11)}, 4, (0,))
    assert batches.per_epoch == 2
    assert all(len(batches[i]["x"]) == 4 for i in range(6))


def test_data_off_the_batch_plate_are_passed_whole():
    g = scg.Graph("two")
    x = g.data("x", shape=(2,), plates=scg.Plate("batch"))
    w = g.data("w", shape=(2,))
    g.cost("loss", np.sum(x * w * g.parameter("theta", 1.0)))
    batches = Batches(g, {"x": np.ones((6, 2)), "w": np.ones(2)}, 3, (0,))
    assert batches[0]["x"].shape == (3, 2)
    assert batches[0]["w"].shape == (2,)


def test_the_transform_sees_the_batch_and_a_seed_of_its_own(step):
    seen = []

    def record(batch, seed):
        seen.append((batch["x"].shape, seed))
        return batch

    scg.fit(step, data={"x": pixels(4)}, seed=(8, 1), epochs=2, batch_size=2, transform=record)
    assert seen == [((2, 4), (8, 1, count)) for count in range(4)]


def test_state_and_own_parameters_are_trained_alongside():
    step = nvil()
    start = step.init(0)
    run = scg.fit(step, data={"x": pixels()}, seed=0, epochs=2, batch_size=6)
    for name, value in run.state["h"].items():
        assert not np.array_equal(value, start["h"][name]), name
    out = step(run.params, seed=(0, 99), data={"x": pixels()}, state=run.state)
    loss = float(sum(np.sum(g**2) for g in out.estimator_grads["h"].values()))
    assert np.isfinite(loss)


def test_own_optimizer_trains_the_own_parameters_alone():
    step, data = nvil(), {"x": pixels()}
    still = scg.optim.SGD(0.0)
    run = scg.fit(step, data=data, seed=0, batch_size=6, optimizer=still, own_optimizer=still)
    moved = scg.fit(
        step, data=data, seed=0, batch_size=6, optimizer=still, own_optimizer=scg.optim.SGD(0.1)
    )
    np.testing.assert_array_equal(run.params["encoder"], step.graph.init(0)["encoder"])
    np.testing.assert_array_equal(moved.params["encoder"], step.graph.init(0)["encoder"])
    np.testing.assert_array_equal(run.state["h"]["W0"], step.init(0)["h"]["W0"])
    assert not np.array_equal(moved.state["h"]["offset"], run.state["h"]["offset"])


def test_metrics_are_json_lines_with_what_callbacks_return(step, tmp_path):
    path = tmp_path / "new" / "metrics.jsonl"
    run = scg.fit(
        step,
        data={"x": pixels()},
        seed=0,
        epochs=3,
        batch_size=6,
        metrics=path,
        callbacks=[lambda run: {"twice": 2 * run.epoch}, lambda run: None],
    )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == run.history
    assert [(line["epoch"], line["step"], line["twice"]) for line in lines] == [
        (1, 2, 2),
        (2, 4, 4),
        (3, 6, 6),
    ]


def test_a_callback_can_stop_the_run(step):
    def enough(run):
        run.stop = run.epoch == 2

    run = scg.fit(step, data={"x": pixels()}, seed=0, epochs=9, batch_size=6, callbacks=[enough])
    assert run.epoch == 2


def test_gradient_variance_is_the_exact_one():
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.3) ** 2)
    step = scg.compile(g, estimator=scg.ScoreFunction())
    truth = float(scg.moments(step, g.init(0)).variance["theta"])
    run = scg.fit(
        step,
        seed=0,
        steps_per_epoch=1,
        optimizer=scg.optim.SGD(0.0),
        callbacks=[GradientVariance({}, runs=40_000)],
    )
    # The relative standard error of a variance is √((κ − 1) / n), below 0.02 for this coin.
    assert run.history[0]["gradient_variance"] == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 13}, "batch_size is 13, but the data hold 12 examples"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"data": {}}, "data 'x' is missing"),
        ({"data": {"x": pixels(), "y": pixels()}}, "unknown data 'y'; the graph declares 'x'"),
        ({"data": {"x": np.full((12, 4), np.nan)}}, "data 'x': 48 of 48 values are not finite"),
        ({"plate": "time"}, "plate 'time' carries no data; plates that do: batch"),
        ({"steps_per_epoch": 4, "batch_size": 6}, "the data hold 2 batches of 6"),
    ],
)
def test_wrong_calls(step, options, message):
    with pytest.raises(scg.CallError, match=message):
        scg.fit(step, **{"data": {"x": pixels()}, "seed": 0, "batch_size": 4, **options})


def test_a_graph_without_data_needs_the_length_of_an_epoch():
    g = scg.Graph("toy")
    g.cost("loss", g.parameter("theta", 0.4) ** 2)
    with pytest.raises(scg.CallError, match="give steps_per_epoch"):
        scg.fit(scg.compile(g), seed=0)


def test_the_progress_bar_goes_to_the_error_stream(step, capsys):
    scg.fit(step, data={"x": pixels()}, seed=0, epochs=2, batch_size=6, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "4/4" in captured.err


def test_what_a_run_and_its_step_show():
    g = scg.Graph("toy")
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4))))
    step = scg.compile(g, scg.MuProp(), backend="numpy")
    run = scg.fit(step, seed=0, epochs=2, steps_per_epoch=3)
    assert repr(run) == f"Run('toy': 2 epochs, 6 updates, cost {run.history[-1]['cost']:.6g})"
    size = len(run.step.program)
    assert repr(run.step) == f"Step('toy': b by MuProp, {size} operations, backend 'numpy')"
