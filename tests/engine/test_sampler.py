"""Calls of a compiled step share tables: none sees what another was given, or what it returned."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scg
from scg.engine import program, sampler
from scg.engine.walk import blas

pytest.importorskip("numba")

#: Elements of arrays that are copied, and of arrays that are read where they are.
LENGTHS = (3, 2 * sampler.SMALL // 8)


def model(length, dtype="float64"):
    g = scg.Graph("model")
    x = g.data("x", shape=(length,), plates=scg.Plate("batch"))
    k = g.data("k", kind="int")
    w = g.parameter("w", np.linspace(-1.0, 1.0, length))
    s = g.parameter("s", 0.7)
    z = g.sample("z", scg.Normal(w * s, 1.0))
    g.cost("loss", np.sum((z - x) ** 2) * k)
    baseline = scg.baselines.MovingAverage()
    step = scg.compile(g, scg.ScoreFunction(baseline), backend="numba", dtype=dtype)
    return step, g.init(seed=0)


@pytest.fixture(scope="module")
def models():
    return {length: model(length) for length in LENGTHS}


def data(length, batch=2):
    return {"x": np.random.default_rng(batch).normal(size=(batch, length)), "k": 3}


def values(result):
    """Return all that a result shows, in arrays of its own."""
    found = {"cost": result.cost, **result.grads}
    found |= {f"stderr {name}": value for name, value in result.stderr.items()}
    found |= {name: value for entries in result.state.values() for name, value in entries.items()}
    return {name: np.array(value) for name, value in found.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("runs", [1, 3])
def test_every_call_reads_what_it_is_given(models, length, runs):
    step, params = models[length]
    given = data(length)
    seen = []

    def check(**changes):
        p, d = {**params, **changes}, dict(given)
        found = values(step(p, seed=1, runs=runs, data=d))
        copies = {name: np.array(value, order="C") for name, value in p.items()}
        assert_same(found, values(step.bind(copies, runs=runs, data=d)(1)))
        noise = step.noise(seed=1, runs=runs, data=d)
        assert found["cost"] == pytest.approx(step(p, noise=noise, data=d).cost, rel=1e-12)
        assert not any(found["cost"] == cost for cost in seen)
        seen.append(found["cost"])

    check()
    params["w"] += 0.5  # in place: the same object
    check()
    given["x"][0] *= 2.0
    check()
    check(s=0.3)  # no array
    check(s=np.float32(0.4))
    check(w=np.linspace(0.0, 2.0, 2 * length)[::2])
    given["k"] = 2
    check()
    given["x"] = given["x"][::-1, ::-1]
    check()
    given |= data(length, 5)
    check()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("runs", [1, 3])
def test_results_are_the_callers(models, length, runs):
    step, params = models[length]
    results = [step(params, seed=seed, runs=runs, data=data(length)) for seed in range(6)]
    first = [values(result) for result in results]
    assert len({float(found["cost"]) for found in first}) == 6
    state = results[0].state
    again = step(params, seed=9, runs=runs, data=data(length), state=state)
    assert_same(
        values(again), values(step.bind(params, runs=runs, data=data(length), state=state)(9))
    )
    for result, found in zip(results, first, strict=True):
        assert_same(values(result), found)
    results[1].grads["w"][...] = 7.0  # is nobody else's
    assert_same(values(step(params, seed=1, runs=runs, data=data(length))), first[1])


def test_a_result_that_is_asked_late_knows_its_own_call(models):
    step, params = models[3]
    given = data(3)
    one, other = step(params, seed=1, data=given), step(params, seed=2, data=given)
    assert (one.cost, other.cost) == tuple(step(params, seed=s, data=given).cost for s in (1, 2))


@pytest.mark.parametrize("length", LENGTHS)
def test_threads_share_a_step(models, length):
    step, params = models[length]
    given = data(length)

    def work(k):
        own = {**params, "s": np.array(0.1 * k)}
        found = []
        for seed in range(40):
            own["s"] += 0.01
            found.append(step(own, seed=seed, data=given))
        return [values(result) for result in found]

    alone = [work(k) for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(work, range(4)), alone, strict=True):
            for one, other in zip(found, expected, strict=True):
                assert_same(one, other)


def test_calls_that_meet_have_a_table_each():
    here = threading.Barrier(1)

    def meet(z):
        here.wait(timeout=60)
        return z

    g = scg.Graph("meeting")
    g.cost("loss", scg.op(meet, name="meet")(g.sample("z", scg.Normal(g.parameter("m", 0.0), 1.0))))
    step = scg.compile(g, scg.ScoreFunction(), backend="numba")

    def work(k):
        return values(step({"m": 0.5 * k}, seed=k))

    wanted = [work(k) for k in (1, 2)]
    here = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, (1, 2)))
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("length", LENGTHS)
def test_arrays_of_a_call_are_let_go(models, length):
    step, params = models[length]
    w = params["w"].copy()
    gone = weakref.ref(w)
    result = step({**params, "w": w}, seed=1, data=data(length))
    del w
    assert gone() is None and result.grads["w"].shape == (length,)


def test_single_precision_and_whole_numbers_are_converted():
    step, params = model(3, "float32")
    given = data(3)
    for k in (1, 2, np.int32(5)):
        found = step(params, seed=1, x=given["x"], k=k)
        assert found.grads["w"].dtype == found.grads["s"].dtype == np.float32
        assert_same(values(found), values(step.bind(params, x=given["x"], k=k)(1)))
    with pytest.raises(scg.CallError, match="declared as integers"):
        step(params, seed=1, x=given["x"], k=1.5)


def test_a_call_that_fails_harms_no_other():
    g = scg.Graph("failing")

    def reward(z):
        if z > 0.5:
            raise ArithmeticError("no reward")
        return z

    z = g.sample("z", scg.Normal(g.parameter("m", 0.0), 0.001))
    g.cost("loss", scg.op(reward, name="reward")(z))
    step = scg.compile(g, scg.ScoreFunction(), backend="numba")
    expected = values(step({"m": 0.2}, seed=1))
    for _ in range(2):
        with pytest.raises(ArithmeticError, match="no reward"):
            step({"m": 1.0}, seed=1)
        with pytest.raises(scg.CallError, match="seed"):
            step({"m": 0.2}, seed=-1)
        assert_same(values(step({"m": 0.2}, seed=1)), expected)


def test_values_are_checked_in_every_call():
    g = scg.Graph("checked")
    g.observe("seen", scg.Normal(0.0, g.parameter("s", 1.0)), g.data("x"))
    step = scg.compile(g, backend="numba")
    params = {"s": np.array(1.0)}
    cost = step(params, seed=0, x=0.3).cost
    params["s"][...] = -1.0
    with pytest.raises(scg.CallError, match="Normal"):
        step(params, seed=0, x=0.3)
    params["s"][...] = 1.0
    assert step(params, seed=0, x=0.3).cost == cost
    for runs in (True, 1.0, 0):  # which equal a number of runs that is known
        with pytest.raises(scg.CallError, match="runs must be a positive integer"):
            step(params, seed=0, x=0.3, runs=runs)


def test_a_graph_that_grows_asks_for_more():
    g = scg.Graph("growing")
    g.cost("loss", g.sample("z", scg.Normal(g.parameter("m", 0.5), 1.0)) ** 2)
    step = scg.compile(g, backend="numba")
    m = np.array(0.5)
    cost, _ = (step({"m": m}, seed=1).cost for _ in range(2))
    g.parameter("late", 1.0)
    with pytest.raises(scg.CallError, match="'late' is missing"):
        step({"m": m}, seed=1)
    assert step({"m": m, "late": 2.0}, seed=1).cost == cost


def test_tables_are_made_for_the_number_of_threads():
    g = scg.Graph("products")
    x = g.data("x", shape=(4,), plates=scg.Plate("batch"))
    g.cost("loss", np.sum((x @ g.parameter("w", np.ones((4, 3)))) ** 2))
    step = scg.compile(g, backend="numba")
    before = blas.threads()
    try:
        for threads in (1, 2, 1):
            scg.set_threads(threads)
            step(g.init(seed=0), seed=0, x=np.ones((5, 4)))
            (kept,) = step.program._samplers.values()
            assert kept._free[threads]
    finally:
        scg.set_threads(before)


def test_few_tables_are_kept(models):
    step, params = models[3]
    for batch in range(1, 2 * program.SAMPLERS):
        found = step(params, seed=1, data=data(3, batch))
        assert_same(values(found), values(step.bind(params, data=data(3, batch))(1)))
        assert len(step.program._samplers) <= program.SAMPLERS


def test_results_of_one_shape_are_copied_together():
    """They stay, and none is another's."""
    g = scg.Graph("many")
    weights = [g.parameter(f"w{i}", np.full((2, 3), i + 1.0)) for i in range(sampler.FEW)]
    z = g.sample("z", scg.Normal(g.parameter("s", 0.5), 1.0))
    g.cost("loss", sum(np.sum(w * w) * (i + 1) for i, w in enumerate(weights)) * z)
    params = g.init(seed=0)
    one, other = (
        [scg.compile(g, backend=name)(params, seed=i) for i in (1, 2)]
        for name in ("numba", "numpy")
    )
    for found, expected in zip(one, other, strict=True):
        for name in params:
            np.testing.assert_allclose(found.grads[name], expected.grads[name], rtol=1e-12)
    one[0].grads["w1"][...] = 7.0
    np.testing.assert_allclose(one[0].grads["w2"], other[0].grads["w2"], rtol=1e-12)
