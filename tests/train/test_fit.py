"""The training loop: what it feeds, what it repeats, what it reports."""

import json
import re

import numpy as np
import pytest

import scg
from scg.common.console import progress_console
from scg.train import Batches, GradientVariance, HeldOut, JsonLines, TensorBoard, checkpoint
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


@pytest.mark.parametrize("how", ["whole", "batches", "stream"])
def test_a_transform_may_write_into_its_batch(step, how):
    """It neither changes the caller's arrays, nor meets its own changes again."""
    data = {"x": pixels(4)}
    kept = data["x"].copy()

    def flip(batch, seed):
        return {"x": 1.0 - batch["x"]}

    def in_place(batch, seed):
        np.subtract(1.0, batch["x"], out=batch["x"])
        return batch

    given = [data] if how == "stream" else data
    size = {"batch_size": 2} if how == "batches" else {}
    options = {"data": given, "seed": 1, "optimizer": scg.optim.SGD(0.1), "epochs": 3, **size}
    runs = [scg.fit(step, transform=transform, **options) for transform in (flip, in_place)]
    np.testing.assert_array_equal(data["x"], kept)
    for name, value in runs[0].params.items():
        np.testing.assert_array_equal(runs[1].params[name], value)


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
        ({"batch_size": 0}, "batch_size must be a positive integer, or None, got 0"),
        ({"data": {"x": np.zeros((0, 4))}, "batch_size": None}, "the data hold no examples"),
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adam"}, r"optimizer must be an optimizer such as scg.optim.Adam\(1e-3\)"),
        ({"optimizer": scg.optim.Adam}, r"got the class Adam and not Adam\(\.\.\.\); write"),
        ({"own_optimizer": 0.1}, "own_optimizer must be an optimizer"),
        ({"callbacks": print}, r"callbacks must be a list of functions.*callbacks=\[f\]"),
        (
            {"callbacks": [3]},
            r"callbacks must be a list of functions of one argument, the run, got \[3\]",
        ),
        ({"checkpoint_every": 0}, "checkpoint_every must be a positive integer, or None, got 0"),
        ({"epochs": 2.5}, "epochs must be a positive integer, got 2.5"),
        ({"epochs": 0}, "epochs must be a positive integer, got 0"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be a positive integer, or None, got 0"),
        ({"params": {}}, "parameter 'encoder' is missing"),
        ({"params": [1.0]}, r"params must be a mapping from names, or None, got \[1.0\]"),
        (
            {"data": pixels()},
            "data must be a mapping from names to arrays, an iterable of them, or .*, got array",
        ),
        ({"data": {"x": [[1.0], [1.0, 2.0]]}}, "data 'x': expected an array of numbers"),
        ({"data": {"x": pixels(visible=3)}}, r"data 'x': expected shape \(batch, 4\)"),
        (
            {"transform": 3},
            r"transform must be a function .* scg.data.Binarize\(\), or None, got 3",
        ),
        ({"transform": lambda batch: batch}, r"a batch and a seed, .* function <lambda>\(batch\)"),
        ({"callbacks": [lambda: {}]}, r"one argument, the run, got \[the function <lambda>\(\)\]"),
        ({"data": lambda path: {"x": pixels()}}, r"or a function without arguments .*\(path\)"),
        (
            {"data": lambda: 3},
            "the function must return a mapping from names to arrays, or .*, got 3",
        ),
        (
            {"params": sbn().init(0) | {"encoder": sbn().init(0)["encoder"] * np.nan}},
            "parameter 'encoder' is NaN; start from numbers",
        ),
        ({"plate": scg.Plate("batch")}, r"plate must be a string, or None, got Plate\('batch'"),
        ({"metrics": 3}, "metrics must be a path, a writer such as .* or a list of them, got 3"),
        ({"seeds": 3}, "scg.fit has no argument 'seeds'; did you mean 'seed'"),
    ],
)
def test_mistakes_are_found_before_a_file_is_written(step, tmp_path, options, message):
    given = {"data": {"x": pixels()}, "seed": 0, "batch_size": 4, "checkpoint": tmp_path / "c"}
    with pytest.raises(scg.CallError, match=message):
        scg.fit(step, **{**given, **options})
    assert not list(tmp_path.iterdir())


