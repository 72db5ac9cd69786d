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
    with pytest.raises(scg.CallError, match="a seed is an integer"):
        f({"w": W}, 1.5, data)
    with pytest.raises(scg.CallError, match="data 'x' is missing"):
        f({"w": W}, 1, {"y": Y})


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, lambda f: jax.jit(jax.jit(f))])
def test_data_without_gradients_are_refused(wrap):
    f = cost(function(scg.compile(model(), scg.Enumeration())), square=False)
    with pytest.raises(scg.CallError, match=r"data_grads=\('x',\)"):
        jax.grad(wrap(lambda x: f(W, x)))(X)
    slope = jax.grad(wrap(lambda w: f(w, X)))(W)
    np.testing.assert_allclose(slope, jax.grad(expected)(W, X), rtol=1e-10)
