"""Steps as JAX functions, against JAX' own derivatives of the expected cost."""

import numpy as np
import pytest

import scg

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402

from scg.interop.jax import function  # noqa: E402

Y = np.array([0, 1, 2, 1, 0])
X = np.random.default_rng(0).normal(size=(5, 3))
W = np.array([-0.2, 0.1, 0.4])


def model():
    g = scg.Graph("m")
    batch = scg.Plate("batch")
    x, y = g.data("x", 3, plates=batch), g.data("y", plates=batch, kind="int")
    w = g.parameter("w", W)
    z = g.sample("z", scg.Bernoulli(logits=x @ w))
    g.cost("loss", (z - 0.25 * y + x @ w) ** 2)
    return g


def expected(w, x):
    """The expected cost, in JAX."""
    logits = x @ w
    p = jax.nn.sigmoid(logits)
    zero, one = ((z - 0.25 * Y + logits) ** 2 for z in (0.0, 1.0))
    return jnp.mean(p * one + (1 - p) * zero)


def cost(f, square=True):
    return lambda w, x: f({"w": w}, 0, {"x": x * x if square else x, "y": Y})


def test_derivatives_under_jit_and_vmap():
    f = cost(function(scg.compile(model(), scg.Enumeration(), data_grads=("x",))))
    theirs = jax.grad(lambda w, x: expected(w, x * x), (0, 1))
    for one, other in zip(jax.jit(jax.grad(f, (0, 1)))(W, X), theirs(W, X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    many = jnp.stack([W, 2 * W, -W])
    np.testing.assert_allclose(
        jax.vmap(jax.grad(f), (0, None))(many, X),
        jax.vmap(lambda w: theirs(w, X)[0])(many),
        rtol=1e-10,
        atol=1e-12,
    )


def test_a_seed_is_an_argument():
    f = function(scg.compile(model(), scg.ScoreFunction()))
    costs = [float(jax.jit(f)({"w": W}, seed, {"x": X, "y": Y})) for seed in (0, 0, 1, 2)]
    assert costs[0] == costs[1] and len(set(costs)) == 3


def test_a_seed_is_that_of_a_call_of_the_step_or_a_key():
    step = scg.compile(model(), scg.ScoreFunction(), data_grads=("x",))
    f, data = function(step, runs=3), {"x": X, "y": Y}
    key = jax.random.key(7)
    words = tuple(int(word) for word in jax.random.key_data(key))
    for seed, same in ((5, 5), ((5,), (5,)), ((5, 2), (5, 2)), (key, words)):
        wanted = step({"w": W}, seed=same, runs=3, data=data).cost
        assert float(jax.jit(f)({"w": W}, seed, data)) == pytest.approx(wanted, rel=1e-12)
    for step_number in range(2):
        traced = jax.jit(lambda i: f({"w": W}, (5, i), data))(step_number)
        assert traced == f({"w": W}, (5, step_number), data)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["called", "traced"])
def test_mistakes_are_errors_before_the_callback(wrap):
    step = scg.compile(model(), scg.ScoreFunction(), data_grads=("x",))
    f, data = wrap(function(step)), {"x": X, "y": Y}
    for match, params, given in (
        ("data 'x' is missing", {"w": W}, {"y": Y}),
        ("unknown data 'q'", {"w": W}, data | {"q": 1.0}),
        ("parameter 'w' is missing", {}, data),
        (r"parameter 'w': expected shape \(3,\), got \(2,\)", {"w": W[:2]}, data),
        ("data 'y': declared as integers", {"w": W}, data | {"y": Y + 0.5}),
        ("data 'x': expected real numbers", {"w": W}, data | {"x": X + 1j}),
        ("parameter 'w': expected real numbers", {"w": W * 1j}, data),
    ):  # fmt: skip
        with pytest.raises(scg.CallError, match=match):
            f(params, 0, given)
    with pytest.raises(scg.CallError, match="a seed is an integer"):
        f({"w": W}, 1.5, data)


def test_wrong_seeds_are_errors():
    f = function(scg.compile(model(), scg.Enumeration()))
    for seed, match in ((-1, "not negative"), (None, "a seed is"), ((), "an empty tuple")):
        with pytest.raises(scg.CallError, match=match):
            f({"w": W}, seed, {"x": X, "y": Y})


def test_constrained_parameters_are_unconstrained_numbers():
    g = scg.Graph("s")
    scale = g.parameter("scale", 2.0, constraint=scg.positive)
    g.cost("c", g.sample("z", scg.Normal(0.0, scale)) ** 2)
    f, number = function(scg.compile(g, scg.Reparameterization())), g.unconstrained(g.init(0))
    difference = (f({"scale": number["scale"] + 1e-6}, 0) - f(number, 0)) / 1e-6
    assert jax.grad(f)(number, 0)["scale"] == pytest.approx(float(difference), rel=1e-5)
    assert f({"scale": -3.0}, 0) > 0  # every number has a value
