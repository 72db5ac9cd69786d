"""Gathers and scatters in place of products with one-hot vectors of many classes."""

import numpy as np
import pytest

import scg
from scg.compiler import one_hot

CLASSES, WIDTH, BATCH = 70, 3, 5
plate = scg.Plate("batch")


def words(g, plates=plate):
    x = g.data("x", shape=(4,), plates=plate)
    return g.sample("z", scg.OneHotCategorical(logits=x @ g.parameter("W", shape=(4, CLASSES))))


def embedded(g):
    z = words(g)
    g.cost("loss", np.sum(np.tanh(z @ g.parameter("E", shape=(CLASSES, WIDTH)))))


def table_first(g):
    z = words(g)
    g.cost("loss", np.sum(np.tanh(g.parameter("E", shape=(WIDTH, CLASSES)) @ z)))


def several(g):
    logits = g.parameter("W", shape=(2, CLASSES))
    x = g.data("x", shape=(4,), plates=plate)
    z = g.sample("z", scg.OneHotCategorical(logits=logits), plates=plate)
    e = z @ g.parameter("E", shape=(CLASSES, WIDTH))
    g.cost("loss", np.sum(x) * np.sum(np.sin(e)) - z.log_prob())


def joined(g):
    """Σ over two axes of z, of which one is the index's."""
    z = g.sample("z", scg.OneHotCategorical(logits=g.parameter("W", shape=(2, CLASSES))))
    x = g.data("x", shape=(4,), plates=plate)
    e = np.einsum("ic,icw->w", z, g.parameter("E", shape=(2, CLASSES, WIDTH)))
    g.cost("loss", np.sum(x) * np.sum(np.sin(e)))


def scored(g):
    z = words(g)
    prices = g.parameter("E", shape=(CLASSES,))
    g.cost("loss", np.sum(z * prices) ** 2 - 0.1 * z.log_prob() + z.dist.entropy())


def integers(g):
    x = g.data("x", shape=(4,), plates=plate)
    k = g.sample("z", scg.Categorical(logits=x @ g.parameter("W", shape=(4, CLASSES))))
    g.cost("loss", np.sin(g.parameter("E", shape=(CLASSES,))[k]) - k.log_prob())


MODELS = [embedded, table_first, several, joined, scored, integers]
ESTIMATORS = [scg.ScoreFunction(), scg.LeaveOneOut(samples=3)]


def compiled(model, estimator, order=1, backend="numpy"):
    g = scg.Graph("words")
    model(g)
    return scg.compile(g, estimator, backend=backend, order=order)


def drawn(step):
    rng = np.random.default_rng(7)
    params = {n: rng.normal(size=v.shape) for n, v in step.graph.init(seed=0).items()}
    return params, {"x": rng.normal(size=(BATCH, 4))}


def products(step):
    """Contractions with a one-hot vector."""
    contractions = [expr for expr in step.program.operations if expr.op.name == "contract"]
    return sum(arg.op.name == "one_hot" for expr in contractions for arg in expr.args)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("model", MODELS)
def test_the_estimates_are_those_of_the_products(model, estimator, monkeypatch):
    step = compiled(model, estimator)
    monkeypatch.setattr(one_hot, "MANY", 10**9)
    plain = compiled(model, estimator)
    assert products(step) <= (2 if model is joined else 0)
    params, data = drawn(step)
    noise = step.noise(seed=3, runs=4, data=data)
    found, expected = (s(params, noise=noise, data=data) for s in (step, plain))
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-13)
    for name in params:
        np.testing.assert_allclose(found.grads[name], expected.grads[name], atol=1e-13)


@pytest.mark.parametrize("model", MODELS)
def test_the_engine_and_second_derivatives_agree(model, monkeypatch):
    pytest.importorskip("numba")
    compiled_step = compiled(model, scg.ScoreFunction(), order=2, backend="numba")
    monkeypatch.setattr(one_hot, "MANY", 10**9)
    plain = compiled(model, scg.ScoreFunction(), order=2)
    params, data = drawn(plain)
    vector = {n: np.cos(np.arange(v.size)).reshape(v.shape) for n, v in params.items()}
    found, expected = (
        s.hvp(params, vector, seed=5, runs=2, data=data) for s in (compiled_step, plain)
    )
    for name in params:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-11)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_is_no_class_is_zero(backend):
    g = scg.Graph("given")
    k = g.data("k", shape=(2,), plates=plate, kind="int")
    e, w = g.parameter("E", shape=(CLASSES, WIDTH)), g.parameter("w", shape=(2, CLASSES))
    hot = scg.one_hot(k, CLASSES)
    g.cost("loss", np.sum(np.sin(hot @ e)) + np.sum(hot * w) + np.sum(np.cumsum(hot * w, axis=-1)))
    step = scg.compile(g, backend=backend)
    assert products(step) == 0
    rng = np.random.default_rng(0)
    params = {n: rng.normal(size=v.shape) for n, v in g.init(seed=0).items()}
    given = np.array([[0, -1], [CLASSES, CLASSES - 1], [5, 5]])
    out = step(params, seed=0, k=given)
    vectors = (given[..., None] == np.arange(CLASSES)) * 1.0
    after = np.arange(CLASSES, 0, -1)
    values = np.sin(vectors @ params["E"]).sum() + np.sum(vectors * params["w"] * (1 + after))
    np.testing.assert_allclose(out.cost, values / len(given))
    grad = np.einsum("bkc,bkw->cw", vectors, np.cos(vectors @ params["E"])) / len(given)
    np.testing.assert_allclose(out.grads["E"], grad, atol=1e-14)
    grad = np.mean(vectors * (1 + after), axis=0)
    np.testing.assert_allclose(out.grads["w"], grad, atol=1e-14)


def test_an_impossible_class_has_a_finite_estimate():
    """log 0 at a class that is not sampled does not touch the estimate."""
    probs = np.full(CLASSES, 1 / (CLASSES - 1))
    probs[-1] = 0.0
    g = scg.Graph("impossible")
    z = g.sample("z", scg.OneHotCategorical(probs=g.parameter("p", probs)))
    g.cost("loss", np.sum(z * np.arange(CLASSES)) - z.log_prob())
    out = scg.compile(g, scg.ScoreFunction(), backend="numpy")({"p": probs}, seed=0, runs=50)
    assert np.isfinite(out.cost) and np.all(np.isfinite(out.grads["p"]))
