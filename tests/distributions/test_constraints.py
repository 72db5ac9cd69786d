"""Constraints: what they accept, their bijections, and constrained parameters."""

import mpmath as mp
import numpy as np
import pytest

import scg
from scg.distributions import DISTRIBUTIONS, constraints

VALUES = {
    "positive": (scg.positive, [[1e-300, 1e-3, 1.0, 40.0, 1e6]], [0.0, -1.0, np.nan, np.inf]),
    "positive_exp": (scg.positive_exp, [[1e-300, 1e-3, 1.0, 1e200]], [0.0, -1.0, np.nan]),
    "unit_interval": (scg.unit_interval, [[1e-300, 0.3, 1 - 1e-9]], [-0.1, 1.1, np.nan]),
    "simplex": (scg.simplex, [[0.2, 0.5, 0.3]], [[0.5, 0.6], [-0.1, 1.1]]),
    "ordered_vector": (
        scg.ordered_vector,
        [[-2.0, 0.1, 1.3], [1.0], [0.0, 1e-9, 1e6]],
        [[1.0, 1.0], [2.0, 1.0]],
    ),
    "lower_cholesky": (
        scg.lower_cholesky,
        [[[1.3, 0.0], [-0.4, 1e-3]]],
        [[[1.0, 0.1], [0.0, 1.0]], [[1.0, 0.0], [0.0, -1.0]]],
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_inverse_and_transform(name):
    constraint, inside, outside = VALUES[name]
    for value in inside:
        x = np.array(value)
        assert constraint.complaint(x) is None
        np.testing.assert_allclose(constraint.transform(constraint.inverse(x)), x, rtol=1e-12)
        u = np.random.default_rng(0).normal(size=x.shape)
        assert np.all(constraint.contains(np.asarray(constraint.transform(u))))
    for value in outside:
        assert f"must be {constraint.name}, got" in constraint.complaint(np.array(value))


def test_inverse_of_the_softplus_is_accurate():
    for x in (1e-300, 1e-9, 0.5, 36.0, 1e6):
        with mp.workdps(400):
            exact = float(mp.log(mp.expm1(mp.mpf(x)))) if x < 1e5 else x
        np.testing.assert_allclose(scg.positive.inverse(np.array(x)), exact, rtol=1e-13)


@pytest.mark.parametrize("name", VALUES)
def test_constrained_parameter(name):
    """Gradients are those of the unconstrained numbers; params hold constrained values."""
    constraint, inside, _ = VALUES[name]
    start = np.array(inside[0])
    start = np.clip(start, 1e-2, 20.0) if constraint.axes == 0 else start
    start = np.minimum(start, 0.9) if name == "unit_interval" else start
    weight = np.random.default_rng(1).normal(size=start.shape)
    g = scg.Graph()
    p = g.parameter("p", start, constraint=constraint)
    g.cost("c", np.sum(np.square(p) * weight))
    params = g.init(seed=0)
    np.testing.assert_array_equal(params["p"], start)
    out = scg.compile(g)(params, seed=0)
    np.testing.assert_allclose(out.cost, np.sum(start**2 * weight), rtol=1e-12)
    u, h = g.unconstrained(params)["p"], 1e-5
    for i in np.ndindex(u.shape):
        e = np.zeros(u.shape)
        e[i] = h

        def cost(v):
            return np.sum(np.square(g.constrained({"p": v})["p"]) * weight)

        slope = (cost(u + e) - cost(u - e)) / (2 * h)
        np.testing.assert_allclose(out.grads["p"][i], slope, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(g.simulate(params, nodes=["p"], seed=0)["p"][0], start, rtol=1e-12)


def test_constrained_parameters_learn_and_stay_inside():
    """The scale of a normal law is found by unconstrained steps; it never leaves its set."""
    g = scg.Graph()
    sigma = g.parameter("sigma", 5.0, constraint=scg.positive)
    z = g.sample("z", scg.Normal(0.0, sigma))
    g.cost("c", 0.5 * z**2 - np.log(sigma))  # least at sigma = 1
    step = scg.compile(g, estimator=scg.Reparameterization())
    params, state = g.init(seed=0), None
    optimizer = scg.optim.Adam(0.3)
    for i in range(300):
        out = step(params, seed=(1, i), runs=200)
        numbers, state = optimizer.apply(g.unconstrained(params), out.grads, state)
        params = g.constrained(numbers)
        assert params["sigma"] > 0
    np.testing.assert_allclose(params["sigma"], 1.0, atol=0.1)


def test_fit_updates_the_unconstrained_numbers():
    """An update far beyond zero leaves a constrained parameter positive."""
    x = scg.Plate("x")
    g = scg.Graph()
    rate = g.parameter("rate", 0.5, constraint=scg.positive)
    g.cost("c", -scg.Exponential(rate).log_prob(g.data("y", plates=x)))
    y = np.random.default_rng(0).exponential(0.25, size=(40, 50))
    optimizer = scg.optim.Adam(0.1)
    data = {"y": y.ravel()}
    run = scg.fit(scg.compile(g), data=data, batch_size=50, epochs=8, optimizer=optimizer, seed=0)
    np.testing.assert_allclose(run.params["rate"], 1 / y.mean(), rtol=0.1)


def test_initial_values_are_constrained():
    g = scg.Graph()
    g.parameter("w", shape=(3,), constraint=scg.simplex)
    g.parameter("s", shape=(), constraint=scg.positive, init=lambda rng, shape: np.array(2.0))
    params = g.init(seed=0)
    np.testing.assert_allclose(params["w"], np.full(3, 1 / 3))
    assert params["s"] == 2.0


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_values_on_a_border_stay_there(backend):
    """Their numbers are infinite, which is no reason to warn."""
    g = scg.Graph()
    p = g.parameter("p", [0.0, 1.0, 0.25], constraint=scg.unit_interval)
    q = g.parameter("q", [0.0, 0.5, 0.5], constraint=scg.simplex)
    g.parameter("far", [-1e308, 1e308], constraint=scg.ordered_vector)
    g.cost("loss", np.sum(p * p) + q[0] + 2.0 * q[1])
    out = scg.compile(g, backend=backend)(g.init(seed=0), seed=0)
    assert out.cost == 2.0625
    np.testing.assert_allclose(out.grads["p"], [0.0, 0.0, 2 * 0.25 * 0.25 * 0.75])
    np.testing.assert_allclose(out.grads["q"], [0.0, 0.5, -0.5])


def test_errors_name_the_parameter():
    g = scg.Graph()
    with pytest.raises(scg.DeclarationError, match=r"'a' must be positive, got -1\."):
        g.parameter("a", -1.0, constraint=scg.positive)
    with pytest.raises(scg.DeclarationError, match=r"expected a constraint such as scg\.positive"):
        g.parameter("b", 1.0, constraint="positive")
    with pytest.raises(scg.DeclarationError, match="no parameter can be constrained to be 0 or 1"):
        g.parameter("c", 1.0, constraint=constraints.boolean)
    with pytest.raises(scg.DeclarationError, match=r"of shape .* cannot be a strictly increasing"):
        g.parameter("d", 1.0, constraint=scg.ordered_vector)
    g.cost("loss", g.parameter("s", 1.0, constraint=scg.positive))
    with pytest.raises(scg.CallError, match=r"parameter 's' must be positive, got 0\."):
        scg.compile(g)({"s": 0.0}, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: scg.Normal(0.0, [1.0, -2.0]),
            r"Normal: scale must be positive, got -2. at index 1",
        ),
        (lambda: scg.Gamma(0.0), "Gamma: concentration must be positive, got 0"),
        (lambda: scg.Bernoulli(probs=1.2), "Bernoulli: probs must be between 0 and 1, got 1.2"),
        (lambda: scg.Geometric(probs=0.0), "probs must be between 0 and 1 and not 0, got 0"),
        (lambda: scg.NegativeBinomial(2.0, probs=[0.5, 1.0]), "and not 1, got 1. at index 1"),
        (lambda: scg.Poisson(0.0), "Poisson: rate must be positive, got 0"),
        (lambda: scg.Categorical(probs=[0.5, 0.6]), "non-negative numbers that sum to one"),
        (lambda: scg.Normal(np.nan, 1.0), "Normal: loc must be real, got nan"),
        (lambda: scg.Uniform(1.0, 1.0), "low must be less than high"),
        (lambda: scg.Poisson(-3.0), "Poisson: rate must be positive"),
        (lambda: scg.OrderedLogistic(0.0, [1.0, 0.0]), "must be a strictly increasing vector"),
        (
            lambda: scg.MultivariateNormal([0.0, 0.0], scale_tril=np.ones((2, 2))),
            "lower triangular matrix",
        ),
        (lambda: scg.MultivariateNormal(0.0, scale_diag=1.0), "loc must be a vector"),
        (lambda: scg.MultivariateNormal([0.0], scale_diag=[1.0, 2.0]), "does not fit"),
        (lambda: scg.MultivariateNormal([0.0], cov_factor=[[1.0]]), "cov_factor= with cov_diag="),
        (lambda: scg.Dirichlet([1.0]), "at least two elements"),
        (lambda: scg.Laplace([0.0, 1.0], [1.0, 1.0, 1.0]), "do not broadcast"),
    ],
)
def test_numbers_are_checked_when_declared(make, message):
    with pytest.raises(scg.DeclarationError, match=message):
        make()


@pytest.mark.parametrize("family", DISTRIBUTIONS, ids=lambda family: family.__name__)
def test_every_family_declares_its_sets(family):
    assert isinstance(family.support, property | constraints.Constraint)
    if family not in (scg.Independent, scg.Transformed):  # their parts check the parameters
        assert all(isinstance(c, constraints.Constraint) for c in family.constraints.values())
        assert family.constraints
