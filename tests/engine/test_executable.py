"""The compiled engine against its oracle, the interpreter, on the same noise."""

import concurrent.futures
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scg
from scg.engine.codegen import native
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ir.op import OPS
from scg.ir.plate import Plate
from scg.ops import elementwise, linalg, reductions, shape, special
from scg.run.finish import finish

pytest.importorskip("numba")


@pytest.fixture(scope="module", autouse=True)
def private_cache(tmp_path_factory):
    """Kernels of these tests are compiled for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCG_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        yield


def leaves(plates, **shapes):
    graph = scg.Graph("leaves")
    return graph, [
        graph.data(name, shape=s, plates=p)
        for (name, s), p in zip(shapes.items(), plates, strict=True)
    ]


def both(outputs, values, sizes, dtype=np.float64):
    """Return the engine and the results of both on the same leaves."""
    names = outputs if isinstance(outputs, dict) else dict(enumerate(outputs))
    engine = Executable(names, dtype)
    oracle = Interpreter(names, dtype)

    def bound(e):
        return {x: values[x.attrs["name"]] for x in e.leaves if x.op.name != "plate_size"}

    return engine, engine.run(bound(engine), sizes), oracle.run(bound(oracle), sizes)


def assert_agree(found, expected, rtol=1e-12, atol=1e-13):
    assert found.keys() == expected.keys()
    for key in found:
        a, b = np.asarray(found[key]), np.asarray(expected[key])
        assert a.shape == b.shape, key
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=str(key))


BATCH, OTHER = scg.Plate("batch"), scg.Plate("other")
SKIPPED = "copy cross gate graft where ndtri binomial_probability within possible quotient".split()


def test_every_statement_agrees_in_one_nest_each():
    _, (x, y) = leaves([BATCH, None], x=(5,), y=(5,))
    unary, binary = {}, {}
    for name, op in OPS.items():
        statement = op.kernel
        if not statement or name in SKIPPED or "logical" in name or "f8(" in statement:
            continue  # tests/ops/test_native.py has all ops
        if "{1}" in statement:
            binary[name] = op(x, y)
        else:
            unary[name] = op(x)
    extra = {
        "ndtri": special.ndtri(elementwise.sigmoid(x)),
        "where": elementwise.where(x > y, x, 2.5),
        "and": elementwise.logical_and(x > 0, y > 0),
        "or": elementwise.logical_or(x > 0, elementwise.logical_not(y > 0)),
        "int": elementwise.where(x > 0, 1, 2) * 3 - 1,
        "powers": x**3 + y**4 + x**-2 + (-x) ** 5,
        "mixed": elementwise.where(x > 0, 1, 2) / 4 + y,
    }
    values = {"x": np.linspace(0.05, 3, 30).reshape(6, 5), "y": np.linspace(0.1, 2, 5)}
    for part in (unary, binary, extra):
        engine, found, expected = both(part, values, {BATCH: 6})
        assert engine.schedule.fallbacks == []
        assert_agree(found, expected)


@pytest.mark.parametrize("size", [1, 2, 33])
def test_reductions_views_and_joins_agree_for_any_size_of_the_plate(size):
    _, (x, r, w) = leaves([BATCH, BATCH, None], x=(3, 4), r=(), w=(4,))
    row = reductions.sum(x, axis=-1)
    outputs = {
        "columns": reductions.plate_sum(x, BATCH),
        "all": reductions.sum(reductions.plate_sum(x * w, BATCH)),
        "row and column": (row, reductions.sum(x, axis=0))[1],
        "middle": reductions.sum(x, axis=0, keepdims=True) * x,
        "count": reductions.sum(x > 0.2, axis=-1) * 0.5,
        "whole numbers": reductions.plate_sum(elementwise.where(x > 0, 2, 3), BATCH),
        "max": reductions.max(x, axis=-1),
        "plate max": reductions.plate_max(x, BATCH),
        "softmax": reductions.softmax(x),
        "logsumexp": reductions.logsumexp(x - 800.0, axis=0),
        "slice": x[1:, ::2] + 1.0,
        "backwards": x[::-1, ::-1] * w,
        "transposed": x.T + r,
        "reshaped": (x.T + 0.0).reshape(12) * 2.0,
        "joined": np.concatenate([x, x[:1] * r, x + 1.0], axis=0),
        "expanded": reductions.expand(w, (BATCH,), (3, 4)),
        "leaf": w,
        "alone": r,
    }
    rng = np.random.default_rng(size)
    values = {
        "x": rng.normal(size=(size, 3, 4)),
        "r": rng.normal(size=size),
        "w": rng.normal(size=4),
    }
    _, found, expected = both(outputs, values, {BATCH: size})
    assert_agree(found, expected)


def test_products_agree_whatever_the_layout():
    _, (x, y, w, v) = leaves([BATCH, BATCH, None, None], x=(3,), y=(4,), w=(3, 4), v=(4, 5))
    outputs = {
        "forward": x @ w,
        "backward": y @ w.T,
        "weights": linalg.contract(x, y, left=(0,), right=(1,), out=(0, 1), over=(BATCH,)),
        "weights transposed": linalg.contract(
            x, y, left=(0,), right=(1,), out=(1, 0), over=(BATCH,)
        ),
        "dot": x @ (w @ y),
        "outer": linalg.outer(x, y),
        "chain": (x @ w) @ v,
        "vector": w @ y,
        "plain": w @ v,
        "transposed": (w @ v).T @ w,
        "batched": linalg.outer(x, y) @ v,
    }
    rng = np.random.default_rng(0)
    shapes = {"x": (7, 3), "y": (7, 4), "w": (3, 4), "v": (4, 5)}
    values = {name: rng.normal(size=s) for name, s in shapes.items()}
    engine, found, expected = both(outputs, values, {BATCH: 7})
    assert engine.schedule.fallbacks == []
    assert_agree(found, expected)


def test_ops_of_the_user_stay_python_and_are_counted():
    _, (x,) = leaves([BATCH], x=(4,))
    twice = scg.op(lambda v: 2.0 * v, shape=(4,), name="twice")
    squares = scg.op(lambda v: v * v, lambda g, y, v: 2.0 * g * v, shape=lambda s: s)
    a = elementwise.exp(x) + 1.0
    outputs = {"sum": shape.cumsum(twice(a)) * 2.0, "gamma": special.gammaln(squares(a)[1:])}
    engine, found, expected = both(
        outputs, {"x": np.random.default_rng(0).normal(size=(3, 4))}, {BATCH: 3}
    )
    assert [name.split(":")[:2] for name in sorted(engine.schedule.fallbacks)] == [
        ["op", "<lambda>"],
        ["op", "twice"],
    ]
    assert_agree(found, expected)


def test_extreme_floats_agree():
    _, (x,) = leaves([None], x=(14,))
    inf, tiny = np.inf, 5e-324
    values = [
        0.0,
        -0.0,
        inf,
        -inf,
        np.nan,
        tiny,
        -tiny,
        1e-310,
        1e308,
        -1e308,
        709.7,
        -745.0,
        37.0,
        -37.0,
    ]
    functions = (
        "exp",
        "expm1",
        "log",
        "log1p",
        "tanh",
        "sigmoid",
        "softplus",
        "relu",
        "sign",
        "ndtri",
    )
    outputs = {name: scg.ir.op.OPS[name](x) for name in functions}
    for dtype, rtol in ((np.float64, 1e-13), (np.float32, 2e-6)):
        with np.errstate(all="ignore"):
            point = np.array(values, dtype)
        _, found, expected = both(outputs, {"x": point}, {}, dtype)
        tiniest = np.finfo(dtype).smallest_subnormal
        assert_agree(found, expected, rtol=rtol, atol=2 * float(tiniest))


def grown(data, a, b):
    """Draw one more node on two others."""
    matrices = a.ndim == b.ndim == 2
    kind = data.draw(
        st.sampled_from(["mix", "tanh", "sum", "softmax", "plate", "back", "where", "outer"])
    )
    if kind == "mix" and matrices:
        return a * 0.5 + b
    if kind == "sum" and a.ndim:
        return reductions.sum(a, axis=-1, keepdims=True)
    if kind == "softmax" and a.ndim:
        return reductions.softmax(a)
    if kind == "plate" and a.plates:
        return reductions.plate_sum(a, BATCH)
    if kind == "back" and a.ndim:
        return a[..., ::-1]
    if kind == "where":
        return elementwise.where(a > 0.0, a, 0.1)
    if kind == "outer" and matrices:
        return linalg.outer(a[:, 0], b[:, 0])[:2, :1]
    return elementwise.tanh(a)


@given(st.data())
@settings(max_examples=12, derandomize=True)
def test_random_graphs_agree(data):
    """Random programs over few shapes: levels, fusion, views and buffers in any combination."""
    _, nodes = leaves([BATCH, None, BATCH], x=(2, 3), y=(3,), z=(2, 1))
    nodes = list(nodes)
    for _ in range(data.draw(st.integers(3, 12))):
        nodes.append(
            grown(data, data.draw(st.sampled_from(nodes)), data.draw(st.sampled_from(nodes)))
        )
    rng = np.random.default_rng(0)
    size = data.draw(st.integers(1, 3))
    values = {
        "x": rng.normal(size=(size, 2, 3)),
        "y": rng.normal(size=3),
        "z": rng.normal(size=(size, 2, 1)),
    }
    _, found, expected = both(nodes[-4:], values, {BATCH: size})
    assert_agree(found, expected, rtol=1e-11, atol=1e-12)


def model():
    g = scg.Graph("model")
    batch = scg.Plate("batch")
    x = g.data("x", shape=(6,), plates=batch)
    w = g.parameter("w", shape=(6, 4), init=scg.init.normal(0.5))
    v = g.parameter("v", shape=(4,), init=scg.init.normal(0.5))
    h = g.sample("h", scg.Bernoulli(logits=x @ w))
    z = g.sample("z", scg.Normal(h * v, 0.5))
    g.cost("loss", np.sum((z - 0.3) ** 2) + np.sum(h * v) ** 2)
    return g


@pytest.fixture(scope="module")
def steps():
    g = model()
    estimators = {"h": scg.LeaveOneOut(samples=3), "z": scg.Reparameterization()}
    return {
        (backend, dtype): scg.compile(g, estimators, backend=backend, dtype=dtype)
        for backend in ("numpy", "numba")
        for dtype in ("float64", "float32")
    }


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-11), ("float32", 2e-4)])
@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("size", [1, 9])
def test_a_step_agrees_with_the_interpreter_by_seed_and_by_noise(steps, dtype, rtol, runs, size):
    x = np.random.default_rng(size).normal(size=(size, 6))
    oracle, step = steps["numpy", dtype], steps["numba", dtype]
    params = oracle.graph.init(seed=1)
    noise = oracle.noise(seed=2, runs=runs, data={"x": x})
    expected = oracle(params, seed=2, runs=runs, x=x)
    for found in (step(params, seed=2, runs=runs, x=x), step(params, noise=noise, x=x)):
        assert found.cost == pytest.approx(expected.cost, rel=rtol)
        for name, gradient in expected.grads.items():
            np.testing.assert_allclose(found.grads[name], gradient, rtol=rtol, atol=rtol)
            np.testing.assert_allclose(
                found.stderr[name], expected.stderr[name], rtol=rtol, atol=rtol
            )


def test_sizes_seeds_and_values_do_not_compile(steps, monkeypatch):
    step = steps["numba", "float64"]
    params = step.graph.init(seed=1)
    step(params, seed=1, x=np.ones((2, 6)))
    step(params, seed=1, runs=3, x=np.ones((2, 6)))
    monkeypatch.setattr(native, "compiled", lambda *_: pytest.fail("compiled anew"))
    for size, runs in ((1, 1), (3, 1), (50, 1), (4, 7), (4, 70)):
        step(params, seed=size, runs=runs, x=np.ones((size, 6)))


def test_results_are_not_overwritten_by_later_calls(steps):
    step, x = steps["numba", "float64"], np.ones((2, 6))
    params = step.graph.init(seed=1)
    first = step(params, seed=1, x=x)
    kept = {name: g.copy() for name, g in first.grads.items()}
    step(params, seed=2, x=x)
    for name, g in kept.items():
        np.testing.assert_array_equal(first.grads[name], g)


def test_threads_may_share_a_step(steps):
    from concurrent.futures import ThreadPoolExecutor

    step, x = steps["numba", "float64"], np.ones((3, 6))
    params = step.graph.init(seed=1)
    alone = [step(params, seed=s, runs=20, x=x).cost for s in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda s: step(params, seed=s, runs=20, x=x).cost, range(16)))
    assert alone == together


def test_inputs_may_be_read_only_and_not_contiguous(steps):
    step = steps["numba", "float64"]
    params = step.graph.init(seed=1)
    x = np.random.default_rng(0).normal(size=(6, 4)).T
    frozen = x.copy()
    frozen.setflags(write=False)
    assert step(params, seed=1, x=x).cost == step(params, seed=1, x=frozen).cost


def test_kernels_know_no_name_and_equal_structures_are_one(steps):
    step = steps["numba", "float64"]
    source = step.program.engine().source
    for name in ("batch", "loss", "samples", "'", '"', "h/u"):
        assert name not in source
    _, nodes = leaves([None] * 4, a=(3,), b=(3,), c=(5,), d=(5,))
    a, b, c, d = nodes
    program = finish({0: elementwise.exp(a) * b, 1: elementwise.exp(c) * d})
    engine = Executable(program.outputs)
    assert len(engine.schedule.entries) == 2 and len(set(engine.sources)) == 1
    assert Plate("unused").name not in engine.source


def test_the_table_and_its_profile_name_what_runs(steps):
    step = steps["numba", "float64"]
    text = str(step.program)
    for part in ("gemm", "kernel 0", "0 in NumPy", "x[batch, 6]", "w[6, 4]", "h/u["):
        assert part in text
    profile = step.profile(step.graph.init(seed=0), data={"x": np.ones((4, 6))}, rounds=3)
    assert len(profile.rows) == len(step.program.engine().schedule.entries)
    assert profile.total > 0 and "x[batch, 6]" in str(profile)
    assert step.source.count("def kernel(table)") == len(set(step.program.engine().sources))
    with pytest.raises(scg.CallError, match="only a compiled step has a profile"):
        steps["numpy", "float64"].profile(step.graph.init(seed=0), data={"x": np.ones((4, 6))})
    assert steps["numpy", "float64"].source == ""


def test_threads_are_a_positive_integer():
    with pytest.raises(scg.CallError, match="positive integer"):
        scg.set_threads(0)


def test_importing_scg_loads_no_compiler_and_a_warm_start_no_numba(tmp_path):
    code = (
        "import sys, numpy as np, scg\n"
        "assert not {'numba', 'llvmlite'} & set(sys.modules)\n"
        "g = scg.Graph('warm')\n"
        "b = g.sample('b', scg.Bernoulli(logits=g.parameter('t', 0.4)))\n"
        "g.cost('loss', (b - 0.3) ** 2)\n"
        "step = scg.compile(g, scg.ScoreFunction(), backend='numba')\n"
        "print(step(g.init(seed=0), seed=1).cost, 'numba' in sys.modules)\n"
    )
    environment = os.environ | {"SCG_CACHE_DIR": str(tmp_path / "kernels")}
    cold, warm = (
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    )
    assert cold[0] == warm[0]
    assert (cold[1], warm[1]) == ("True", "False")


def test_results_that_are_held_stay_and_memory_that_nobody_holds_serves_again():
    g = scg.Graph("toy")
    w = g.parameter("w", np.linspace(-1.0, 1.0, 10_000))  # small ones are copied
    z = g.sample("z", scg.Normal(w, 1.0))
    g.cost("loss", np.sum(z**2))
    step = scg.compile(g, backend="numba")
    params = g.init(seed=0)
    held = [step(params, seed=seed).grads["w"] for seed in range(9)]
    kept = [array.copy() for array in held]
    view = held[0][1:]  # a part of a result holds it as well
    del held[0]
    at = {array.ctypes.data for array in [*held, view.base]}
    again = [step(params, seed=seed).grads["w"] for seed in range(9)]
    assert at.isdisjoint(array.ctypes.data for array in again)
    for array, copy, same in zip(held, kept[1:], again[1:], strict=True):
        np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(array, same)
    np.testing.assert_array_equal(view, kept[0][1:])
    places = {step(params, seed=seed).grads["w"].ctypes.data for seed in range(20)}
    assert len(places) <= 4


def test_outputs_that_view_one_result_are_apart_and_a_sole_one_is_not_copied():
    _, (x,) = leaves([()], x=(6,))
    y = 3.0 * x
    outputs = {"rows": y.reshape(2, 3), "columns": y.reshape(3, 2), "backward": y[::-1]}
    engine, found, expected = both(outputs, {"x": np.arange(6.0)}, {})
    assert_agree(found, expected)
    assert [slot is None for _, slot in engine.schedule.finals.values()] == [False, True, True]
    found["rows"][...] = 0.0
    np.testing.assert_array_equal(found["columns"], expected["columns"])
    engine, found, expected = both({**outputs, "all": y}, {"x": np.arange(6.0)}, {})
    assert_agree(found, expected)
    assert [key for key, (_, slot) in engine.schedule.finals.items() if slot is not None] == ["all"]


def test_threads_never_share_the_memory_of_results():
    g = scg.Graph("toy")
    w = g.parameter("w", np.linspace(-1.0, 1.0, 300))
    g.cost("loss", np.sum(g.sample("z", scg.Normal(w, 1.0)) ** 2))
    step = scg.compile(g, backend="numba")
    params = g.init(seed=0)
    wanted = [step(params, seed=seed).grads["w"] for seed in range(40)]

    def work(first):
        found = [step(params, seed=seed).grads["w"] for seed in range(first, 40, 4)]
        return all(np.array_equal(a, b) for a, b in zip(found, wanted[first::4], strict=True))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [0, 1, 2, 3] * 5))
