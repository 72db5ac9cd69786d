"""Plates of no and of one element, and floats at the edges of their range: both engines agree."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ir.op import OPS
from scg.ops import elementwise, linalg, reductions, shape

pytest.importorskip("numba")

BATCH, OTHER = scg.Plate("batch"), scg.Plate("other")


def declared():
    graph = scg.Graph("edges")
    x = graph.data("x", shape=(3, 4), plates=BATCH)
    y = graph.data("y", shape=(4,), plates=(BATCH, OTHER))
    w = graph.data("w", shape=(4, 2))
    logits = elementwise.tanh(x) @ w
    return {
        "map": elementwise.exp(x) + y.sum(),
        "rows": reductions.sum(x, axis=-1),
        "middle": reductions.sum(x, axis=0),
        "columns": reductions.plate_sum(x, BATCH),
        "both": reductions.plate_sum(reductions.plate_sum(y, OTHER), BATCH),
        "inner plate": reductions.plate_sum(y, OTHER),
        "mean": reductions.plate_mean(y, BATCH),
        "softmax": reductions.softmax(logits),
        "product": logits,
        "weights": linalg.contract(x, logits, left=(0, 1), right=(0, 2), out=(1, 2), over=(BATCH,)),
        "both weights": linalg.contract(
            y, elementwise.tanh(y @ w), left=(0,), right=(1,), out=(0, 1), over=(BATCH, OTHER)
        ),
        "joined": np.concatenate([x, x * 2.0], axis=0),
        "picked": x[1:3, ::-1],
        "count": reductions.sum(x > 0.0),
        "running": shape.cumsum(x),
    }


@pytest.fixture(scope="module")
def engines():
    """The same outputs, compiled and interpreted, in both types."""
    made = declared()
    return {dtype: (Executable(made, dtype), Interpreter(made, dtype)) for dtype in ("f4", "f8")}


def both(pair, values, sizes):
    results = []
    for engine in pair:
        leaves = {e: values[e.attrs["name"]] for e in engine.leaves if e.op.name != "plate_size"}
        with np.errstate(all="ignore"):
            results.append(engine.run(leaves, sizes))
    return results


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("other", [0, 1, 3])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_plates_may_have_no_or_one_element(engines, batch, other, dtype, capfd):
    rng = np.random.default_rng(0)
    values = {
        "x": rng.normal(size=(batch, 3, 4)),
        "y": rng.normal(size=(batch, other, 4)),
        "w": rng.normal(size=(4, 2)),
    }
    found, expected = both(engines[dtype], values, {BATCH: batch, OTHER: other})
    tolerance = 1e-5 if dtype == "f4" else 1e-12
    for key, value in expected.items():
        assert found[key].shape == np.shape(value), key
        np.testing.assert_allclose(found[key], value, rtol=tolerance, atol=tolerance, err_msg=key)
    assert "illegal value" not in "".join(capfd.readouterr())  # BLAS prints, and returns


EDGES = {
    dtype: [
        *(0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5),
        *(s * float(v) for s in (1, -1) for v in (info.tiny, info.smallest_subnormal, info.max)),
        *(s * float(info.tiny) / 3 for s in (1, -1)),
        *(float(info.eps), -float(info.eps), float(np.log(info.max)), float(np.log(info.tiny))),
    ]
    for dtype, info in (("f4", np.finfo(np.float32)), ("f8", np.finfo(np.float64)))
}
UNARY = (
    *("negative", "square", "exp", "expm1", "log", "log1p", "sqrt", "tanh", "sigmoid", "softplus"),
    *("abs", "relu", "sign", "floor", "ceil", "rint"),
)
BINARY = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "greater", "equal"),
    *("floor_divide", "remainder"),
)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_pair_of_edges_agrees(dtype):
    graph = scg.Graph("pairs")
    x, y = (graph.data(name, shape=(), plates=BATCH) for name in "xy")
    made = {name: OPS[name](x) for name in UNARY} | {name: OPS[name](x, y) for name in BINARY}
    made["where"] = elementwise.where(x > y, x, y)
    made["largest"] = reductions.plate_max(x, BATCH)
    a, b = (v.ravel() for v in np.meshgrid(EDGES[dtype], EDGES[dtype]))
    pair = Executable(made, dtype), Interpreter(made, dtype)
    values = {"x": a.astype(dtype), "y": b.astype(dtype)}
    found, expected = both(pair, values, {BATCH: len(a)})
    info = np.finfo(dtype)
    for key, value in expected.items():
        np.testing.assert_allclose(
            found[key],
            value,
            rtol=4 * float(info.eps),
            atol=2 * float(info.smallest_subnormal),
            err_msg=key,
        )
        if key in BINARY:
            np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize("law", [scg.Uniform, scg.Normal])
@pytest.mark.parametrize("size", [0, 1])
def test_a_step_draws_for_plates_of_no_and_one_element(law, size):
    graph = scg.Graph("draws")
    x = graph.data("x", shape=(3,), plates=scg.Plate("batch", reduce="sum"))
    z = graph.sample("z", law(x, x + 1.0))
    graph.cost("loss", np.sum((z - graph.parameter("a", 2.0)) ** 2))
    data = {"x": np.arange(3.0 * size).reshape(size, 3)}
    for runs in (1, 3):
        ours, theirs = (
            scg.compile(graph, backend=backend)(graph.init(seed=0), seed=1, runs=runs, data=data)
            for backend in ("numba", "numpy")
        )
        np.testing.assert_allclose(ours.cost, theirs.cost, rtol=1e-12)
        np.testing.assert_allclose(ours.grads["a"], theirs.grads["a"], rtol=1e-12)
        assert size or ours.cost == 0
