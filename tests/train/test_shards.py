"""Training on workers: gradients of parts of a batch, summed in a fixed order."""

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scg
from scg.data import Binarize
from scg.train.shards import ShardedUpdate, Shards, work_of
from scg.train.update import Snapshot, flat
from scg.workers import Crew
from tests.train.models import pixels, sbn
from tests.workers.jobs import grey, load

OPTIONS = {"seed": 5, "optimizer": scg.optim.SGD(0.3), "batch_size": 5, "epochs": 2}


def make(estimator=None, **options):
    return scg.compile(sbn(), estimator or scg.LeaveOneOut(samples=2), backend="numpy", **options)


class Lossy:
    """Loses every fourth call after it was computed."""

    def __init__(self, pool):
        self.pool, self.calls = pool, 0

    def submit(self, function, *args):
        self.calls += 1
        future = self.pool.submit(function, *args)
        if self.calls % 4 == 0:
            future.result()
            future = self.pool.submit(int, "lost")
        return future


def bits(run):
    return {name: value.tobytes() for name, value in run.params.items()}


@pytest.fixture(scope="module")
def step():
    return make()


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(3) as pool:
        yield pool


def test_the_same_bits_for_any_number_of_workers_lost_ones_and_loaded_data(step, pool):
    first = scg.fit(step, data=load(), executor=pool, shards=3, **OPTIONS)
    with ThreadPoolExecutor(1) as one:
        assert bits(scg.fit(step, data=load, executor=one, shards=3, **OPTIONS)) == bits(first)
    lossy = Lossy(pool)
    assert bits(scg.fit(step, data=load, executor=lossy, shards=3, **OPTIONS)) == bits(first)
    assert lossy.calls > 4 * 3
    make_step = functools.partial(make)
    again = scg.fit(step, data=load, executor=pool, shards=3, make_step=make_step, **OPTIONS)
    assert bits(again) == bits(first)
    assert [e["cost"] for e in again.history] == [e["cost"] for e in first.history]


def test_processes_compute_the_same_bits(step, pool):
    options = OPTIONS | {"epochs": 1}
    found = scg.fit(step, data=load, executor=2, shards=4, **options)
    assert bits(found) == bits(scg.fit(step, data=load, executor=pool, shards=4, **options))


def chain(estimator=None, **options):
    """Steps before the batch, a latent that all examples share, and samples on a plate."""
    time, batch, g = scg.Time("t"), scg.Plate("batch"), scg.Graph("chain")
    x = g.data("x", plates=(time, batch))
    shared = g.sample("shared", scg.Normal(g.parameter("m", 0.3), 1.0))
    w = g.parameter("w", 0.5)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=w * h + x))
        g.cost("fit", (z - shared * h) ** 2)
        return np.tanh(z + h)

    g.scan(cell, init=g.parameter("h", 0.1), xs=x, over=time)
    return scg.compile(g, estimator or {"z": scg.LeaveOneOut(samples=3)}, **options)


def line(estimator, reduce):
    g, batch = scg.Graph("line"), scg.Plate("batch", reduce=reduce)
    b = g.sample("b", scg.Bernoulli(logits=g.data("x", plates=batch) * g.parameter("w", 0.5)))
    g.cost("c", (b - 0.3) ** 2)
    return scg.compile(g, estimator, backend="numpy")


def sequences():
    return {"x": np.random.default_rng(1).normal(size=(4, 9))}


