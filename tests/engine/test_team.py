"""Teams: threads that walk one table together, come late, fail, are interrupted, and fork."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import scg
from scg.engine.walk import blas, team

pytest.importorskip("numba")
pytestmark = pytest.mark.usefixtures("own_threads")


def network(rows=300, dtype="float64"):
    """A step of products, loops and noise, all of them large enough to be cut."""
    g = scg.Graph("network")
    x = g.data("x", shape=(120,), plates=scg.Plate("batch"))
    h = g.sample("h", scg.Bernoulli(logits=x @ g.parameter("w", shape=(120, 90))))
    g.cost("loss", np.sum((h @ g.parameter("v", shape=(90, 120)) - x) ** 2))
    step = scg.compile(g, scg.LeaveOneOut(samples=3), backend="numba", dtype=dtype)
    rng = np.random.default_rng(0)
    params = {n: rng.normal(0, 0.1, v.shape).astype(dtype) for n, v in g.init(seed=0).items()}
    return step, params, {"x": rng.normal(size=(rows, 120)).astype(dtype)}


def test_a_team_computes_what_the_interpreter_does():
    step, params, data = network()
    reference = scg.compile(step.graph, scg.LeaveOneOut(samples=3), backend="numpy")
    for threads in (1, 2, 3):
        scg.set_threads(threads)
        found, expected = (s(params, seed=4, data=data) for s in (step, reference))
        for name, grad in expected.grads.items():
            np.testing.assert_allclose(found.grads[name], grad, rtol=1e-9, atol=1e-12)


def test_products_and_loops_are_shared_and_the_library_gets_its_threads_back(monkeypatch):
    scg.set_threads(2)
    team._ready(1)
    woken = []
    put = team._waiting.put
    waiting = type("Queue", (), {"put": lambda _, work: (woken.append(blas._get()), put(work))})
    monkeypatch.setattr(team, "_waiting", waiting())
    step, params, data = network()
    step(params, seed=0, data=data)
    assert woken == [1]  # one helper, called while products have one thread
    assert blas._get() == blas.threads() == 2
    plan = next(iter(step.program.engine()._plans.values()))
    large = [stage for stage in plan.stages if stage.work]
    shared = {type(plan._steps[s.number][0]).__name__ for s in large if s.number is not None}
    assert shared == {"Gemm", "Loop"}
    assert any(stage.draws for stage in large)


def test_a_helper_that_comes_late_or_too_early_finds_nothing(monkeypatch):
    scg.set_threads(2)
    team._ready(1)
    late = []
    monkeypatch.setattr(team, "_waiting", type("Queue", (), {"put": lambda _, x: late.append(x)})())
    step, params, data = network()
    expected = step(params, seed=0, data=data).cost
    fast = step.bind(params, data=data)
    late[0]()  # the call is over
    first = fast(0).cost
    for helper in late:
        helper()
    assert first == expected == fast(0).cost


def test_many_threads_call_and_help():
    scg.set_threads(3)
    step, params, data = network(rows=64)
    expected = [step(params, seed=i, data=data) for i in range(4)]
    found = [None] * 4

    def work(i):
        fast = step.bind(params, data=data)
        for _ in range(100):
            found[i] = step(params, seed=i, data=data)
            assert fast(i).cost == found[i].cost

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one, other in zip(found, expected, strict=True):
        assert one.cost == other.cost
        for name, grad in one.grads.items():
            np.testing.assert_array_equal(grad, other.grads[name])
    assert blas.threads() == 3


def test_threads_that_are_set_during_a_call_hold_after_it():
    scg.set_threads(2)
    with blas.one_thread as outside:
        assert outside == blas.threads() == 2
        with blas.one_thread as outside:
            assert outside == 2
            blas.set_threads(3)
        assert blas._get() == 1
    assert blas._get() == blas.threads() == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failing_part_raises_the_interpreters_error_and_the_next_call_is_right(threads):
    scg.set_threads(threads)
    g = scg.Graph("choice")
    k = g.data("k", shape=(1000,), kind="int", plates=scg.Plate("batch"))
    w = g.parameter("w", np.arange(7.0))
    g.cost("loss", np.sum(np.exp(w[k]) * 1e-3))
    step = scg.compile(g, backend="numba")
    rng = np.random.default_rng(0)
    good = rng.integers(0, 7, (2000, 1000))
    bad = good.copy()
    bad[1234, 5] = 7
    expected = step(g.init(seed=0), seed=0, k=good)
    with pytest.raises(scg.CallError, match="7 in node 'k'"):
        step(g.init(seed=0), seed=0, k=bad)
    assert step(g.init(seed=0), seed=0, k=good).cost == expected.cost
    assert blas.threads() == threads


def test_an_interrupt_before_the_call_leaves_everything_as_it_was(monkeypatch):
    scg.set_threads(2)
    team._ready(1)
    other, params, data = network()
    expected = other(params, seed=0, data=data).cost
    step, _, _ = network()  # at its table no helper is still looking
    queue, early = team._waiting, []

    class Interrupted:
        def put(self, helper):
            early.append(helper)
            raise KeyboardInterrupt

    monkeypatch.setattr(team, "_waiting", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        step(params, seed=0, data=data)
    early[0]()  # who leads has not begun: nothing is there to do
    assert blas.threads() == blas._get() == 2
    monkeypatch.setattr(team, "_waiting", queue)
    assert step(params, seed=0, data=data).cost == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_starts_helpers_of_its_own():
    code = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import scg
from scg.engine.walk import blas, team
from test_team import network
scg.set_threads(2)
step, params, data = network()
expected = step(params, seed=0, data=data).cost
assert len(team._helpers) == 1
with blas.one_thread:
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        assert not team._helpers and blas.threads() == 2
        assert step(params, seed=0, data=data).cost == expected
        assert len(team._helpers) == 1
        os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    subprocess.run([*command, str(Path(__file__).parent)], check=True, timeout=60)
