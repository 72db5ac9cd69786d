"""Lengths and standard deviations at the origin, alone and among others."""

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.run.finish import finish

norm = np.linalg.norm


def derivatives(fn, x, dtype="float64"):
    """Value, gradient and Hessian of a sum of elements."""
    x = np.asarray(x, float)
    g = scg.Graph("lengths")
    node = g.parameter("x", np.zeros(x.shape))
    y = np.sum(fn(node))
    (slope,) = gradients(y, [node])
    units = np.eye(x.size).reshape(x.size, *x.shape)
    rows = {i: gradients(np.sum(slope * unit), [node])[0] for i, unit in enumerate(units)}
    out = finish({"value": y, "slope": slope, **rows}, dtype).run({"x": x.astype(dtype)}, None, {})
    hessian = np.stack([out[i][0] for i in range(x.size)]).reshape(x.size, x.size)
    return out["value"][0], out["slope"][0], hessian


@pytest.mark.parametrize(
    "fn, hessian",
    [
        (lambda x: norm(x) ** 2, 2.0),
        (lambda x: norm(x) ** np.array(2.0), 2.0),
        (lambda x: norm(x) * norm(x), 2.0),
        (lambda x: np.square(-norm(x)), 2.0),
        (lambda x: (norm(x) / 3.0) ** 2, 2 / 9),
        (lambda x: norm(x[None], axis=-1, keepdims=True) ** 2, 2.0),
        (lambda x: np.exp(-0.5 * norm(x - 0.0) ** 2), -1.0),
        (lambda x: np.exp(-0.5 * norm(x) * norm(x)), -1.0),
        (lambda x: norm(x) * (norm(x) * 3.0), 6.0),
        (lambda x: np.sqrt(1.0 + norm(x) ** 2), 1.0),
        (lambda x: np.log1p(norm(x) ** 2), 2.0),
        (lambda x: norm(x.reshape(1, 2), "fro") ** 2, 2.0),
        (lambda x: norm(x) ** 4, 0.0),
        (lambda x: norm(x) ** 3, 0.0),
        (lambda x: norm(x), np.inf),
    ],
)
def test_functions_of_a_length_at_the_origin(fn, hessian):
    _, slope, found = derivatives(fn, [0.0, 0.0])
    np.testing.assert_array_equal(slope, [0.0, 0.0])
    np.testing.assert_allclose(found, np.where(np.eye(2) > 0, hessian, 0.0))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "fn, slope",
    [
        (lambda x: norm(x, axis=1), [[0, 0], [0.6, 0.8], [1, 0]]),
        (lambda x: norm(x, 1, axis=1), [[0, 0], [1, 1], [1, 0]]),
        (lambda x: norm(x, np.inf, axis=1), [[0, 0], [0, 1], [1, 0]]),
        (lambda x: np.std(x, axis=1), [[0, 0], [-0.5, 0.5], [0.5, -0.5]]),
        (lambda x: np.var(x, axis=1), [[0, 0], [-0.5, 0.5], [1, -1]]),
        (lambda x: np.std(x, axis=1, ddof=1), np.sqrt(0.5) * np.array([[0, 0], [-1, 1], [1, -1]])),
    ],
)
def test_one_row_at_the_origin_leaves_the_others_alone(fn, slope, dtype):
    found = derivatives(fn, [[0.0, 0.0], [3.0, 4.0], [2.0, 0.0]], dtype)[1]
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-12)


def test_deviation_of_equal_numbers():
    for fn in (np.std, lambda x: np.std(x, ddof=1, keepdims=True)):
        value, slope, _ = derivatives(fn, [1.5, 1.5, 1.5])
        assert value == 0.0 and not slope.any()
    truth = 2 / 3 * (np.eye(3) - 1 / 3)
    for fn in (lambda x: np.std(x) ** 2, np.var):
        np.testing.assert_allclose(derivatives(fn, [1.5, 1.5, 1.5])[2], truth, rtol=1e-14)
    assert derivatives(np.std, [1e200, 0.0, -1e200])[0] == pytest.approx(1e200 * np.sqrt(2 / 3))


def test_a_masked_row_of_zeros_has_no_derivative_of_any_order():
    there = np.array([1.0, 0.0])
    value, slope, hessian = derivatives(
        lambda x: np.where(there > 0, norm(x, axis=1), 0.0), [[3.0, 4.0], [0.0, 0.0]]
    )
    assert value == 5.0
    np.testing.assert_allclose(slope, [[0.6, 0.8], [0, 0]])
    assert np.all(np.isfinite(hessian)) and not hessian[2:].any()


def test_backends_agree_at_the_origin():
    pytest.importorskip("numba")
    g = scg.Graph("origin")
    x = g.parameter("x", [[0.0, 0.0], [3.0, 4.0]])
    g.cost("c", np.sum(norm(x, axis=1) ** 2) + np.sum(norm(x, axis=1)) + np.std(x[0]))
    outs = [scg.compile(g, backend=b, order=2)(g.init(seed=0), seed=0) for b in ("numpy", "numba")]
    np.testing.assert_allclose(outs[0].grads["x"], [[0, 0], [6.6, 8.8]])
    for a, b in ((out.grads["x"], out.hessian["x"]["x"]) for out in outs[1:]):
        np.testing.assert_allclose(a, outs[0].grads["x"])
        np.testing.assert_allclose(b, outs[0].hessian["x"]["x"])
