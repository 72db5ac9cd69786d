"""A bound step does what a call does, on the arrays that it was given."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scg
from scg.engine import program

BACKENDS = ("numpy", "numba")


def model():
    g = scg.Graph("model")
    x = g.data("x", shape=(3,), plates=scg.Plate("batch", reduce="mean"))
    w = g.parameter("w", np.linspace(-1.0, 1.0, 6).reshape(3, 2))
    s = g.parameter("s", 0.8, constraint=scg.positive)
    h = g.sample("h", scg.Bernoulli(logits=x @ w))
    z = g.sample("z", scg.Normal(np.sum(h), s))
    g.cost("fit", (z - 0.3) ** 2)
    g.cost("size", 0.1 * np.sum(w**2))
    return g


X = np.random.default_rng(0).normal(size=(4, 3))


@pytest.fixture(scope="module")
def steps():
    g = model()
    averaged = scg.ScoreFunction(scg.baselines.MovingAverage())
    estimators = {"h": averaged, "z": scg.Reparameterization()}
    return {b: scg.compile(g, estimators, backend=b) for b in BACKENDS}


def assert_same(found, expected):
    assert found.cost == expected.cost and found.costs == expected.costs
    assert found.runs == expected.runs and found.unbiased == expected.unbiased
    for kind in ("grads", "stderr"):
        one, other = getattr(found, kind), getattr(expected, kind)
        assert one.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_array_equal(one[name], value)
    for kind in ("state", "estimator_grads"):
        one, other = getattr(found, kind), getattr(expected, kind)
        for node, entries in other.items():
            for name, value in entries.items():
                np.testing.assert_array_equal(one[node][name], value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("runs", [1, 5])
def test_it_returns_what_a_call_returns(steps, backend, runs):
    step = steps[backend]
    params, state = step.graph.init(seed=0), step.init(seed=1)
    fast = step.bind(params, runs=runs, x=X, state=state)
    for seed in (0, 3, (1, 2), 2**70):
        expected = step(params, seed=seed, runs=runs, x=X, state=state)
        assert_same(fast(seed), expected)
    assert fast.runs == runs and fast.step is step


def test_it_guards_and_differentiates_twice_as_a_call_does():
    g = model()
    params = g.init(seed=0)
    score = {"h": scg.ScoreFunction(), "z": scg.Reparameterization()}
    step = scg.compile(g, score, order=2, check_finite=True)
    expected = step(params, seed=1, runs=3, x=X)
    found = step.bind(params, runs=3, x=X)(1)
    assert_same(found, expected)
    np.testing.assert_array_equal(found.hessian["w"]["s"], expected.hessian["w"]["s"])


def test_the_next_call_overwrites_compiled_results_but_not_those_of_plain_calls(steps):
    step = steps["numba"]
    params = step.graph.init(seed=0)
    fast = step.bind(params, x=X)
    kept = step(params, seed=1, x=X)
    first = fast(1)
    gradient = first.grads["w"]
    copied = gradient.copy()
    second = fast(2)
    assert second.grads["w"] is not kept.grads["w"]
    assert np.shares_memory(gradient, second.grads["w"]) and not np.array_equal(gradient, copied)
    np.testing.assert_array_equal(kept.grads["w"], copied)
    del fast, first, second  # its frame serves others now, its results do not
    overwritten = gradient.copy()
    step(params, seed=3, x=X)
    np.testing.assert_array_equal(gradient, overwritten)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_of_the_right_kind_are_read_in_place(steps, backend):
    step = steps[backend]
    params = step.graph.init(seed=0)
    x = X.copy()
    fast = step.bind(params, x=x)
    before = fast(1).cost
    x *= 2.0
    params["w"] += 0.5
    assert fast(1).cost != before
    assert fast(1).cost == step(params, seed=1, x=x).cost
    params["s"] = np.array(99.0)  # another array: this one was bound by value
    assert fast(1).cost == step({**params, "s": 0.8}, seed=1, x=x).cost


def test_other_arrays_are_copied(steps):
    step = steps["numba"]
    params = step.graph.init(seed=0)
    x = np.asfortranarray(X)
    whole = np.arange(6).reshape(3, 2)
    fast = step.bind({**params, "w": whole}, x=x)
    before = fast(1).cost
    x *= 2.0
    whole += 1
    assert fast(1).cost == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_of_runs_are_merged(steps, backend, monkeypatch):
    step = steps[backend]
    params = step.graph.init(seed=0)
    whole = step(params, seed=1, runs=23, x=X)
    sizes = step.checked(params, {"x": X}, None)[1]
    elements = program.BLOCK_ELEMENTS // step.program.block_length(sizes) + 1
    monkeypatch.setattr(program, "BLOCK_ELEMENTS", 5 * elements)
    assert 3 <= step.program.block_length(sizes) <= 5
    for found in (step(params, seed=1, runs=23, x=X), step.bind(params, runs=23, x=X)(1)):
        assert found.runs == 23 and found.cost == pytest.approx(whole.cost, rel=1e-12)
        for name in params:
            np.testing.assert_allclose(found.grads[name], whole.grads[name], rtol=1e-10)
            np.testing.assert_allclose(found.stderr[name], whole.stderr[name], rtol=1e-10)


def test_blocks_of_a_thousand_million_runs_have_bounded_memory(steps):
    step = steps["numpy"]
    sizes = step.checked(step.graph.init(seed=0), {"x": X}, None)[1]
    end = count = 0
    for block in step.program.blocks(10**9, sizes):
        assert block.start == end and 0 < len(block) <= step.program.block_length(sizes)
        end, count = block.stop, count + 1
    assert end == 10**9
    assert count < 10**9 // 10_000
    big = step.program.blocks(3, {plate: 10**12 for plate in sizes})
    assert [len(block) for block in big] == [1, 1, 1]


def test_a_seed_has_so_many_runs_and_not_more(steps):
    step = steps["numpy"]
    with pytest.raises(scg.CallError, match=r"one seed has 2\*\*32 runs"):
        step(step.graph.init(seed=0), seed=1, runs=2**32 + 1, x=X)


@pytest.mark.parametrize("backend", BACKENDS)
def test_errors(steps, backend):
    step = steps[backend]
    params = step.graph.init(seed=0)
    with pytest.raises(scg.CallError, match="unknown parameter 'v'"):
        step.bind({**params, "v": 1.0}, x=X)
    with pytest.raises(scg.CallError, match="data 'x' is missing"):
        step.bind(params)
    with pytest.raises(scg.CallError, match="runs must be a positive integer"):
        step.bind(params, x=X, runs=0)
    fast = step.bind(params, x=X)
    for seed in (None, 0.5, (), -1):
        with pytest.raises(scg.CallError, match="seed"):
            fast(seed)
    draw = step.graph.sampler(params, nodes=["h"], data={"x": X}, backend=backend)
    for call in (fast, draw):
        for wrong in (call, lambda c=call: c(1, 2), lambda c=call: c(1, runs=2)):
            with pytest.raises(scg.CallError, match="takes a seed, which has no default, and noth"):
                wrong()
    assert_same(fast(1), step(params, seed=1, x=X))  # and none of them did harm


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_noise_a_seed_is_checked_all_the_same(backend):
    g = scg.Graph("plain")
    g.cost("loss", g.parameter("t", 2.0) ** 2)
    step = scg.compile(g, backend=backend)
    out = step(g.init(seed=0), seed=1, runs=3)
    assert (out.cost, out.grads["t"], out.stderr["t"]) == (4.0, 4.0, 0.0)
    with pytest.raises(scg.CallError, match="seed"):
        step(g.init(seed=0), seed=-1)


def test_threads_take_one_bound_step_each_of_one_step(steps):
    step = steps["numba"]
    params = step.graph.init(seed=0)
    seeds = range(400)
    expected = [step(params, seed=seed, x=X).cost for seed in seeds]

    def work(k):
        fast = step.bind(params, x=X)
        return [fast(seed).cost for seed in seeds[k::4]]

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(work, range(4)))
    assert [parts[seed % 4][seed // 4] for seed in seeds] == expected


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_copies(backend):
    """A step is one value, as a function is; a bound step has one result."""
    g = scg.Graph("copied")
    z = g.sample("z", scg.Normal(g.parameter("mu", 0.5), 1.0))
    g.cost("loss", z**2)
    step = scg.compile(g, backend=backend)
    assert copy.copy(step) is step and copy.deepcopy({"step": step})["step"] is step
    bound = step.bind(g.init(seed=0), runs=2)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"overwrite the same result; call step\.bind again"):
            copied(bound)
    with pytest.raises(TypeError, match=r"graph 'copied' cannot be pickled, .*pickle step\.graph"):
        pickle.dumps(step)
    there = scg.compile(pickle.loads(pickle.dumps(step.graph)), backend=backend)
    params = g.init(seed=0)
    assert there(params, seed=1).cost == step(params, seed=1).cost