def test_what_is_no_step(step):
    with pytest.raises(scg.CallError, match=r"got Graph.*write scg.fit\(scg.compile\(g\), "):
        scg.fit(step.graph, data={"x": pixels()}, seed=0)
    with pytest.raises(scg.CallError, match=r"step must be a step, as .*, got 3"):
        scg.fit(3, seed=0)
    for option in ({"resume": True}, {"checkpoint_every": 3}):
        with pytest.raises(scg.CheckpointError, match="needs checkpoint="):
            scg.fit(step, data={"x": pixels()}, seed=0, **option)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HeldOut({}, every=0), "HeldOut: every must be a positive integer, got 0"),
        (lambda: HeldOut(pixels()), "HeldOut: data must be a mapping"),
        (lambda: TensorBoard(None), "TensorBoard: folder must be a path, got None"),
        (lambda: JsonLines(None), "JsonLines: path must be a path, got None"),
        (lambda: GradientVariance({}, runs=1), "runs must be an integer, at least 2, got 1"),
        (lambda: scg.evaluate(sbn(), {}, {}, samples=0, seed=0), "samples must be a positive"),
    ],
)
def test_wrong_callbacks(make, message):
    with pytest.raises(scg.CallError, match=message):
        make()


def toy(cost=lambda t: (t - 1.0) ** 2):
    g = scg.Graph("toy")
    g.cost("loss", cost(g.parameter("t", 0.25)))
    return scg.compile(g, backend="numpy")


def test_metrics_of_numpy_are_numbers_in_files_and_history(tmp_path):
    def measure(run):
        found = {"a": np.float32(0.5), "b": np.arange(3), "c": np.int64(2), "d": np.bool_(True)}
        return {**found, "e": np.array(0.25), "f": np.nan, "g": (np.inf, {"h": np.ones(1)})}

    options = {"seed": 0, "steps_per_epoch": 2, "callbacks": [measure]}
    files = {"metrics": tmp_path / "m", "checkpoint": tmp_path / "c"}
    run = scg.fit(toy(), **options, **files)
    plain = {"a": 0.5, "b": [0, 1, 2], "c": 2, "d": True, "e": 0.25}
    assert {name: run.history[0][name] for name in plain} == plain
    (line,) = (tmp_path / "m").read_text().splitlines()
    found = json.loads(line, parse_constant=lambda word: pytest.fail(word))
    assert {name: found[name] for name in "fg"} == {"f": None, "g": [None, {"h": [1.0]}]}
    again = scg.fit(toy(), **options, **files, epochs=2, resume=True)
    assert np.isnan(again.history[0]["f"]) and again.epoch == 2


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (3.0, "callback measure: expected a mapping from names to metrics, or None, got 3.0"),
        ({"cost": 3.0}, "callback measure: a metric needs a name of its own"),
        ({"a": {1, 2}}, r"callback measure: metric 'a' is \{1, 2\}; a metric consists of numbers"),
        ({"a": np.array(["x", None])[1:] == 3j, "b": 3j}, "callback measure: metric 'b' is 3j"),
    ],
)
def test_what_is_no_metric(tmp_path, found, message):
    def measure(run):
        return found

    path = tmp_path / "c"
    with pytest.raises(scg.CallError, match=message):
        scg.fit(toy(), seed=0, steps_per_epoch=4, callbacks=[measure], checkpoint=path)
    assert checkpoint.load(path)[1]["count"] == 3


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_cost_that_is_not_finite_is_an_error(backend):
    g = scg.Graph("toy")
    t = g.parameter("t", 0.25)
    g.cost("loss", t**2 + scg.stop_gradient(np.log(t - 0.25)))
    with pytest.raises(scg.CallError, match="the cost of graph 'toy' is -inf after 0 updates"):
        scg.fit(scg.compile(g, backend=backend), seed=0, steps_per_epoch=1)


class Broken(scg.optim.Optimizer):
    @scg.optim.rule
    def update(self, value, grad, slots, rate, count):
        return value * np.nan, slots


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_parameters_that_are_nan_after_an_epoch_are_an_error(backend, tmp_path):
    step, path = scg.compile(toy().graph, backend=backend), tmp_path / "c"
    with pytest.raises(
        scg.CallError, match="parameter 't' is NaN after 1 updates; lower the learn"
    ):
        scg.fit(step, seed=0, steps_per_epoch=1, optimizer=Broken(), checkpoint=path)
    assert checkpoint.load(path)[0]["params"]["t"] == 0.25


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda batch, seed: None, "transform must return a batch, .*, got None"),
        (
            lambda batch, seed: {"x": np.nan * batch["x"]},
            r"data 'x': \d+ of \d+ values are not fin",
        ),
    ],
)
def test_what_a_transform_returns_is_checked(step, transform, message):
    with pytest.raises(scg.CallError, match=message):
        scg.fit(step, data={"x": pixels()}, seed=0, transform=transform)


