"""RELAX: the mean is exact for every network, the formula in NumPy, and what learns."""

import numpy as np
import pytest

import scg

from . import relaxed_models as models
from .graphs import params_of
from .relaxed_models import derivative, logistic, sigmoid

TAU = 0.6
COUPLED = pytest.mark.parametrize("coupled", [True, False])
WITH_COST = pytest.mark.parametrize("temperature", [TAU, None])


def trained(step):
    """A state in which every weight is at work."""
    state = step.init(seed=2)
    return {
        node: {
            name: v
            if name == "temperature"
            else v + 0.4 * np.cos(np.arange(v.size)).reshape(v.shape)
            for name, v in own.items()
        }
        for node, own in state.items()
    }


@WITH_COST
@pytest.mark.parametrize("make, data", [(models.narrow, None), (models.binary, None)])
def test_the_mean_is_exact(temperature, make, data):
    g = make()
    step = scg.compile(g, scg.RELAX(temperature, hidden=(3,), coupled=True))
    m = scg.moments(step, params_of(g), data=data, state=trained(step))
    for name, value in scg.exact(g, params_of(g), data=data).grads.items():
        np.testing.assert_allclose(m.mean[name], value, atol=1e-9, err_msg=name)


def test_the_mean_is_exact_with_independent_noise():
    g = scg.Graph("one")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    g.cost("loss", np.exp(1.1 * b) + (b - 0.3) ** 3)
    step = scg.compile(g, scg.RELAX(hidden=(3,)))
    m = scg.moments(step, params_of(g), state=trained(step))
    assert m.mean["a"] == pytest.approx(scg.exact(g, params_of(g)).grads["a"], abs=1e-9)


def test_the_hessian_is_exact():
    g = models.narrow()
    step = scg.compile(g, scg.RELAX(hidden=(3,), coupled=True), order=2)
    m = scg.moments(step, params_of(g), state=trained(step))
    for one, row in scg.exact(g, params_of(g)).hessian.items():
        for two, value in row.items():
            np.testing.assert_allclose(m.hessian[one][two], value, atol=1e-7, err_msg=one + two)


@pytest.mark.statistical
@WITH_COST
@COUPLED
@pytest.mark.parametrize(
    "make, data",
    [(models.layers, None), (models.plated, models.BATCH), (models.classes, None)],
)
def test_no_bias_is_found(temperature, coupled, make, data, seed):
    """z-tests: 44 components at 6.5 standard errors fail by chance less than once in 10⁸ runs."""
    g = make()
    step = scg.compile(g, scg.RELAX(temperature, hidden=(3,), coupled=coupled))
    out = step(params_of(g), seed=(seed, 7), runs=20_000, data=data, state=trained(step))
    for name, value in scg.exact(g, params_of(g), data=data).grads.items():
        error = np.maximum(out.stderr[name], 1e-12)
        assert np.all(np.abs(out.grads[name] - value) < 6.5 * error), name
        assert np.all(9 * error < 0.3), "a bias of 0.3 would be found 99 times in 100"


def network(own, inputs):
    layer = np.concatenate([np.ravel(x) for x in inputs])
    return np.tanh(layer @ own["W0"] + own["b0"]) @ own["out"] + own["offset"]


