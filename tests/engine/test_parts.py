"""Large loops in parts: the same bits for every number of threads, and the interpreter's values."""

import threading

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.table import parts
from scg.engine.walk.executable import Executable
from scg.ops import elementwise, reductions
from scg.ops.linalg import contract

pytest.importorskip("numba")
pytestmark = pytest.mark.usefixtures("own_threads")

PLATE, OTHER = scg.Plate("batch"), scg.Plate("other")
SIZE = 5 * parts.LEAST // 12 + 7


def outputs():
    graph = scg.Graph("large")
    x = graph.data("x", shape=(3, 4), plates=PLATE)
    w = graph.data("w", shape=(4,))
    y = elementwise.exp(x) * w
    whole = elementwise.where(x > 0, 2, 3)
    return {
        "map": y,
        "rows": reductions.sum(y, axis=-1),
        "middle": reductions.sum(y, axis=0),
        "columns": reductions.plate_sum(y, PLATE),
        "total": reductions.sum(reductions.plate_sum(y, PLATE)),
        "largest": reductions.plate_max(x, PLATE),
        "count": reductions.sum(reductions.plate_sum(whole, PLATE)),
        "joined": np.concatenate([y, x], axis=0),
        "transposed": y.T + 1.0,
    }


def run(engine, values):
    return engine.run({leaf: values[leaf.attrs["name"]] for leaf in engine.leaves}, {PLATE: SIZE})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_agree_with_the_interpreter_and_do_not_depend_on_threads(dtype):
    rng = np.random.default_rng(0)
    values = {
        "x": rng.normal(size=(SIZE, 3, 4)).astype(dtype),
        "w": rng.normal(size=4).astype(dtype),
    }
    values["x"][11, 2, 1] = np.nan  # a maximum shows it
    declared = outputs()
    engine = Executable(declared, dtype)
    plan = engine.plan({PLATE: SIZE})
    assert any(stage.work for stage in plan.stages)
    expected = run(Interpreter(declared, dtype), values)
    found = []
    for threads in (1, 2, 5):
        scg.set_threads(threads)
        found.append(run(engine, values))
    for key, value in expected.items():
        rtol = 1e-12 if dtype == np.float64 else 2e-5
        np.testing.assert_allclose(found[0][key], value, rtol=rtol, atol=rtol, err_msg=key)
        for other in found[1:]:
            np.testing.assert_array_equal(other[key], found[0][key], err_msg=key)


@pytest.mark.parametrize("engine", [Interpreter, Executable])
def test_sums_in_single_precision_do_not_gather_rounding(engine):
    """Equal numbers are the worst case: all roundings have one sign."""
    graph, rows, few, many = scg.Graph("sums"), 30_001, scg.Plate("few"), scg.Plate("many")
    x = graph.data("x", shape=(3,), plates=many)
    y = graph.data("y", shape=(3,), plates=(few, many))
    z = graph.data("z", shape=(rows, 2))
    outputs = {
        "plate": reductions.plate_sum(x, many),
        "plates": reductions.plate_sum(y * x, (few, many)),
        "first axis": np.sum(z, axis=0),
        "last axis": np.sum(z.T + 1.0, axis=-1),
        "all": np.sum(z),
        "cumulative": np.cumsum(z, axis=0),
        "exponentials": scg.logsumexp(1e3 * z, axis=0),
        "length": np.linalg.norm(z, axis=0),
    }
    shapes = {"x": (rows, 3), "y": (4, rows, 3), "z": (rows, 2)}
    values = {name: np.full(shape, 0.1, np.float32) for name, shape in shapes.items()}
    found, expected = (
        one.run({leaf: values[leaf.attrs["name"]] for leaf in one.leaves}, {many: rows, few: 4})
        for one in (engine(outputs, np.float32), Interpreter(outputs))
    )
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=2e-5, err_msg=key)


def test_a_loop_is_cut_by_its_size():
    assert parts.ends(10**6, parts.LARGE - 1) is None
    assert parts.ends(1, 10**9) is None
    assert parts.ends(3, 10**9) == [0, 1, 2, 3]
    assert len(parts.ends(10**9, 10**9)) == parts.MOST + 1


def test_a_loop_is_cut_along_a_plate_rather_than_along_few_steps_that_add_up():
    x = scg.Graph("p").data("x", shape=(72, 7), plates=PLATE)
    outputs = {"pooled": np.mean(x, axis=0)}
    stages = Executable(outputs, np.float32).plan({PLATE: 1000}).stages
    assert max(len(stage.rows) for stage in stages) > 3


