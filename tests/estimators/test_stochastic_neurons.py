"""Stochastic neurons (Bengio 2013; Bengio, Léonard and Courville 2013)."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, params_of, plated, sigmoid, two_layers

LOGITS, C = np.array([0.3, -0.8, 1.1]), np.array([0.9, -1.0, 0.6])


def single():
    g = scg.Graph("single")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", LOGITS)))
    g.cost("loss", np.exp(np.sum(h * C)) + h[0] * h[2])
    return g


def loss(x):
    return np.exp(x @ C) + x[..., 0] * x[..., 2]


def slope(x):
    return np.exp(x @ C) * C + np.array([x[2], 0.0, x[0]])


def outcomes():
    p = sigmoid(LOGITS)
    x = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    return x, np.prod(np.where(x == 1, p, 1 - p), axis=1), p


# --- the unbiased estimator with its baseline per neuron ------------------------------------------
PER_UNIT = scg.ScoreFunction(baseline=scg.baselines.PerUnit(decay=0.8))


def warm(step):
    return {
        node: {n: v + 0.3 + 0.2 * np.arange(v.size).reshape(v.shape) for n, v in own.items()}
        for node, own in step.init(seed=0).items()
    }


def test_unbiased_with_a_baseline_for_each_unit():
    g = two_layers()
    assert_exact(g, PER_UNIT, state=warm(scg.compile(g, PER_UNIT)))
    g, data = plated()
    assert_exact(g, PER_UNIT, data, state=warm(scg.compile(g, PER_UNIT)))


def test_the_baseline_of_earlier_calls_as_published():
    """The ratio of two moving averages, of which this call's cost is no part."""
    step = scg.compile(single(), PER_UNIT)
    noise = step.noise(seed=3, runs=12)
    (leaf,) = noise
    state, p = step.init(seed=0), sigmoid(LOGITS)
    top, bottom = np.zeros(3), np.zeros(3)
    for run in range(12):
        x = (noise[leaf][run] < p).astype(float)
        b = np.divide(top, bottom, out=np.zeros(3), where=bottom > 0)
        out = step(params_of(step.graph), state=state, noise={leaf: noise[leaf][run : run + 1]})
        np.testing.assert_allclose(out.grads["a"], (x - p) * (loss(x) - b), atol=1e-10)
        top = 0.8 * top + 0.2 * (x - p) ** 2 * loss(x)
        bottom = 0.8 * bottom + 0.2 * (x - p) ** 2
        state = out.state


def test_the_state_converges_to_the_optimal_constant():
    g = single()
    step = scg.compile(g, PER_UNIT)
    state = step.init(seed=0)
    for _ in range(100):  # the mean update: what many calls average to
        state = scg.moments(step, params_of(g), state=state).state
    best = scg.ScoreFunction(baseline=scg.baselines.OptimalConstant())
    m = scg.moments(step, params_of(g), state=state)
    optimal = scg.moments(scg.compile(g, best), params_of(g))
    np.testing.assert_allclose(m.variance["a"], optimal.variance["a"], rtol=1e-6)
    assert state["h"]["weight"].shape == (3,)


# --- straight-through, with and without the sigmoid's derivative ----------------------------------
@pytest.mark.parametrize("through", ["mean", "logits"])
def test_straight_through_has_the_bias_of_its_formula(through):
    step = scg.compile(single(), scg.StraightThrough(through, allow_biased=True))
    m = scg.moments(step, params_of(step.graph))
    x, q, p = outcomes()
    expected = q @ np.array([slope(row) for row in x])
    expected = expected * p * (1 - p) if through == "mean" else expected
    np.testing.assert_allclose(m.mean["a"], expected, atol=1e-10)
    truth = scg.exact(step.graph, params_of(step.graph)).grads["a"]
    assert np.all(np.abs(m.mean["a"] - truth) > 1e-3)


def test_straight_through_options_are_checked():
    with pytest.raises(scg.EstimatorError, match="through must be"):
        scg.StraightThrough("sigmoid")


# --- the learned predictor ------------------------------------------------------------------------
def test_the_predictor_starts_as_straight_through():
    through = scg.compile(single(), scg.StraightThrough(allow_biased=True))
    step = scg.compile(single(), scg.GradientPredictor(allow_biased=True))
    noise = step.noise(seed=2)
    out = step(params_of(step.graph), noise=noise)
    np.testing.assert_allclose(
        out.grads["a"], through(params_of(step.graph), noise=noise).grads["a"], atol=1e-12
    )
    assert out.unbiased is False