@WITH_COST
@COUPLED
def test_two_layers_on_the_same_noise(temperature, coupled):
    g, runs = models.layers(), 20
    step = scg.compile(g, scg.RELAX(temperature, hidden=(4,), coupled=coupled))
    state, p = trained(step), params_of(g)
    noise = step.noise(seed=3, runs=runs)
    out, total = step(p, noise=noise, state=state), {key: 0.0 for key in p}
    for r in range(runs):
        e_h, e_k = logistic(noise["h/u"][r]), logistic(noise["k/u"][r])
        h = (p["a"] + e_h > 0) * 1.0
        lk = np.asarray(h @ p["w"] + p["c"])
        k = (lk + e_k > 0) * 1.0

        def c_h(z, e_k=e_k):
            c = network(state["h"], [z])
            if temperature is not None:
                y = sigmoid(z / TAU)
                below = sigmoid((y @ p["w"] + p["c"] + e_k) / TAU)
                c = c + models.end(y, below) + models.middle(y)
            return c

        def c_k(z, h=h):
            c = network(state["k"], [z, h])
            return c if temperature is None else c + models.end(h, sigmoid(z / TAU))

        def relax(node, cost, control, logits, b, e, r=r):
            if coupled:
                odds = models.binary_odds(logits, b, logits + e)
            else:
                v = noise[f"{node}/v"][r]
                odds = (1 - v) / v

            def given(x):
                return control(models.binary_given(x, b, odds))

            slope = derivative(lambda x: control(x + e), logits)
            return (
                (cost - given(logits)) * (b - sigmoid(logits)) + slope - derivative(given, logits)
            )

        g_h = relax("h", models.end(h, k) + models.middle(h), c_h, p["a"], h, e_h)
        g_k = relax("k", models.end(h, k), c_k, lk, k, e_k)
        total = {"a": total["a"] + g_h, "w": total["w"] + g_k * h, "c": total["c"] + g_k}
    for key, value in total.items():
        np.testing.assert_allclose(out.grads[key], value / runs, atol=1e-10, err_msg=key)


@WITH_COST
@pytest.mark.parametrize("make, data", [(models.layers, None), (models.plated, models.BATCH)])
def test_own_gradients_are_differences_of_the_squared_norm(temperature, make, data):
    g = make()
    step = scg.compile(g, scg.RELAX(temperature, hidden=(3,)))
    noise, state = step.noise(seed=12, runs=1, data=data), trained(step)

    def norm(state):
        out = step(params_of(g), noise=noise, data=data, state=state)
        return sum(float(np.sum(v**2)) for v in out.grads.values())

    found = step(params_of(g), noise=noise, data=data, state=state).estimator_grads
    for node, own in found.items():
        assert ("temperature" in own) == (temperature is not None)
        for name, value in own.items():
            for i in np.ndindex(np.shape(value)):
                sides = []
                for by in (1e-5, -1e-5):
                    moved = np.array(state[node][name])
                    moved[i] += by
                    sides.append(norm({**state, node: {**state[node], name: moved}}))
                difference = (sides[0] - sides[1]) / 2e-5
                assert value[i] == pytest.approx(difference, rel=1e-5, abs=1e-6), (node, name, i)


def test_training_the_network_lowers_the_exact_variance():
    g = models.narrow()
    step = scg.compile(g, scg.RELAX(None, hidden=(3,), coupled=True))
    state = step.init(seed=1)

    def variance():
        m = scg.moments(step, params_of(g), state=state)
        return sum(float(np.sum(v)) for v in m.variance.values())

    before = variance()
    for i in range(8):
        slopes = step(params_of(g), seed=i, runs=2000, state=state).estimator_grads
        state = {
            node: {name: v - 0.7 * slopes[node][name] for name, v in own.items()}
            for node, own in state.items()
        }
    plain = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g)).variance
    assert before == pytest.approx(sum(float(np.sum(v)) for v in plain.values()), abs=1e-8)
    assert variance() < 0.7 * before


def test_at_first_it_is_rebar_of_scale_one():
    g = models.layers()
    one = scg.compile(g, scg.RELAX(TAU))
    two = scg.compile(g, scg.REBAR(TAU, coupled=False))
    noise = one.noise(seed=5, runs=4)
    left, right = (step(params_of(g), noise=noise).grads for step in (one, two))
    for name, value in right.items():
        np.testing.assert_allclose(left[name], value, atol=1e-12)


def test_without_a_temperature_the_cost_may_jump():
    g = scg.Graph("jump")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    g.cost("loss", scg.where(b > 0.5, 2.0, 1.0))
    step = scg.compile(g, scg.RELAX(None, hidden=(3,), coupled=True))
    m = scg.moments(step, params_of(g), state=trained(step))
    assert m.mean["a"] == pytest.approx(scg.exact(g, params_of(g)).grads["a"], abs=1e-9)
    with pytest.raises(scg.EstimatorError, match="not continuous"):
        scg.compile(g, scg.RELAX())


def test_wrong_widths_are_refused():
    with pytest.raises(scg.EstimatorError, match="hidden must be positive integers"):
        scg.RELAX(hidden=(0,))
