"""Measure-valued gradients: coupled positive and negative parts."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, classes, params_of, plated, two_layers


@pytest.mark.parametrize("build", [two_layers, classes])
def test_discrete_coordinates_are_exact_and_equal_ram(build):
    g = build()
    m = assert_exact(g, scg.MeasureValued())
    ram = scg.moments(scg.compile(g, scg.RAM()), params_of(g))
    for name, value in ram.variance.items():
        np.testing.assert_allclose(m.variance[name], value, atol=1e-12)


def test_unbiased_on_a_plate():
    g, data = plated()
    assert_exact(g, scg.MeasureValued(), data)


LOC, LOG_S, C = np.array([0.3, -0.5]), np.array([-0.2, 0.1]), np.array([0.7, -1.1])


def normal():
    """A cost that is no polynomial and not differentiable, on two normals."""
    g = scg.Graph("normal")
    scale = np.exp(g.parameter("log_s", LOG_S))
    x = g.sample("x", scg.Normal(loc=g.parameter("m", LOC), scale=scale))
    g.cost("loss", np.where(x[0] > 0.1, 2.0, -0.5) * x[1] + np.sin(np.sum(x * C)))
    return g


def loss(x):
    return np.where(x[0] > 0.1, 2.0, -0.5) * x[1] + np.sin(x @ C)


def test_equals_the_published_formula_on_the_same_noise():
    step = scg.compile(normal(), scg.MeasureValued())
    noise = step.noise(seed=5, runs=10)
    s = np.exp(LOG_S)
    for run in range(10):
        e = {name.split("/")[1]: value[run] for name, value in noise.items()}
        x = LOC + s * e["n"]
        weibull = np.sqrt(-2 * np.log(e["side"]))
        # a squared normal value and an exponential one of mean 2: three squared normal values
        maxwell = np.sign(e["n"]) * np.sqrt(e["n"] ** 2 - 2 * np.log(e["out"]))
        by_loc, by_scale = np.zeros(2), np.zeros(2)
        for i in range(2):

            def at(value, i=i, x=x):
                other = x.copy()
                other[i] = value
                return loss(other)

            up, down = LOC[i] + s[i] * weibull[i], LOC[i] - s[i] * weibull[i]
            by_loc[i] = (at(up) - at(down)) / (s[i] * np.sqrt(2 * np.pi))
            far = LOC[i] + s[i] * maxwell[i]
            by_scale[i] = (at(far) - loss(x)) / s[i]
        out = step(params_of(step.graph), noise={n: v[run : run + 1] for n, v in noise.items()})
        np.testing.assert_allclose(out.grads["m"], by_loc, atol=1e-10)
        np.testing.assert_allclose(out.grads["log_s"], by_scale * s, atol=1e-10)


def truth():
    """The gradient by Gauss quadrature in x, the step of x[0] being integrated exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    s = np.exp(LOG_S)

    def expectation(m, s):
        total = 0.0
        for low, high in ((-9 * s[0] + m[0], 0.1), (0.1, 9 * s[0] + m[0])):
            a = (low + high) / 2 + (high - low) / 2 * nodes
            b = m[1] + 9 * s[1] * nodes
            wa = weights * (high - low) / 2 * np.exp(-0.5 * ((a - m[0]) / s[0]) ** 2) / s[0]
            wb = weights * 9 * s[1] * np.exp(-0.5 * ((b - m[1]) / s[1]) ** 2) / s[1]
            grid = np.stack(np.broadcast_arrays(a[:, None], b[None, :]))
            value = np.where(grid[0] > 0.1, 2.0, -0.5) * grid[1]
            value = value + np.sin(grid[0] * C[0] + grid[1] * C[1])
            total += wa @ value @ wb / (2 * np.pi)
        return total

    found = {"m": np.zeros(2), "log_s": np.zeros(2)}
    for i, e in enumerate(np.eye(2) * 1e-5):
        found["m"][i] = (expectation(LOC + e, s) - expectation(LOC - e, s)) / 2e-5
        change = expectation(LOC, s * np.exp(e)) - expectation(LOC, s * np.exp(-e))
        found["log_s"][i] = change / 2e-5
    return found


@pytest.mark.statistical
def test_a_normal_below_a_step_is_unbiased(seed):
    """Four z-tests below 1e-9 each; they detect a bias of 12 % of the largest derivative."""
    step = scg.compile(normal(), scg.MeasureValued())
    out = step(params_of(step.graph), seed=(seed, 41), runs=200_000)
    expected = truth()
    largest = max(np.max(np.abs(v)) for v in expected.values())
    for name, value in expected.items():
        assert np.all(10 * out.stderr[name] < 0.12 * largest)  # the power of the test
        assert np.all(np.abs(out.grads[name] - value) < 6.5 * out.stderr[name]), name


def test_poisson():
    """f(x + 1) − f(x): exact for a quadratic, whose derivative in the rate is 2 λ + 1."""
    g = scg.Graph("poisson")
    x = g.sample("x", scg.Poisson(g.parameter("rate", 1.4)))
    g.cost("loss", x**2)
    step = scg.compile(g, scg.MeasureValued())
    out = step(params_of(g), seed=1, runs=4000)
    assert out.grads["rate"] == pytest.approx(2 * 1.4 + 1, abs=6 * out.stderr["rate"])
    draws = g.simulate(params_of(g), nodes=["x"], seed=1, runs=4000)["x"]
    assert out.grads["rate"] == pytest.approx(np.mean(2 * draws + 1), abs=1e-9)


def test_replays_use_the_same_noise_below():
    g = scg.Graph("below")
    x = g.sample("x", scg.Normal(loc=g.parameter("m", 0.2), scale=0.8))
    k = g.sample("k", scg.Bernoulli(logits=x))
    g.cost("loss", 3.0 * k)
    step = scg.compile(g, scg.MeasureValued())
    assert {name for name in step.noise(seed=1) if name.startswith("k/")} == {"k/u"}
    out = step(params_of(g), seed=2, runs=4000)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    p = 1 / (1 + np.exp(-(0.2 + 0.8 * nodes)))
    expected = 3.0 * (weights / weights.sum()) @ (p * (1 - p))
    assert out.grads["m"] == pytest.approx(expected, abs=6 * out.stderr["m"])


def test_other_laws_are_refused():
    g = scg.Graph("angle")
    k = g.parameter("k", 2.0)
    g.cost("loss", np.cos(g.sample("x", scg.VonMises(0.0, k))))
    with pytest.raises(scg.EstimatorError, match="VonMises has no measure-valued derivative"):
        scg.compile(g, scg.MeasureValued())


def test_a_parameter_without_parts_is_refused_unless_it_is_stopped():
    for stopped in (False, True):
        g = scg.Graph("gumbel")
        m, s = g.parameter("m", 2.0), g.parameter("s", 1.5)
        scale = scg.stop_gradient(s) if stopped else s
        g.cost("loss", g.sample("x", scg.Gumbel(m, scale)))
        if stopped:
            assert scg.compile(g, scg.MeasureValued())(params_of(g), seed=0).grads["s"] == 0
            continue
        with pytest.raises(scg.EstimatorError, match=r"derivative in 'loc', not in 'scale'"):
            scg.compile(g, scg.MeasureValued())
