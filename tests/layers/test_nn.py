"""Layers against NumPy, and the bounds."""

import re

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
    out, p = values(lambda g, x: scg.nn.linear(g, "a", 2)(x), x, 3)
    np.testing.assert_allclose(out, x @ p["a/W"] + p["a/b"], rtol=1e-12)
    out, p = values(lambda g, x: scg.nn.linear(g, "a", 2, bias=False)(x), x, 3)
    assert set(p) == {"a/W"}
    out, p = values(lambda g, x: scg.nn.mlp(g, "m", (5, 2), activation=np.tanh)(x), x, 3)
    hidden = np.tanh(x @ p["m/0/W"] + p["m/0/b"])
    np.testing.assert_allclose(out, hidden @ p["m/1/W"] + p["m/1/b"], rtol=1e-12)


def test_conv2d():
    x = rng.normal(size=(2, 3, 6, 5))
    out, p = values(lambda g, x: scg.nn.conv2d(g, "c", 4, (2, 3), padding=1)(x), x, (3, 6, 5))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for i in range(2):
        for f in range(4):
            exact = sum(
                scipy.signal.correlate2d(padded[i, c], p["c/W"][f, c], "valid") for c in range(3)
            )
            np.testing.assert_allclose(out[i, f], exact + p["c/b"][f], rtol=1e-10, atol=1e-12)


def test_conv_transpose():
    x = rng.normal(size=(2, 3, 4, 5))
    out, p = values(
        lambda g, x: scg.nn.conv_transpose(g, "c", 4, (2, 3), stride=2, output_padding=1)(x),
        x,
        (3, 4, 5),
    )
    assert p["c/W"].shape == (3, 4, 2, 3)
    for i in range(2):
        exact = scg.conv_transpose(x[i], p["c/W"], stride=2, output_padding=1)
        np.testing.assert_allclose(out[i], exact + p["c/b"][:, None, None], rtol=1e-10, atol=1e-12)


def test_layer_norm():
    x = rng.normal(size=(4, 3))
    out, p = values(lambda g, x: scg.nn.layer_norm(g, "n")(x), x, 3)
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


def with_itself(cell):
    return lambda x: cell(x, np.tanh(x))


