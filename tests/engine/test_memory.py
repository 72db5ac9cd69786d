"""Memory of many runs: blocks of bounded size, for plates, samples and alternatives."""

import numpy as np
import pytest

import scg
from scg.engine import program

pytest.importorskip("numba")
BLOCK = 1 << 15


@pytest.fixture(scope="module", params=["plate", "samples", "alternatives", "hessian"])
def step(request):
    g = scg.Graph("bits")
    x = g.data("x", shape=(6,), plates=scg.Plate("batch"))
    w, v = g.parameter("w", shape=(6, 8)), g.parameter("v", shape=(8, 5))
    h = g.sample("h", scg.Bernoulli(logits=x @ w))
    g.cost("loss", np.sum(np.tanh(h @ v) ** 2))
    estimator = {"samples": scg.LeaveOneOut(samples=4), "alternatives": scg.RAM()}
    order = 2 if request.param == "hessian" else 1
    chosen = estimator.get(request.param, scg.ScoreFunction())
    return scg.compile(g, chosen, backend="numba", order=order)


@pytest.mark.parametrize("batch", [3, 20])
def test_no_block_of_runs_is_larger_than_the_bound_or_than_one_run(step, batch, monkeypatch):
    monkeypatch.setattr(program, "BLOCK_ELEMENTS", BLOCK)
    params = step.graph.init(seed=0)
    _, sizes, _ = step.checked(params, {"x": np.ones((batch, 6))}, None)
    one = step.program._size(sizes)
    engine = step.program.engine(program.RUNS, reduced=True)
    for runs in (2, 30, 400, 3000):
        block = step.program.at_once(runs, sizes)
        longest = step.program._longest(runs, sizes)
        assert block == runs if longest else block <= max(1, BLOCK // one)
        plan = engine.plan({**sizes, program.RUNS: longest or block})
        outside = 2 * sum(np.prod(e.shape) for e in step.program.outputs.values())
        assert plan._bytes + plan.ports.bytes <= 8 * (2 * max(BLOCK, one) + outside) + (1 << 13)
    found = step(params, seed=1, runs=30, x=np.ones((batch, 6)))
    monkeypatch.setattr(program, "BLOCK_ELEMENTS", 1 << 23)
    step.program._samplers.clear()
    whole = step(params, seed=1, runs=30, x=np.ones((batch, 6)))
    np.testing.assert_allclose(found.grads["w"], whole.grads["w"], rtol=1e-12, atol=1e-13)
