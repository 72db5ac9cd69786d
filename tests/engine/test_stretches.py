"""Stretches of runs: the interpreter's moments, for every number of runs and of threads."""

from types import SimpleNamespace

import numpy as np
import pytest

import scg
from scg.engine import blocks as splits
from scg.engine import program, sampler
from scg.engine.walk import stretches

pytest.importorskip("numba")
pytestmark = pytest.mark.usefixtures("own_threads")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks and stretches of few runs; samplers of other sizes are not kept."""
    monkeypatch.setattr(program, "BLOCK_ELEMENTS", 1 << 15)
    monkeypatch.setattr(splits, "ELEMENTS", 1 << 13)
    monkeypatch.setattr(splits, "FEWEST", 8)
    monkeypatch.setattr(sampler, "MOST", 20)


def model():
    """A graph with noise of both laws, a plate, a vector, and a gradient without noise."""
    g = scg.Graph("model")
    batch = scg.Plate("batch")
    x = g.data("x", shape=(), plates=batch)
    w, s, free = g.parameter("w", [0.3, -0.7]), g.parameter("s", 0.2), g.parameter("free", 1.5)
    k = g.sample("k", scg.Bernoulli(logits=w + x * np.array([1.0, 0.5])))
    z = g.sample("z", scg.Normal(s, np.exp(s)))
    g.cost("loss", np.sum(k) * x + z**2 + free * x)
    return g


ESTIMATOR = {"k": scg.ScoreFunction(), "z": scg.Reparameterization()}


def both(dtype="float64", order=1):
    steps = [
        scg.compile(model(), ESTIMATOR, backend=b, dtype=dtype, order=order)
        for b in ("numba", "numpy")
    ]
    return *steps, steps[0].graph.init(seed=0), {"x": np.array([0.5, -1.0, 2.0])}


def used(monkeypatch):
    """Note the runs of all stretches that are made."""
    made = []
    init = stretches.Stretches.__init__

    def noting(self, connect, code, runs, blocks):
        made.append(stretches.STRETCHES * runs * blocks)
        init(self, connect, code, runs, blocks)

    monkeypatch.setattr(stretches.Stretches, "__init__", noting)
    return made


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("runs", [500, 20_001, 60_000])
def test_moments_are_those_of_the_interpreter(monkeypatch, dtype, runs):
    made = used(monkeypatch)
    ours, theirs, params, data = both(dtype)
    found = ours(params, seed=3, runs=runs, data=data)
    expected = theirs(params, seed=3, runs=runs, data=data)
    pieces = {500: 0, 20_001: 1, 60_000: 2}[runs]  # the second is a shorter one
    assert len(made) == pieces
    assert not made or (runs - made[-1]) % made[0] < splits.STRETCHES * sampler.MOST
    rtol = 1e-11 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(found.cost, expected.cost, rtol=rtol)
    for name, grad in expected.grads.items():
        np.testing.assert_allclose(found.grads[name], grad, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(found.stderr[name], expected.stderr[name], rtol=rtol)
        assert found.grads[name].dtype == grad.dtype
    assert found.stderr["free"] == 0.0


@pytest.mark.parametrize("runs", [2**17, 12_345_678, 10**9, 2**32])
@pytest.mark.parametrize("elements", [1, 20, 777, 2048])
def test_pieces_cover_all_runs_and_are_small(monkeypatch, runs, elements):
    monkeypatch.undo()
    longest = splits.longest_block(runs, elements)
    if not longest:
        assert runs * elements < splits.STRETCHES * splits.ELEMENTS
        return
    one = object.__new__(sampler.MomentSampler)
    one._runs, one._longest = runs, longest
    one._stretch = lambda _, block, blocks: (block, blocks)
    one._connect = lambda _, rest: SimpleNamespace(run=(rest, 0))
    covered = 0
    for (block, blocks), each, times in one._pieces({}):
        covered += each * times
        if blocks:
            assert each == splits.STRETCHES * block * blocks
            assert 0 < block <= longest and blocks <= sampler.MOST
        else:
            assert each == block < splits.STRETCHES * sampler.MOST
    assert covered == runs


def test_hessians_are_means_of_all_stretches(monkeypatch):
    made = used(monkeypatch)
    ours, theirs, params, data = both(order=2)
    found, expected = (
        step(params, seed=3, runs=20_001, data=data).hessian for step in (ours, theirs)
    )
    assert made
    for a in params:
        for b in params:
            np.testing.assert_allclose(found[a][b], expected[a][b], rtol=1e-10, atol=1e-10)


def test_threads_change_no_bit_and_calls_keep_their_results():
    step, _, params, data = both()
    fast = step.bind(params, runs=30_000, data=data)
    found = []
    for threads in (1, 2, 3):
        scg.set_threads(threads)
        found.append(step(params, seed=5, runs=30_000, data=data))
        assert fast(5).cost == found[0].cost
    step(params, seed=6, runs=30_000, data=data)
    for other in found[1:]:
        for name, grad in other.grads.items():
            np.testing.assert_array_equal(grad, found[0].grads[name])
            np.testing.assert_array_equal(other.stderr[name], found[0].stderr[name])


def test_a_bound_step_sees_changed_parameters():
    step, reference, params, data = both()
    params = {name: np.array(value) for name, value in params.items()}
    fast = step.bind(params, runs=30_000, data=data)
    before = fast(5).cost
    params["w"][...] += 1.0
    expected = reference(params, seed=5, runs=30_000, data=data).cost
    assert fast(5).cost == pytest.approx(expected, rel=1e-11)
    assert abs(before - expected) > 0.01


def test_an_index_out_of_bounds_raises_the_interpreters_error():
    g = scg.Graph("choice")
    k = g.sample("k", scg.Categorical(logits=g.parameter("logits", np.zeros(6))))
    g.cost("loss", np.exp(g.parameter("w", np.arange(5.0)))[k])
    errors = []
    for backend in ("numba", "numpy"):
        step = scg.compile(g, scg.ScoreFunction(), backend=backend)
        with pytest.raises(scg.CallError) as raised:
            step(g.init(seed=0), seed=0, runs=30_000)
        errors.append(str(raised.value))
    assert "out of bounds" in errors[0] and "5" in errors[0]


def test_a_users_op_takes_blocks_through_python(monkeypatch):
    made = used(monkeypatch)
    g = scg.Graph("op")
    k = g.sample("k", scg.Bernoulli(logits=g.parameter("w", 0.3)))
    g.cost("loss", scg.op(lambda k: 2.0 * k, name="twice")(k))
    ours, theirs = (scg.compile(g, scg.ScoreFunction(), backend=b) for b in ("numba", "numpy"))
    found = ours(g.init(seed=0), seed=1, runs=9_000).cost
    assert found == pytest.approx(theirs(g.init(seed=0), seed=1, runs=9_000).cost, rel=1e-12)
    assert not made