LAYERS = {
    "linear": (lambda g: scg.nn.linear(g, "l", 2), 3),
    "mlp": (lambda g: scg.nn.mlp(g, "l", [4, 2]), 3),
    "conv2d": (lambda g: scg.nn.conv2d(g, "l", 2, 2), (3, 4, 4)),
    "conv_transpose": (lambda g: scg.nn.conv_transpose(g, "l", 2, 2, stride=2), (3, 2, 4)),
    "layer_norm": (lambda g: scg.nn.layer_norm(g, "l"), 3),
    "gru_cell": (lambda g: with_itself(scg.nn.gru_cell(g, "l", 3)), 3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_applied_twice_with_the_same_parameters(name):
    make, shape = LAYERS[name]
    g = scg.Graph()
    with g.scope("net"):
        layer = make(g)
    with g.scope("elsewhere"):  # the layer's scope is that in which it was made
        first = layer(g.data("x", shape=shape, plates=scg.Plate("batch")))
    second = layer(g.data("y", shape=shape))
    g.deterministic("first", first)
    g.deterministic("second", second)
    assert all(parameter.startswith("net/l/") for parameter in g.parameters)
    params = {k: v + rng.normal(size=v.shape) * 0.3 for k, v in g.init(seed=0).items()}
    one = rng.normal(size=shape)
    data = {"elsewhere/x": one[None], "y": one}
    found = g.simulate(params, nodes=["first", "second"], seed=0, data=data)
    np.testing.assert_array_equal(found["first"][:, 0], found["second"])


def test_an_input_may_be_an_array():
    g = scg.Graph()
    cell = scg.nn.gru_cell(g, "gru", 2)
    g.deterministic("h", cell(g.data("x", shape=3), np.zeros(2)))
    g.deterministic("zeros", cell(np.zeros(3), np.zeros(2)))
    out = g.simulate(g.init(0), nodes=["h", "zeros"], data={"x": np.zeros(3)}, seed=0)
    np.testing.assert_array_equal(out["h"], out["zeros"])


def test_a_bias_may_start_anywhere():
    g = scg.Graph()
    scg.nn.linear(g, "a", 2, bias=[1.0, 2.0])(g.data("x", shape=3))
    scg.nn.conv2d(g, "c", 2, 1, bias=3)(g.data("y", shape=(1, 2, 2)))
    params = g.init(seed=0)
    assert (params["a/b"].tolist(), params["c/b"].tolist()) == ([1.0, 2.0], [3.0, 3.0])


def wrong_layers(g, x):
    yield lambda: scg.nn.linear(g, "a", 2)(g.data("s")), "layer 'a': expected a vector or more"
    yield lambda: scg.nn.conv2d(g, "b", 2, 3)(x), "layer 'b': expected an image (channels, H, W)"
    cell = scg.nn.gru_cell(g, "c", 2)
    yield (
        lambda: cell(x, x),
        "layer 'c': expected a state of shape (2,), got node 'x' of",
    )
    with g.scope("net"):
        layer = scg.nn.mlp(g, "d", [2])
    layer(x)
    yield (
        lambda: layer(g.data("y", shape=4)),
        "layer 'net/d/0': its parameters are for inputs of size 3, as in its first call, got node",
    )
    yield lambda: layer("x"), "a constant must be an array of numbers, got str"
    yield (
        lambda: layer(scg.Graph("other").data("x", shape=3)),
        "node 'net/d/0' of graph 'graph' uses node 'x' of shape (3,) of another graph ('other')",
    )
    yield (
        lambda: scg.nn.linear(g, "e", x, 2),
        'scg.nn.linear: too many positional arguments; write scg.nn.linear(g, "out", 10)(x)',
    )
    yield lambda: scg.nn.linear(g, "f", 0), "scg.nn.linear: width must be a positive integer, got 0"
    yield lambda: scg.nn.linear(g, "g", 2, bias=[1.0])(x), "bias: expected shape (2,), got (1,)"
    yield lambda: scg.nn.mlp(g, "h", []), "scg.nn.mlp: widths must be a list of widths such as"
    yield lambda: scg.nn.linear(g, "i/j", 2), "scope name 'i/j': '/' is reserved for scopes"
    yield (
        lambda: scg.nn.mlp(g, "k", [2], activation=5),
        "scg.nn.mlp: activation must be a function such as scg.relu, got 5; write",
    )
    yield lambda: cell(x), "layer 'c' has inputs=2, got 1 of them"
    square = scg.nn.linear(g, "m", 3)
    yield lambda: square(x, g.data("matrix", shape=(3, 3))), "layer 'm' has inputs=1, got 2 of them"
    yield lambda: scg.nn.linear(g, "n", 2, bias=[[1], [2, 3]])(x), "bias: expected an array of num"
    yield lambda: scg.stochastic_times_smooth(g, "o", "x"), "node 'o': a constant must be an array"
    yield lambda: scg.nn.layer_norm(g), "scg.nn.layer_norm: missing a required argument: 'name'"


def test_errors():
    g = scg.Graph()
    for make, message in wrong_layers(g, g.data("x", shape=3)):
        with pytest.raises(scg.DeclarationError, match=re.escape(message)):
            make()


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


def test_a_wrong_bias_declares_nothing():
    g = scg.Graph()
    with pytest.raises(scg.DeclarationError, match=r"bias: expected shape \(2,\), got \(3,\)"):
        scg.nn.linear(g, "out", 2, bias=np.zeros(3))(g.data("x", 4))
    assert scg.nn.linear(g, "out", 2)(g.data("y", 4)).shape == (2,)
