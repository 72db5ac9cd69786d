"""Softmax and its kin forget a common shift, and nothing follows from what is impossible."""

import numpy as np
import pytest
import scipy.special as sp

import scg
from scg.compiler.differentiate import gradients
from scg.compiler.simplify import simplify
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable

pytest.importorskip("numba")
INF = np.inf
BATCH = scg.Plate("batch")

#: Rows of differences from a number that all of them share.
ROWS = np.array([[0.0, 0.0, 8.0], [0.0, -INF, 16.0], [0.0, -64.0, -INF], [-INF, -INF, 0.0]])
SHIFTS = (0.0, 1e4, -1e6, 1e8, 2.0**70)
WEIGHTS = np.array([1.0, -2.0, 0.5])


@pytest.fixture(scope="module")
def programs():
    """Values, first and second derivatives, of rows and over a plate, by engine and dtype."""
    g = scg.Graph("shift")
    x, column = g.data("x", 3, plates=BATCH), g.data("column", plates=BATCH)
    functions = {
        "logsumexp": (scg.logsumexp(x), x),
        "softmax": (np.sum(scg.softmax(x) * WEIGHTS), x),
        "log_softmax": (scg.log_softmax(x)[2], x),
        "plate": (scg.plate_logsumexp(column, BATCH), column),
    }
    outputs = {}
    for name, (y, leaf) in functions.items():
        (first,) = gradients(y, [leaf])
        weights = WEIGHTS if first.shape else np.array(1.0)
        (second,) = gradients(np.sum(first * weights * scg.stop_gradient(first)), [leaf])
        keys = ((name, order) for order in range(3))
        outputs |= dict(zip(keys, simplify([y, first, second]), strict=True))
    return {
        (engine, dtype): engine(outputs, dtype)
        for engine in (Interpreter, Executable)
        for dtype in ("float64", "float32")
    }


def run(program, dtype, rows):
    leaves = {
        leaf: np.asarray(rows if leaf.shape else rows[:, 2], dtype)
        for leaf in getattr(program, "leaves", {})
    }
    return program.run(leaves, {BATCH: len(rows)})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", [Interpreter, Executable])
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_common_shift_is_forgotten(programs, engine, dtype, shift):
    rows = ROWS * max(1.0, np.spacing(np.asarray(shift, dtype)) / 8)
    out = run(programs[engine, dtype], dtype, rows + shift)
    plain = run(programs[engine, dtype], dtype, rows)
    p = sp.softmax(rows, axis=-1)
    eps, close = float(np.finfo(dtype).eps), np.testing.assert_allclose
    tolerance = 16 * eps
    close(out["softmax", 0], p @ WEIGHTS, rtol=tolerance)
    close(out["logsumexp", 1], p, rtol=tolerance, atol=1e-30)
    close(out["log_softmax", 0], sp.log_softmax(rows, axis=-1)[:, 2], rtol=eps, atol=2 * eps)
    close(out["log_softmax", 1], np.eye(3)[2] - p, rtol=eps, atol=2 * eps)
    close(out["plate", 1], sp.softmax(rows[:, 2]), rtol=tolerance, atol=1e-30)
    for key, value in plain.items():  # bit by bit: only differences are left
        if key not in (("logsumexp", 0), ("plate", 0)):
            np.testing.assert_array_equal(out[key], value, err_msg=str(key))
    close(out["logsumexp", 0], shift + sp.logsumexp(rows, axis=-1), rtol=2 * eps, atol=eps)
    assert all(np.all(np.isfinite(v)) for key, v in out.items() if key != ("log_softmax", 0))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", [Interpreter, Executable])
def test_nothing_follows_from_what_is_impossible(programs, engine, dtype):
    """One row without any possible element: −∞ and the derivative 0; the others as without it."""
    rows = np.array([[1.0, 2.0, 3.0], [-INF, -INF, -INF], [0.5, -INF, 0.0]])
    out, plain = (run(programs[engine, dtype], dtype, r) for r in (rows, rows[[0, 2]]))
    assert out["logsumexp", 0][1] == -INF
    assert not out["logsumexp", 1][1].any() and not out["logsumexp", 2][1].any()
    assert np.isnan(out["softmax", 0][1]) and np.isnan(out["log_softmax", 0][1])  # as in SciPy
    for key in plain:
        if key[0] != "plate":
            np.testing.assert_array_equal(out[key][[0, 2]], plain[key], err_msg=str(key))
    every = run(programs[engine, dtype], dtype, np.full((2, 3), -INF))
    assert every["plate", 0] == -INF and not every["plate", 1].any() and not every["plate", 2].any()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_left_to_right_hidden_markov_model(backend):
    """States that no path has reached yet are impossible: the gradient is that of the paths."""
    with np.errstate(divide="ignore"):
        log_a = np.log([[0.7, 0.3, 0.0], [0.0, 0.6, 0.4], [0.0, 0.0, 1.0]])
    g = scg.Graph("hmm")
    means = g.parameter("means", [-1.0, 0.2, 2.0])
    alpha = np.array([0.0, -INF, -INF])
    observed = [-0.8, 0.1, 0.3, 1.7]

    def densities(mu, x):
        return -0.5 * (mu - x) ** 2

    for t, x in enumerate(observed):
        if t:
            alpha = scg.logsumexp(np.expand_dims(alpha, -1) + log_a, axis=0)
        alpha = alpha + densities(means, x)
    g.cost("loss", -scg.logsumexp(alpha))
    step = scg.compile(g, backend=backend)
    out = step(g.init(seed=0), seed=0)

    def likelihood(mu):
        p = np.array([1.0, 0.0, 0.0])
        for t, x in enumerate(observed):
            p = (p @ np.exp(log_a) if t else p) * np.exp(densities(mu, x))
        return p.sum()

    mu = np.array([-1.0, 0.2, 2.0])
    ends = [[np.log(likelihood(mu + h * e)) for e in np.eye(3)] for h in (1e-5, -1e-5)]
    slope = np.subtract(*ends) / 2e-5
    np.testing.assert_allclose(out.cost, -np.log(likelihood(mu)), rtol=1e-12)
    np.testing.assert_allclose(out.grads["means"], -slope, rtol=1e-8)


def test_impossible_classes_are_not_drawn():
    """The cumulated sum falls short of 1 by rounding, and uniforms come very near to 1."""
    rng = np.random.default_rng(0)
    p = rng.random((2000, 7)).astype(np.float32) ** 8
    p[:, -2:] = 0.0
    p = p / p.sum(axis=1, keepdims=True, dtype=np.float32)
    short = np.cumsum(p, axis=1)[:, -1] < 1
    assert short.sum() > 100
    g = scg.Graph("classes")
    probs, u = g.data("p", 7, plates=BATCH), g.data("u", plates=BATCH)
    last = np.float32(1) - np.finfo(np.float32).epsneg
    for engine in (Interpreter, Executable):
        program = engine({"k": scg.Categorical(probs=probs).quantile(u)}, "float32")
        for rows, uniform in ((p, last), (p[:, ::-1], 1 - last)):
            leaves = {probs: rows, u: np.full(len(p), uniform)}
            drawn = program.run(leaves, {BATCH: len(p)})["k"]
            assert np.all(np.take_along_axis(rows, drawn[:, None], 1) > 0)