def test_a_predictor_that_has_learned_is_unbiased_with_less_variance():
    g = single()
    step = scg.compile(g, scg.GradientPredictor(allow_biased=True))
    truth = scg.exact(g, params_of(g)).grads["a"]
    state = step.init(seed=0)
    start = scg.moments(step, params_of(g), state=state)
    assert np.max(np.abs(start.mean["a"] - truth)) > 1e-2

    def gradient(w):
        moved = {"h": {**state["h"], "w": w}}
        return scg.moments(step, params_of(g), state=moved).estimator_grads["h"]["w"]

    # The loss is quadratic in w, unit by unit: solve for its minimum.
    constant, columns = gradient(np.zeros((3, 3))), np.eye(3)
    curvature = np.stack([gradient(np.tile(e, (3, 1))) - constant for e in columns], axis=-1)
    best = np.stack([-np.linalg.solve(curvature[i], constant[i]) for i in range(3)])
    m = scg.moments(step, params_of(g), state={"h": {**state["h"], "w": best}})
    np.testing.assert_allclose(m.mean["a"], truth, atol=1e-9)
    plain = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
    assert np.all(m.variance["a"] < plain.variance["a"])


def test_the_predictor_learns_by_least_squares_on_the_unbiased_estimate():
    step = scg.compile(single(), scg.GradientPredictor(allow_biased=True))
    state = warm(step)
    noise = step.noise(seed=7)
    x, p = (noise["h/u"][0] < sigmoid(LOGITS)).astype(float), sigmoid(LOGITS)
    own = state["h"]
    features = np.stack([np.ones(3), slope(x) * p * (1 - p), x], axis=-1)
    prediction = np.sum(own["w"] * features, axis=-1)
    target = (x - p) * (loss(x) - own["weighted"] / own["weight"])
    out = step(params_of(step.graph), noise=noise, state=state)
    np.testing.assert_allclose(out.grads["a"], prediction, atol=1e-10)
    expected = 2 * (prediction - target)[:, None] * features
    np.testing.assert_allclose(out.estimator_grads["h"]["w"], expected, atol=1e-10)


# --- units ----------------------------------------------------------------------------------------
def smooth(credit):
    g = scg.Graph("unit")
    h = scg.stochastic_times_smooth(g, "b", g.parameter("a", [0.4, -1.2]), credit=credit)
    g.cost("loss", (h[0] - 0.2) ** 2 + np.exp(h[0] * h[1]))
    return g


def test_stochastic_times_smooth():
    credited, published = smooth(True), smooth(False)
    assert_exact(credited, scg.ScoreFunction())
    estimator = scg.ScoreFunction()
    m = scg.moments(scg.compile(published, estimator), params_of(published))
    truth = scg.exact(credited, params_of(credited))
    assert m.cost == pytest.approx(truth.cost, abs=1e-12)
    assert np.max(np.abs(m.mean["a"] - truth.grads["a"])) > 1e-2  # the published gradient is biased


def test_stochastic_times_smooth_is_exact_for_a_linear_cost_up_to_its_half():
    """E[h] = p; the smooth factor alone has half of its derivative."""
    g = scg.Graph("unit")
    a = g.parameter("a", 0.4)
    g.cost("loss", scg.stochastic_times_smooth(g, "b", a))
    m = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
    p = sigmoid(0.4)
    assert m.cost == pytest.approx(p, abs=1e-12)
    assert m.mean["a"] == pytest.approx(p * (1 - p) / 2, abs=1e-12)


def test_noisy_rectifier():
    """E max(0, a + sε) = a Φ(a/s) + s φ(a/s), whose derivative in a is Φ(a/s)."""
    from scipy.special import ndtr

    a, s = 0.3, 0.8
    g = scg.Graph("unit")
    g.cost("loss", scg.noisy_rectifier(g, "x", g.parameter("a", a), scale=s))
    step = scg.compile(g)
    noise = step.noise(seed=1, runs=4)
    (leaf,) = noise
    out = step(params_of(g), noise=noise)
    x = a + s * noise[leaf]
    assert out.cost == pytest.approx(np.mean(np.maximum(x, 0)), abs=1e-12)
    assert out.grads["a"] == pytest.approx(np.mean(x > 0), abs=1e-12)
    m = scg.moments(step, params_of(g))
    density = np.exp(-0.5 * (a / s) ** 2) / np.sqrt(2 * np.pi)
    assert m.cost == pytest.approx(a * ndtr(a / s) + s * density, abs=1e-5)
    assert m.mean["a"] == pytest.approx(ndtr(a / s), abs=1e-6)
