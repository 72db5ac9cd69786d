"""Updates of few rows of a table are those of the whole table."""

import numpy as np
import pytest

import scg
from scg.errors import CallError
from scg.ops.gather import scatter
from scg.schedule import clear
from scg.train import rows
from scg.train.optim import (
    SGD,
    Adam,
    AdamW,
    ClipNorm,
    ClipValue,
    Optimizer,
    OptimizerState,
    RMSprop,
)
from scg.train.update import FusedUpdate, Snapshot, Update, make_update

pytest.importorskip("numba")
ROWS, WIDTH, BATCH = 1100, 3, 8


def model():
    """A table that is read by a datum, in pairs, and by a sampled class; and a dense weight."""
    g = scg.Graph("table")
    plate = scg.Plate("batch")
    i = g.data("i", plates=plate, kind="int")
    pairs = g.data("pairs", shape=(2,), plates=plate, kind="int")
    table = g.parameter("table", shape=(ROWS, WIDTH), init=scg.init.normal(1.0))
    prices = g.parameter("prices", shape=(ROWS,), init=scg.init.normal(1.0))
    w = g.parameter("w", shape=(WIDTH,), init=scg.init.normal(1.0))
    z = g.sample("z", scg.Normal(table[i] * w, 0.5))
    k = g.sample("k", scg.Categorical(logits=np.zeros(ROWS)))
    g.cost("near", np.sum((z - 1.0) ** 2) + np.sum(table[pairs] ** 2, axis=(0, 1)))
    g.cost("price", prices[i] ** 2 * prices[k])
    return g


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch):
    monkeypatch.setattr(rows, "LARGE", ROWS)
    monkeypatch.setattr(clear, "LARGE", ROWS)


@pytest.fixture(scope="module")
def steps():
    g = model()
    return {b: scg.compile(g, backend=b) for b in ("numpy", "numba")}


def batches(count, seed=0):
    """Indices that repeat, count from the end, and leave most rows alone."""
    rng = np.random.default_rng(seed)
    return [
        {"i": rng.integers(-3, 20, BATCH), "pairs": rng.integers(-ROWS, ROWS, (BATCH, 2))}
        for _ in range(count)
    ]


def after(update, count):
    step = update.step
    none = OptimizerState()
    now = Snapshot(0, step.graph.init(0), step.init(0), none, none)
    for number, batch in enumerate(batches(count)):
        now = update(now, batch, (3, number))
    return now


def dense(step, optimizer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(rows, "LARGE", 10**9)
        return FusedUpdate(step, optimizer, optimizer)


def assert_same(found, expected, rtol=0.0):
    assert found.params.keys() == expected.params.keys()
    for name, value in expected.params.items():
        np.testing.assert_allclose(found.params[name], value, rtol=rtol, atol=rtol, err_msg=name)
    for name, slots in expected.optimizer.slots.items():
        for slot, value in slots.items():
            new = found.optimizer.slots[name][slot]
            np.testing.assert_allclose(new, value, rtol=rtol, atol=rtol, err_msg=f"{name} {slot}")


def tables_of(update):
    return {key[1] for key, *_ in update.params.by_rows if key[0] == "params"}


BY_ROWS = [
    SGD(0.1),
    SGD(0.1, clip=ClipNorm(0.3)),
    SGD(0.1, clip=ClipValue(0.05)),
    Adam(0.05, lazy=True),
]


@pytest.mark.parametrize("optimizer", BY_ROWS, ids=str)
def test_fifty_updates_have_the_bits_of_dense_ones(steps, optimizer, monkeypatch):
    update = make_update(steps["numba"], optimizer, optimizer)
    assert tables_of(update) == {"table", "prices"}
    found, whole = after(update, 50), after(dense(steps["numba"], optimizer, monkeypatch), 50)
    assert_same(found, whole)
    assert_same(found, after(Update(steps["numpy"], optimizer, optimizer), 50), rtol=1e-12)


def test_lazy_adam_is_that_of_rows_that_are_read(steps):
    """Against moments that are kept row by row."""
    step, rate, beta1, beta2, epsilon = steps["numpy"], 0.05, 0.8, 0.95, 1e-8
    optimizer = Adam(rate, beta1, beta2, epsilon, lazy=True)
    found = after(make_update(steps["numba"], optimizer, optimizer), 20)
    table = step.graph.init(0)
    moments = {name: {} for name in table}
    for count, batch in enumerate(batches(20), 1):
        grads = step(table, seed=(3, count - 1), data=batch).grads
        table = {name: value.copy() for name, value in table.items()}
        for name, grad in grads.items():
            for row in [row for row in range(len(grad)) if np.any(grad[row])]:
                m, v = moments[name].get(row, (0.0, 0.0))
                m = beta1 * m + (1 - beta1) * grad[row]
                v = beta2 * v + (1 - beta2) * grad[row] ** 2
                moments[name][row] = m, v
                root = np.sqrt(v / (1 - beta2**count))
                table[name][row] -= rate * m / (1 - beta1**count) / (root + epsilon)
    for name, value in table.items():
        np.testing.assert_allclose(found.params[name], value, rtol=1e-11, atol=1e-13)


class Centred(Optimizer):
    """Every row moves with the mean over all."""

    @scg.optim.rule
    def update(self, value, grad, slots, rate, count):
        return value - rate * (grad - np.mean(grad, axis=0)), slots


class Shifted(Optimizer):
    """A row moves with the gradient of the row before."""

    @scg.optim.rule
    def update(self, value, grad, slots, rate, count):
        return value - rate * np.roll(grad, 1, axis=0), slots


class Signs(Optimizer):
    @scg.optim.rule
    def update(self, value, grad, slots, rate, count):
        return value - rate * np.sign(grad), slots


MOVES_ALL = [
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True),
    RMSprop(0.1),
    Adam(0.1),
    AdamW(0.1),
    Centred(0.1),
    Shifted(0.1),
]


