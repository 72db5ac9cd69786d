"""Fused updates: one program samples, differentiates and moves the parameters."""

import numpy as np
import pytest

import scg
from scg.train.optim import SGD, Adam, AdamW, ClipNorm, ClipValue, Optimizer, RMSprop, schedules
from scg.train.update import FusedUpdate, Snapshot, Update, make_update
from tests.train.models import pixels, sbn

OPTIMIZERS = {
    "sgd": SGD(schedules.Cosine(0.2, length=6)),
    "momentum": SGD(0.1, momentum=0.9),
    "nesterov": SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": RMSprop(0.05),
    "rmsprop momentum": RMSprop(0.02, momentum=0.5),
    "adam": Adam(0.05, beta1=0.0),
    "adamw": AdamW(schedules.Piecewise(0.05, ((2, 0.1),)), decay=0.3),
    "clipped by norm": Adam(0.05, clip=ClipNorm(0.3)),
    "not clipped by norm": SGD(0.1, clip=ClipNorm(1e6)),
    "clipped by value": SGD(0.3, clip=ClipValue(0.05)),
}


def model():
    """State, own parameters and a constrained parameter."""
    g = scg.Graph("model")
    x = g.data("x", shape=(4,), plates=scg.Plate("batch"))
    w = g.parameter("w", shape=(4, 3), init=scg.init.normal(0.5))
    scale = g.parameter("scale", 0.7, constraint=scg.positive)
    h = g.sample("h", scg.Bernoulli(logits=x @ w))
    z = g.sample("z", scg.Normal(np.sum(h), scale))
    g.cost("loss", (z - 1.5) ** 2)
    network = scg.baselines.Network(hidden=(3,))
    return g, {"h": scg.ScoreFunction(network), "z": scg.Reparameterization()}


@pytest.fixture(scope="module")
def steps():
    g, estimators = model()
    return {b: scg.compile(g, estimators, backend=b) for b in ("numpy", "numba")}


def start(step, seed=0):
    params = step.graph.init(seed)
    none = scg.train.optim.OptimizerState()
    return Snapshot(0, params, step.init(seed), none, none)


def assert_close(found, expected, rtol=1e-9, atol=1e-12):
    assert found.count == expected.count
    assert found.cost == pytest.approx(expected.cost, rel=rtol)
    assert found.optimizer.count == expected.optimizer.count
    assert found.own.count == expected.own.count
    nested = (
        ("state", found.state, expected.state),
        *(
            (kind, getattr(found, kind).slots, getattr(expected, kind).slots)
            for kind in ("optimizer", "own")
        ),
    )
    for kind, one, other in (("params", {"": found.params}, {"": expected.params}), *nested):
        assert one.keys() == other.keys(), kind
        for node, entries in other.items():
            assert one[node].keys() == entries.keys(), (kind, node)
            for name, value in entries.items():
                assert np.shape(one[node][name]) == np.shape(value), (kind, node, name)
                np.testing.assert_allclose(one[node][name], value, rtol=rtol, atol=atol)


def after(update, step, count=4):
    now = start(step)
    for k in range(count):
        now = update(now, {"x": pixels(5, seed=k)}, (3, k))
    return now


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_is_the_same_in_a_program(steps, name):
    step, optimizer = steps["numpy"], OPTIMIZERS[name]
    assert optimizer.is_rule
    own = Adam(0.02)
    plain = Update(step, optimizer, own)
    fused = FusedUpdate(step, optimizer, own)
    assert_close(after(fused, step), after(plain, step))


def test_a_compiled_step_makes_the_updates_itself(steps):
    step, optimizer = steps["numba"], AdamW(0.05, clip=ClipNorm(0.5))
    update = make_update(step, optimizer, optimizer)
    assert type(update) is FusedUpdate
    assert_close(after(update, step), after(Update(step, optimizer, optimizer), step))


def test_corrections_do_not_cancel_in_single_precision():
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.3) ** 2)
    step = scg.compile(g, scg.ScoreFunction(), backend="numba", dtype="float32")
    update, plain = (kind(step, Adam(0.1), Adam(0.1)) for kind in (FusedUpdate, Update))
    now = expected = start(step)
    for k in range(5):
        now, expected = update(now, {}, k), plain(expected, {}, k)
        assert now.params["theta"].dtype == np.float32
        assert_close(now, expected, rtol=1e-6, atol=5e-8)  # of moments near 0


def test_fit_fuses_and_resumes_bit_by_bit(steps, tmp_path):
    options = {"data": {"x": pixels(12)}, "seed": 1, "batch_size": 4}
    whole = scg.fit(steps["numba"], **options, epochs=3)
    options["checkpoint"] = tmp_path / "run.safetensors"
    scg.fit(steps["numba"], **options, epochs=1)
    resumed = scg.fit(steps["numba"], **options, epochs=3, resume=True)
    oracle = scg.fit(steps["numpy"], **{**options, "checkpoint": None}, epochs=3)
    for name, value in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], value)
        np.testing.assert_allclose(oracle.params[name], value, rtol=1e-9)
    assert whole.history[-1]["cost"] == resumed.history[-1]["cost"]


def test_snapshots_are_not_overwritten(steps):
    step = steps["numba"]
    seen = []
    scg.fit(
        step,
        data={"x": pixels(8)},
        seed=1,
        epochs=3,
        batch_size=4,
        callbacks=[lambda run: seen.append((run.params, run.params["w"].copy()))],
    )
    for params, copied in seen:
        np.testing.assert_array_equal(params["w"], copied)
    assert not np.array_equal(seen[0][1], seen[2][1])


class Sign(Optimizer):
    def update(self, value, grad, slots, rate, count):
        return value - rate * np.sign(grad), slots


class Noisy(Adam):
    def update(self, value, grad, slots, rate, count):
        value = value + np.random.default_rng(count).normal(size=value.shape)
        return super().update(value, grad, slots, rate, count)


class Declared(Optimizer):
    @scg.optim.rule
    def update(self, value, grad, slots, rate, count):
        total = slots.get("total", 0.0) + grad**2
        return value - rate * grad / np.sqrt(total + 1e-10), {"total": total}


def test_an_optimizer_of_ones_own_is_fused_where_it_is_declared_a_rule(steps):
    for own in (Sign(0.1), Noisy(0.1), SGD(0.1, clip=lambda grads: grads)):
        assert not own.is_rule
        assert type(make_update(steps["numba"], own, Adam())) is Update
        assert type(make_update(steps["numba"], Adam(), own)) is Update
        scg.fit(steps["numba"], data={"x": pixels(4)}, seed=0, optimizer=own)
    declared = Declared(0.1)
    step = steps["numba"]
    update = make_update(step, declared, declared)
    assert type(update) is FusedUpdate
    assert_close(after(update, step), after(Update(step, declared, declared), step))
    assert type(make_update(steps["numpy"], Adam(), Adam())) is Update


def test_what_is_not_finite_is_named_and_nothing_is_updated(steps):
    step = steps["numba"]
    update = make_update(step, SGD(0.1), SGD(0.1))
    now = start(step)
    now.params["w"][0, 0] = np.nan
    with pytest.raises(scg.CallError, match=r"the gradient of '(w|scale)' is not finite"):
        update(now, {"x": pixels(5) + 0.5}, 1)


def test_the_model_of_the_other_tests_needs_no_python():
    step = scg.compile(sbn(), scg.MuProp(), backend="numba")
    update = make_update(step, Adam(), Adam())
    assert isinstance(update, FusedUpdate) and update.program.engine().schedule.fallbacks == []