def test_rows_are_cut_by_what_they_read():
    x = scg.Graph("p").data("x", shape=(72, 9), plates=PLATE)
    stages = Executable({"y": scg.avg_pool(x, (72, 2), 1)}, np.float32).plan({PLATE: 1000}).stages
    assert max(len(stage.rows) for stage in stages) > 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_in_parts_is_that_of_the_interpreter(dtype):
    elements = parts.LARGE // 8 + 5001  # odd: the last block gives one element
    g = scg.Graph("noise")
    x = g.sample("x", scg.Normal(np.zeros(elements), np.ones(elements)))
    g.cost("loss", np.sum(x * x * g.parameter("a", 1.0)))
    step = scg.compile(g, backend="numba", dtype=dtype)
    reference = scg.compile(g, backend="numpy", dtype=dtype)
    params = g.init(seed=0)
    ours = [step(params, seed=3, runs=runs).cost for runs in (1, 2)]
    theirs = [reference(params, seed=3, runs=runs).cost for runs in (1, 2)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6 if dtype == "float32" else 1e-12)


def toy():
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    return scg.compile(g, estimator=scg.ScoreFunction(), backend="numba"), g.init(seed=0)


def test_several_threads_share_the_helpers():
    scg.set_threads(2)
    step, params = toy()
    expected = [step(params, seed=i, runs=500_000).cost for i in range(4)]
    found = [None] * 4

    def work(i):
        for _ in range(3):
            found[i] = step(params, seed=i, runs=500_000).cost

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_with_a_long_inner_axis_are_sums_of_parts(dtype):
    """For each order of factors and axes; results of vectors do not depend on threads."""
    graph, rows = scg.Graph("tall"), 70_001
    a, b = graph.data("a", shape=(20,), plates=PLATE), graph.data("b", shape=(3,), plates=PLATE)
    u, v = graph.data("u", plates=PLATE), graph.data("v", shape=(20, rows))

    def over(x, y, left, right, out):
        return contract(x, y, left=left, right=right, out=out, over=(PLATE,))

    outputs = {
        "ab": over(a, b, (1,), (2,), (1, 2)),
        "ba": over(a, b, (1,), (2,), (2, 1)),
        "au": over(a, u, (1,), (), (1,)),
        "ub": over(u, b, (), (2,), (2,)),
        "vv": v @ v.T,
        "v1": v @ v[0],
    }
    rng = np.random.default_rng(0)
    values = {
        "a": rng.normal(size=(rows, 20)),
        "b": rng.normal(size=(rows, 3)),
        "u": rng.normal(size=rows),
        "v": rng.normal(size=(20, rows)),
    }
    engine, oracle = Executable(outputs, dtype), Interpreter(outputs, np.float64)
    wanted = oracle.run({leaf: values[leaf.attrs["name"]] for leaf in oracle.leaves}, {PLATE: rows})
    found = []
    for threads in (1, 2):
        scg.set_threads(threads)
        leaves = {leaf: values[leaf.attrs["name"]].astype(dtype) for leaf in engine.leaves}
        found.append({key: x.copy() for key, x in engine.run(leaves, {PLATE: rows}).items()})
        entries = engine.plan({PLATE: rows}).stages
        assert sum(len(stage.rows) > 1 for stage in entries) >= 2 * threads
    for key, value in wanted.items():
        scale = np.abs(value).max()
        for out in found:
            atol = (1e-14 if dtype == np.float64 else 4e-6) * scale
            np.testing.assert_allclose(out[key], value, atol=atol)
    for key in ("au", "ub", "v1"):
        np.testing.assert_array_equal(found[0][key], found[1][key])


def test_rows_are_cut_where_parts_write_apart():
    graph, rows = scg.Graph("rows"), 30_000
    x = graph.data("x", shape=(3, 3), plates=PLATE)
    k, table = graph.data("k", plates=PLATE, kind="int"), graph.data("table", shape=(50, 8))
    positive = x @ x.T + np.eye(3)
    outputs = {
        "cumsum": np.cumsum(x, axis=0),
        "sort": np.sort(x, axis=-1),
        "taken": table[k],
        "factor": np.linalg.cholesky(positive),
        "added": scg.grad(np.sum(table[k] ** 2), [table])[0],
    }
    rng = np.random.default_rng(0)
    values = {
        "x": rng.normal(size=(rows, 3, 3)),
        "k": rng.integers(-50, 50, rows),
        "table": rng.normal(size=(50, 8)),
    }
    engine, oracle = Executable(outputs), Interpreter(outputs)
    leaves, wanted = (
        {leaf: values[leaf.attrs["name"]] for leaf in one.leaves} for one in (engine, oracle)
    )
    wanted = oracle.run(wanted, {PLATE: rows})
    scg.set_threads(2)
    found = engine.run(leaves, {PLATE: rows})
    assert sum(len(stage.rows) > 1 for stage in engine.plan({PLATE: rows}).stages) >= 4
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-12, atol=1e-13, err_msg=key)
    values["k"][-5] = 50
    with pytest.raises(scg.CallError, match="50"):
        engine.run({leaf: values[leaf.attrs["name"]] for leaf in engine.leaves}, {PLATE: rows})
