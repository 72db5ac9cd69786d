"""Hessians and their products with vectors: one truth, on both backends."""

import numpy as np
import pytest

import scg


@pytest.fixture
def g():
    g = scg.Graph("model")
    batch = scg.Plate("batch")
    x = g.data("x", shape=3, plates=batch)
    w, c = g.parameter("w", [[0.3, -0.5], [0.8, 0.1], [-0.2, 0.4]]), g.parameter("c", 0.2)
    b = g.sample("b", scg.Bernoulli(logits=x @ w + c))
    g.cost("loss", (np.sum(b * np.array([1.0, -2.0])) - c) ** 2)
    return g


X = np.array([[1.0, -0.5, 0.2], [0.3, 0.8, -1.0]])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("runs", [1, 7, 5000])
def test_products_are_those_of_the_hessian_of_the_same_seed(g, backend, runs):
    step = scg.compile(g, scg.LeaveOneOut(samples=3), order=2, backend=backend)
    params = g.init(seed=0)
    vector = {"w": np.arange(6.0).reshape(3, 2), "c": -0.5}
    hessian = step(params, seed=3, runs=runs, x=X).hessian
    found = step.hvp(params, vector, seed=3, runs=runs, data={"x": X})
    for a in params:
        wanted = sum(
            np.tensordot(hessian[a][b], vector[b], axes=np.ndim(vector[b])) for b in params
        )
        np.testing.assert_allclose(found[a], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_hessians_are_exact_by_enumeration(g, backend):
    step = scg.compile(g, scg.Enumeration(), order=2, backend=backend)
    params = g.init(seed=0)
    truth = scg.exact(g, params, data={"x": X}).hessian
    for found in (
        step(params, seed=0, x=X).hessian,
        step(params, seed=0, runs=3, x=X).hessian,
        step.bind(params, x=X)(0).hessian,
        step(params, noise=step.noise(seed=0, runs=2, data={"x": X}), x=X).hessian,
    ):
        for a in params:
            for b in params:
                assert found[a][b].shape == np.shape(params[a]) + np.shape(params[b])
                np.testing.assert_allclose(found[a][b], truth[a][b], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_hessians_of_long_parameters_agree_with_products(backend):
    """Rows of directions are chosen, not multiplied, also where parameters are matrices."""
    g = scg.Graph("long")
    w, c = g.parameter("w", shape=(7, 10)), g.parameter("c", shape=(65,))
    scale, s = g.data("scale", shape=(7, 10)), g.parameter("s", 0.5)
    b = g.sample("b", scg.Bernoulli(logits=w))
    k = g.sample("k", scg.Bernoulli(logits=c))
    g.cost("loss", (np.sum(b * scale) - s * np.sum(k)) ** 2 + np.sum(np.exp(w)))
    step = scg.compile(g, scg.ScoreFunction(), order=2, backend=backend)
    rng = np.random.default_rng(3)
    params = {name: rng.normal(size=np.shape(v)) for name, v in g.init(seed=0).items()}
    vector = {name: rng.normal(size=np.shape(v)) for name, v in params.items()}
    data = {"scale": rng.normal(size=(7, 10))}
    hessian = step(params, seed=3, runs=30, data=data).hessian
    found = step.hvp(params, vector, seed=3, runs=30, data=data)
    for a in params:
        rows = (np.tensordot(hessian[a][b], vector[b], np.ndim(vector[b])) for b in params)
        np.testing.assert_allclose(found[a], sum(rows), rtol=1e-8, atol=1e-8)


def test_a_hessian_without_second_derivatives_is_zero():
    g = scg.Graph("linear")
    w = g.parameter("w", [1.0, 2.0])
    g.cost("loss", np.sum(w) + g.parameter("c", 3.0) ** 2)
    step = scg.compile(g, order=2)
    found = step(g.init(seed=0), seed=0).hessian
    assert found["w"]["w"].tolist() == [[0, 0], [0, 0]] and found["w"]["c"].tolist() == [0, 0]
    assert found["c"]["c"] == 2.0
    assert step.hvp(g.init(seed=0), {"w": [1, 1], "c": 2}, seed=0)["c"] == 4.0


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ({"w": np.zeros((3, 2))}, "vector lacks 'c'"),
        ({"w": np.zeros((3, 2)), "c": 0.0, "d": 0.0}, "vector has an unknown 'd'"),
        ({"w": np.zeros(3), "c": 0.0}, r"vector 'w': expected an array of shape \(3, 2\)"),
        ({"w": np.zeros((3, 2)), "c": None}, "vector 'c': expected real numbers"),
        ([1.0], "vector must be a mapping"),
    ],
)
def test_wrong_vectors_are_errors(g, vector, words):
    step = scg.compile(g, scg.ScoreFunction(), order=2)
    with pytest.raises(scg.CallError, match=words):
        step.hvp(g.init(seed=0), vector, seed=0, data={"x": X})


def test_products_need_order_two(g):
    with pytest.raises(scg.CallError, match="order=2"):
        scg.compile(g, scg.ScoreFunction()).hvp(g.init(seed=0), {}, seed=0, data={"x": X})


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_hessian_of_empty_parameters_is_empty(backend):
    g = scg.Graph("empty")
    g.cost("loss", np.sum(g.parameter("w", np.zeros((0, 2))) ** 2) + 1.0)
    step, params = scg.compile(g, order=2, backend=backend), g.init(seed=0)
    assert step(params, seed=0, runs=2).hessian["w"]["w"].shape == (0, 2, 0, 2)
    assert step.hvp(params, params, seed=0)["w"].shape == (0, 2)
    assert scg.exact(g, params).hessian["w"]["w"].shape == (0, 2, 0, 2)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_all_derivatives_are_checked_to_be_finite(backend):
    g = scg.Graph("kinks")
    w, x = g.parameter("w", 0.0), g.data("x")
    g.cost("loss", w**1.5 + np.sqrt(x))
    step = scg.compile(g, order=2, backend=backend, check_finite=True)
    with pytest.raises(scg.CallError, match="second derivative in 'w' is not finite in run 0"):
        step({"w": 0.0}, seed=0, x=0.0)
    products = scg.compile(g, order=2, backend=backend).hvp
    assert products({"w": 0.0}, {"w": 1.0}, seed=0, data={"x": 1.0})["w"] == np.inf
    with pytest.raises(scg.CallError, match="product of the Hessian is not finite in 'w'"):
        step.hvp({"w": 0.0}, {"w": 1.0}, seed=0, data={"x": 1.0})
    step = scg.compile(g, data_grads=("x",), backend=backend, check_finite=True)
    assert step({"w": 0.0}, seed=0, x=4.0).data_grads["x"] == 0.25
    with pytest.raises(scg.CallError, match="gradient of data 'x' is not finite in run 0"):
        step({"w": 0.0}, seed=0, x=0.0)


def test_a_product_of_invalid_samples_is_an_error_where_calls_are_checked():
    g = scg.Graph("scale")
    z = g.sample("z", scg.Normal(g.parameter("w", 0.0), 1.0))
    g.cost("loss", np.cos(g.sample("y", scg.Normal(0.0, z))))
    step = scg.compile(g, order=2, check_finite=True)
    with pytest.raises(scg.CallError, match="scale"):
        step.hvp({"w": 0.0}, {"w": 1.0}, seed=0, runs=20)
