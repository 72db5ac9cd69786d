"""Scatters whose arrays keep their zeros from run to run."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.program import RUNS
from scg.errors import CallError
from scg.ops.gather import scatter
from scg.schedule import clear

pytest.importorskip("numba")
PLATE, ROWS = scg.Plate("batch"), 70


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch):
    monkeypatch.setattr(clear, "LARGE", 1)


def program():
    """Sums of values with one index, at a second index."""
    graph = scg.Graph("tables")
    g, k = graph.data("g", shape=(3,), plates=PLATE), graph.data("k", plates=PLATE, kind="int")
    j = graph.data("j", plates=PLATE, kind="int")
    table = scatter(g, k, length=ROWS, rank=2, index_rank=0, over=(PLATE,))
    return {"rows": table[j] * 2.0, "total": np.sum(np.square(table))}


def engines(outputs):
    from scg.engine.walk.executable import Executable

    return Executable(outputs), Interpreter(outputs)


def drawn(size, seed):
    rng = np.random.default_rng(seed)
    k, j = rng.integers(-ROWS, ROWS, (2, size))
    return {"g": rng.normal(size=(size, 3)), "k": k, "j": j}


def run(engine, values):
    leaves = {leaf: values[leaf.attrs["name"]] for leaf in engine.leaves}
    return engine.run(leaves, {PLATE: len(values["k"])})


def test_every_run_begins_with_zeros():
    engine, oracle = engines(program())
    assert [loop.items[0].expr.op.name for loop in engine.schedule.entries[-1:]] == ["clear_at"]
    kernels = [source for source in engine.sources if source and "row_add_at" in source]
    assert len(kernels) == 1 and "store" not in kernels[0]  # nothing fills the table
    for seed in range(5):
        for size in (1, 6, 50):
            values = drawn(size, seed)
            found, wanted = run(engine, values), run(oracle, values)
            for key, value in wanted.items():
                np.testing.assert_allclose(found[key], value, rtol=1e-13, atol=1e-14)


def test_a_run_that_fails_leaves_zeros():
    engine, oracle = engines(program())
    values = drawn(6, 0)
    run(engine, values)
    with pytest.raises(CallError, match=str(ROWS)):
        run(engine, {**values, "j": np.full(6, ROWS)})
    for seed in range(3):
        values = drawn(6, seed)
        np.testing.assert_allclose(run(engine, values)["rows"], run(oracle, values)["rows"])


def test_a_table_that_the_caller_receives_is_filled():
    outputs = program()
    table = outputs["total"].args[0].args[0]
    engine, oracle = engines({**outputs, "table": table})
    assert not engine.schedule.kept
    for seed in range(3):
        values = drawn(6, seed)
        np.testing.assert_allclose(run(engine, values)["table"], run(oracle, values)["table"])


def test_many_runs_have_tables_of_their_own():
    """A sampled class adds to a table in each run, in blocks and in stretches."""
    steps = []
    for backend in ("numba", "numpy"):
        g = scg.Graph("classes")
        w = g.parameter("w", np.linspace(-1.0, 1.0, ROWS))
        k = g.sample("k", scg.Categorical(logits=w), plates=scg.Plate("draws", length=3))
        x = g.data("x", plates=PLATE)
        g.cost("loss", scg.plate_mean(np.sin(1.0 * k), k.plates[0]) * x)
        steps.append(scg.compile(g, scg.ScoreFunction(), backend=backend))
    assert steps[0].program.engine(RUNS, reduced=True).schedule.kept
    params, data = steps[0].graph.init(seed=0), {"x": np.ones(2)}
    for runs in (1, 40, 9000):
        found, wanted = (step(params, seed=4, runs=runs, data=data) for step in steps)
        np.testing.assert_allclose(found.grads["w"], wanted.grads["w"], rtol=1e-9, atol=1e-11)