def test_a_run_that_diverges_is_said_to(tmp_path):
    with pytest.warns(scg.DivergenceWarning, match=r"rose from 0.5625 at first to .* in epoch 1"):
        scg.fit(toy(), seed=0, optimizer=scg.optim.Adam(1e9), steps_per_epoch=9, epochs=4)


def test_a_graph_without_data_needs_the_length_of_an_epoch():
    g = scg.Graph("toy")
    g.cost("loss", g.parameter("theta", 0.4) ** 2)
    with pytest.raises(scg.CallError, match="give steps_per_epoch"):
        scg.fit(scg.compile(g), seed=0)


def test_the_cost_of_updates_is_a_json_line_on_request(step, tmp_path):
    """A resumed run writes the file that an undisturbed one writes, but for the time."""
    options = {"data": {"x": pixels()}, "seed": 0, "batch_size": 3, "log_every": 3}

    def lines(path):
        every = [json.loads(line) for line in path.read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in every]

    whole = tmp_path / "whole.jsonl"
    scg.fit(step, epochs=3, metrics=whole, **options)
    found = lines(whole)
    kinds = [(line["step"], "epoch" in line) for line in found]
    assert kinds == [
        (3, False),
        (4, True),
        (6, False),
        (8, True),
        (9, False),
        (12, False),
        (12, True),
    ]
    part = {"metrics": tmp_path / "part.jsonl", "checkpoint": tmp_path / "c", **options}
    scg.fit(step, epochs=1, **part)
    with part["metrics"].open("a") as file:
        file.write('{"step": 6, "cost": 1.0}\n{"step": 99, "co')  # killed later, in mid-word
    scg.fit(step, epochs=3, resume=True, **part)
    assert lines(part["metrics"]) == found


def test_metrics_go_to_every_writer(step, tmp_path):
    class Kept(scg.train.Writer):
        def __init__(self):
            self.records = []

        def write(self, record):
            self.records.append(dict(record))

    one, two = Kept(), Kept()
    path = tmp_path / "m.jsonl"
    run = scg.fit(step, data={"x": pixels()}, seed=0, batch_size=6, metrics=[one, path, two])
    assert one.records == two.records == run.history
    assert len(path.read_text().splitlines()) == 1
    with pytest.raises(scg.CallError, match="metrics must be a path, a writer such as"):
        scg.fit(step, data={"x": pixels()}, seed=0, metrics=[3])


def test_the_progress_bar_shows_the_mean_cost_of_its_epoch(step, monkeypatch):
    import rich.progress

    shown, refreshed = [], []
    progress = rich.progress.Progress

    def update(self, task, **fields):
        shown.append((fields["completed"], fields["description"]))

    monkeypatch.setattr(progress, "update", update)
    monkeypatch.setattr(progress, "refresh", lambda self: refreshed.append(len(shown)))
    options = {"data": {"x": pixels()}, "seed": 0, "epochs": 2, "batch_size": 4}
    run = scg.fit(step, progress="sbn", **options)
    per_epoch = len(shown) // 2
    assert [done for done, _ in shown] == list(range(1, 2 * per_epoch + 1))
    assert re.fullmatch(r"sbn: epoch 1, cost \d+\.\d{3}", shown[0][1])
    for epoch in (1, 2):
        cost = run.history[epoch - 1]["cost"]
        assert shown[epoch * per_epoch - 1][1] == f"sbn: epoch {epoch}, cost {cost:.3f}"
    assert refreshed[-1] == len(shown)  # a notebook would show the last update nowhere else


@pytest.mark.parametrize("widgets", [True, False])
def test_the_progress_bar_of_a_notebook_needs_no_widgets(widgets, monkeypatch):
    """Where ipywidgets are missing, rich would show a warning instead of the bar."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: "a module" if widgets else None)
    found = progress_console()
    assert (found.is_jupyter, found.is_terminal) == (widgets, not widgets)


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