@pytest.mark.parametrize("optimizer", MOVES_ALL, ids=str)
def test_rules_that_move_other_rows_compute_the_whole_table(steps, optimizer):
    assert not tables_of(FusedUpdate(steps["numba"], optimizer, optimizer))


def test_a_rule_of_the_user_is_proved_to_leave_rows_alone(steps, monkeypatch):
    update = FusedUpdate(steps["numba"], Signs(0.1), Signs(0.1))
    assert tables_of(update) == {"table", "prices"}
    assert_same(after(update, 5), after(dense(steps["numba"], Signs(0.1), monkeypatch), 5))


def test_rows_of_long_sums_are_found_and_those_of_many_indices_are_not():
    g, plate = scg.Graph("sums"), scg.Plate("batch")
    x = g.data("x", shape=(WIDTH,), plates=plate)
    k, *others = (g.data(f"k{n}", plates=plate, kind="int") for n in range(10))

    def added(n, index):
        return scatter(x * n, index, length=ROWS, rank=2, index_rank=0, over=(plate,))

    long = sum((added(float(n), k) for n in range(2, 2000)), added(1.5, k))
    assert rows.touched(long * 0.5) == [k]
    assert rows.touched(long + 1.0) is None
    assert rows.touched(sum((added(2.0, other) for other in others), long)) is None


def fitted(step, params=None, **options):
    data = {name: np.concatenate([b[name] for b in batches(6)]) for name in ("i", "pairs")}
    options = {"epochs": 3, "batch_size": BATCH, "optimizer": SGD(0.1), **options}
    return scg.fit(step, params, data, seed=1, **options)


def test_arrays_that_others_hold_stay(steps):
    step, kept = steps["numba"], []
    params = step.graph.init(0)
    start = {name: value.copy() for name, value in params.items()}
    run = fitted(step, params, callbacks=[lambda run: kept.append(run.params)])
    for name, value in start.items():
        np.testing.assert_array_equal(params[name], value)
    for epochs, found in enumerate(kept, 1):
        expected = fitted(step, params, epochs=epochs).params
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
    assert kept[-1]["table"] is run.params["table"]


def test_an_error_after_an_update_brings_the_rows_before_it_back(steps, tmp_path):
    step, whole = steps["numba"], fitted(steps["numba"])

    def fail(run):
        if run.epoch == 2:
            raise RuntimeError("stop here")

    path = tmp_path / "run.npz"
    with pytest.raises(RuntimeError, match="stop here"):
        fitted(step, callbacks=[fail], checkpoint=path)
    resumed = fitted(step, callbacks=[lambda run: None], checkpoint=path, resume=True)
    for name, value in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], value)
    assert [r["cost"] for r in resumed.history] == [r["cost"] for r in whole.history]


def test_a_weight_decay_is_no_lazy_rule():
    with pytest.raises(CallError, match=r"AdamW: lazy=True leaves rows .* scg.optim.Adam"):
        AdamW(1e-3, lazy=True)


def test_rows_without_gradient_rest_in_numpy_too():
    optimizer = Adam(0.1, lazy=True)
    value, grad = np.ones((2, 2)), np.array([[0.0, 0.0], [0.0, 1.0]])
    params, state = optimizer.apply({"w": value, "b": value[0]}, {"w": grad, "b": grad[1]})
    np.testing.assert_array_equal(params["w"][0], 1.0)
    assert np.all(params["w"][1] == [1.0, params["b"][1]]) and params["b"][0] == 1.0
    _, again = optimizer.apply(params, {"w": 0.0 * grad, "b": 0.0 * grad[1]}, state)
    np.testing.assert_array_equal(again.slots["w"]["second"], state.slots["w"]["second"])
