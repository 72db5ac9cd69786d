"""Layers against NumPy, and the bounds."""

import numpy as np
import pytest
import scipy.signal

import scg

rng = np.random.default_rng(5)


def values(build, x, shape):
    """Return the layer's value for each row of `x` on a plate, and its parameters."""
    g = scg.Graph()
    node = build(g, g.data("x", shape=shape, plates=scg.Plate("batch")))
    g.deterministic("out", node)
    params = {k: v + rng.normal(size=v.shape) * 0.3 for k, v in g.init(seed=0).items()}
    return g.simulate(params, nodes=["out"], seed=0, data={"x": x})["out"][0], params


def test_linear_and_mlp():
    x = rng.normal(size=(4, 3))
    out, p = values(lambda g, x: scg.nn.linear(g, "a", x, 2), x, 3)
    np.testing.assert_allclose(out, x @ p["a/W"] + p["a/b"], rtol=1e-12)
    out, p = values(lambda g, x: scg.nn.linear(g, "a", x, 2, bias=False), x, 3)
    assert set(p) == {"a/W"}
    out, p = values(lambda g, x: scg.nn.mlp(g, "m", x, (5, 2), activation=np.tanh), x, 3)
    hidden = np.tanh(x @ p["m/0/W"] + p["m/0/b"])
    np.testing.assert_allclose(out, hidden @ p["m/1/W"] + p["m/1/b"], rtol=1e-12)


def test_conv2d():
    x = rng.normal(size=(2, 3, 6, 5))
    out, p = values(lambda g, x: scg.nn.conv2d(g, "c", x, 4, (2, 3), padding=1), x, (3, 6, 5))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for i in range(2):
        for f in range(4):
            exact = sum(
                scipy.signal.correlate2d(padded[i, c], p["c/W"][f, c], "valid") for c in range(3)
            )
            np.testing.assert_allclose(out[i, f], exact + p["c/b"][f], rtol=1e-10, atol=1e-12)


def test_layer_norm():
    x = rng.normal(size=(4, 3))
    out, p = values(lambda g, x: scg.nn.layer_norm(g, "n", x), x, 3)
    unit = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(out, unit * p["n/scale"] + p["n/shift"], rtol=1e-12)


def test_gru_cell_shares_its_parameters_over_time():
    x = rng.normal(size=(4, 2, 3))

    def build(g, x):
        cell = scg.nn.gru_cell(g, "gru", 2)
        h = x[0, :2] * 0.0
        for t in range(2):
            h = cell(x[t], h)
        return h

    out, p = values(build, x, (2, 3))
    assert set(p) == {"gru/W", "gru/U", "gru/b"}
    h = np.zeros((4, 2))
    for t in range(2):
        i, o = x[:, t] @ p["gru/W"] + p["gru/b"], h @ p["gru/U"]
        r, u = (1 / (1 + np.exp(-(i + o)[:, s])) for s in (slice(0, 2), slice(2, 4)))
        h = u * h + (1 - u) * np.tanh(i[:, 4:] + r * o[:, 4:])
    np.testing.assert_allclose(out, h, rtol=1e-12)


def test_errors():
    g = scg.Graph()
    with pytest.raises(scg.DeclarationError, match=r"nn\.linear: expected a vector"):
        scg.nn.linear(g, "a", g.data("x"), 2)
    with pytest.raises(scg.DeclarationError, match=r"nn\.conv2d: expected an image"):
        scg.nn.conv2d(g, "b", g.data("y", shape=3), 2, 3)
    with pytest.raises(scg.DeclarationError, match=r"expected a state of shape \(2,\)"):
        scg.nn.gru_cell(g, "c", 2)(g.data("z", shape=3), g.data("h", shape=3))


def test_elbo():
    """At the posterior the bound is the evidence, whatever is drawn."""
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("m", 0.4), np.sqrt(0.5)))
    log_p = scg.Normal().log_prob(z) + scg.Normal(z, 1.0).log_prob(np.array(0.8))
    g.cost("bound", scg.elbo(log_p, z.log_prob()))
    out = scg.compile(g, estimator=scg.Reparameterization())({"m": 0.4}, seed=0)
    np.testing.assert_allclose(out.cost, -scg.Normal(0.0, np.sqrt(2)).log_prob(0.8), rtol=1e-12)
    with pytest.raises(scg.DeclarationError, match=r"log_p is node 'v' of shape \(2,\)"):
        scg.elbo(g.data("v", shape=2), z.log_prob())