NETWORK = scg.baselines.Network(hidden=(3,))
DATA = {"small": load(), "line": {"x": np.linspace(-1, 2, 9)}, "chain": sequences()}
STEPS = {
    "pairs of a block": lambda: make(scg.DisARM(), dtype="float32"),
    "compiled": lambda: scg.compile(sbn(), scg.LeaveOneOut(samples=2), backend="numba"),
    "state": lambda: make(scg.ScoreFunction(baseline=scg.baselines.MovingAverage(0.9))),
    "network": lambda: make(scg.ScoreFunction(baseline=NETWORK)),
    "network, summed": lambda: line(scg.ScoreFunction(baseline=NETWORK), "sum"),
    "sequences": lambda: chain(backend="numpy"),
    "truncated": lambda: chain(backend="numpy", truncate=scg.ARTBP(mean=2)),
    "unrolled": lambda: chain({"z": scg.RAM()}, backend="numpy"),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.filterwarnings("ignore::scg.PathsWarning")
def test_a_run_on_workers_is_the_run_without_them(name, pool):
    """Examples have the same noise, parts of a block and leaves of several plates included."""
    step = STEPS[name]()
    data = DATA[step.graph.name]
    options = {"seed": 5, "batch_size": 7, "epochs": 3, "optimizer": scg.optim.SGD(0.1)}
    here = scg.fit(step, data=data, **options)
    there = scg.fit(step, data=data, executor=pool, shards=3, **options)
    close = 2e-5 if step.program.dtype == np.float32 else 1e-12
    assert there.history[-1]["cost"] == pytest.approx(here.history[-1]["cost"], rel=close)
    for found, wanted in ((there.params, here.params), (flat(there.state), flat(here.state))):
        assert found.keys() == wanted.keys()
        for key, value in found.items():
            np.testing.assert_allclose(value, wanted[key], rtol=close, atol=close, err_msg=key)


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_what_is_learned_on_a_variance_has_the_mean_of_the_parts(reduce, pool):
    """The sum of the parts' variances is the variance of the sum, on the mean over noise."""
    step, data = line(scg.REBAR(), reduce), {"x": np.array([-1.0, 1.0, 2.0])}
    shards = Shards(step, scg.train.Batches(step.graph, data, None, (0,)), 3, None, loads=False)
    update = ShardedUpdate(step, None, None, Crew(pool), work_of(step, None, shards, None, ()))
    now = Snapshot(0, step.graph.init(0), step.init(0), None, None)
    updates = [update.estimate(now, shards[0], (1, i)).estimator_grads["b"] for i in range(150)]
    for name, grad in step(now.params, seed=2, runs=20_000, data=data).estimator_grads["b"].items():
        found = np.array([own[name] for own in updates])
        assert np.all(np.abs(found.mean(0) - grad) < 6 * found.std(0) / 12 + 0.05 * np.abs(grad))


@pytest.mark.parametrize(
    "plate",
    [
        scg.Plate("batch"),
        scg.Plate("batch", reduce="sum"),
        scg.Plate("batch", size=70),
    ],
    ids=["mean", "sum", "size"],
)
def test_without_noise_the_gradient_is_that_of_the_batch(plate, pool):
    g = scg.Graph("line")
    x, w = g.data("x", plates=plate), g.parameter("w", 0.5)
    h = g.sample("h", scg.Bernoulli(logits=w * x))
    g.cost("fit", (h - x) ** 2)
    step = scg.compile(g, scg.Enumeration(), backend="numpy")
    data = {"x": np.linspace(-1, 2, 7)}
    options = {"seed": 0, "optimizer": scg.optim.SGD(0.1)}
    here = scg.fit(step, data=data, **options)
    there = scg.fit(step, data=data, executor=pool, shards=3, **options)
    np.testing.assert_allclose(there.params["w"], here.params["w"], rtol=1e-12)
    assert there.history[0]["cost"] == pytest.approx(here.history[0]["cost"], rel=1e-12)


def test_state_is_the_mean_over_examples_and_own_parameters_learn(pool):
    baseline = scg.baselines.MovingAverage(0.9)
    step = scg.compile(sbn(), scg.ScoreFunction(baseline=baseline), backend="numpy")
    run = scg.fit(step, data=load(), executor=pool, shards=3, **OPTIONS)
    here = scg.fit(step, data=load(), **OPTIONS)
    assert run.state.keys() == here.state.keys()
    for node, entries in run.state.items():
        for name, value in entries.items():
            assert value.shape == here.state[node][name].shape
            assert np.all(value != 0) and np.all(np.isfinite(value))
    network = scg.ScoreFunction(baseline=scg.baselines.Network(hidden=(3,)))
    step = scg.compile(sbn(), network, backend="numpy")
    run = scg.fit(step, data=load(), executor=pool, **OPTIONS)
    assert any(
        not np.array_equal(value, step.init(5)[node][name])
        for node, entries in run.state.items()
        for name, value in entries.items()
    )


def test_a_run_resumes_with_the_same_bits_and_other_shards_are_refused(step, pool, tmp_path):
    options = OPTIONS | {"executor": pool, "shards": 3}
    whole = scg.fit(step, data=load, **options)
    path = tmp_path / "run"
    scg.fit(step, data=load, checkpoint=path, **options | {"epochs": 1})
    with pytest.raises(scg.CheckpointError, match="its shards is 3, here it is 4"):
        scg.fit(step, data=load, checkpoint=path, resume=True, **options | {"shards": 4})
    found = scg.fit(step, data=load, checkpoint=path, resume=True, **options)
    assert bits(found) == bits(whole)


def test_streams_and_transforms(step, pool):
    batches = [{"x": pixels(4)}, {"x": pixels(6, seed=1)}]
    options = {"seed": 1, "executor": pool, "shards": 2}
    run = scg.fit(step, data=batches, **options)
    assert run.now.count == 2
    asked = []

    def flip(batch, seed):
        asked.append((seed, len(batch["x"])))
        return {"x": 1 - batch["x"]}

    scg.fit(step, data=load(), transform=flip, batch_size=6, **options)
    assert [a for a in asked if a[1] == 6][-1] == ((1, 1), 6)  # once for a batch
    with pytest.raises(scg.CallError, match="cannot be sent to workers"):
        scg.fit(step, data=load, transform=flip, batch_size=6, **options)
    binarize = Binarize()
    first = scg.fit(step, data=grey(), transform=binarize, batch_size=6, **options)
    again = scg.fit(step, data=grey, transform=binarize, batch_size=6, **options)
    assert bits(first) == bits(again)


def test_loaded_data_are_loaded_here_without_an_executor(step):
    assert bits(scg.fit(step, data=load, **OPTIONS)) == bits(scg.fit(step, data=load(), **OPTIONS))


def test_what_cannot_be_split_is_refused(pool):
    def fit(declare, plate=None, data=True):
        batch, g = plate or scg.Plate("batch"), scg.Graph("line")
        x = g.data("x", plates=batch) if data else 1.0
        declare(g, x, g.parameter("w", 0.5), batch)
        step = scg.compile(g, backend="numpy")
        given = {"x": np.ones(4)} if data else None
        return scg.fit(step, data=given, seed=0, executor=pool, steps_per_epoch=1)

    with pytest.raises(scg.CallError, match=r"plate 'batch', but 'sum' mixes them"):
        fit(lambda g, x, w, b: g.cost("c", w * (x - scg.plate_mean(x, b)) ** 2))
    with pytest.raises(scg.CallError, match="no data lie on a plate"):
        fit(lambda g, x, w, b: g.cost("c", w**2), data=False)

    windows = chain(backend="numpy", truncate=scg.Truncated(2, allow_biased=True), stream=True)
    with pytest.raises(scg.CallError, match="this step takes windows"):
        scg.fit(windows, data=sequences(), seed=0, executor=pool)

    def two(g, x, w, b):
        g.cost("c", w * x)
        g.cost("prior", w**2)

    with pytest.raises(scg.CallError, match="one cost is summed and another is not; write"):
        fit(two, scg.Plate("batch", reduce="sum"))
    fit(two, scg.Plate("batch", reduce="mean"))
    with pytest.raises(scg.CallError, match="with executor= a function must load arrays by name"):
        scg.fit(make(), data=lambda: [load()], seed=0, executor=1)
    with pytest.raises(scg.CallError, match="shards= and make_step= need executor="):
        scg.fit(make(), data=load(), seed=0, shards=3)


def test_every_example_is_in_one_shard(step):
    batches = scg.train.Batches(step.graph, load(), 5, (0,))
    parts = Shards(step, batches, 8, None, loads=False)[0]
    assert sum(part.weight for part in parts) == pytest.approx(1.0) and len(parts) == 5
    np.testing.assert_array_equal(np.concatenate([p.data["x"] for p in parts]), batches[0]["x"])
