"""Double control variates and RODEO: corrections on top of leave-one-out."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, params_of, plated, sigmoid, two_layers

LOGITS, C = np.array([0.3, -0.8, 1.1]), np.array([0.5, -1.0, 0.3])


def single():
    g = scg.Graph("single")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", LOGITS)))
    g.cost("loss", np.exp(np.sum(h * C)) + h[0] * h[2])
    return g


def loss(x):
    return np.exp(x @ C) + x[0] * x[2]


def slope(x):
    return np.exp(x @ C) * C + np.array([x[2], 0.0, x[0]])


def filled(step, value=0.3):
    """A state with every own parameter moved, so that none of them hides what it does."""
    state = step.init(seed=0)
    return {node: {n: v + value for n, v in own.items()} for node, own in state.items()}


ESTIMATORS = {
    "double": lambda k: scg.DoubleCV(samples=k),
    "taylor": lambda k: scg.DoubleCV(samples=k, scale=-1.0),
    "rodeo": lambda k: scg.RODEO(samples=k, hidden=4),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("samples", [2, 3])
def test_unbiased_with_two_joint_layers(name, samples):
    g, estimator = two_layers(), ESTIMATORS[name](samples)
    assert_exact(g, estimator, state=filled(scg.compile(g, estimator)))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unbiased_on_a_plate(name):
    (g, data), estimator = plated(), ESTIMATORS[name](2)
    assert_exact(g, estimator, data, state=filled(scg.compile(g, estimator)))


def double_cv(x, alpha):
    """Titsias and Shi (2022): the gradient in the logits from K draws."""
    k, p = len(x), sigmoid(LOGITS)
    f, df = np.array([loss(row) for row in x]), np.array([slope(row) for row in x])
    mean_slope = np.array([np.mean(np.delete(df, i, 0), axis=0) for i in range(k)])
    b = alpha * np.sum(mean_slope * (x - p), axis=1)
    total = np.zeros(3)
    for i in range(k):
        rest = np.mean(np.delete(f + b, i))
        total += (f[i] + b[i] - rest) * (x[i] - p) - alpha * mean_slope[i] * p * (1 - p)
    return total / k


def rodeo(x, own):
    """Shi et al. (2022): Gibbs Stein operators with a shared network of (f, slope·(y − x))."""
    k, p = len(x), sigmoid(LOGITS)
    f, df = [loss(row) for row in x], [slope(row) for row in x]

    def network(cost, line):
        layer = cost * own["W_cost"] + line * own["W_line"] + own["b"]
        return np.where(layer > 0, layer, 0.3 * layer) @ own["out"]

    def h(i, y):
        return np.mean([network(f[j], df[j] @ (y - x[j])) for j in range(k) if j != i], axis=0)

    first, second = np.zeros(k), np.zeros((k, 3))
    for i in range(k):
        for d in range(3):
            y = x[i].copy()
            y[d] = 1 - y[d]
            chance = p[d] if y[d] == 1 else 1 - p[d]
            first[i] += chance * (h(i, y)[0] - h(i, x[i])[0]) / 3
            second[i] += chance * (h(i, y)[1] * (y - p) - h(i, x[i])[1] * (x[i] - p)) / 3
    total = np.zeros(3)
    for i in range(k):
        rest = np.mean([f[j] + own["alpha"] * first[j] for j in range(k) if j != i])
        total += (f[i] - rest) * (x[i] - p) + own["beta"] * second[i]
    return total / k


@pytest.mark.parametrize("name", ["double", "rodeo"])
@pytest.mark.parametrize("samples", [2, 4])
def test_equals_the_published_formula_on_the_same_noise(name, samples):
    step = scg.compile(single(), ESTIMATORS[name](samples))
    state, noise = filled(step), step.noise(seed=2, runs=10)
    (leaf,) = noise
    for run in range(10):
        out = step(params_of(step.graph), state=state, noise={leaf: noise[leaf][run : run + 1]})
        x = (noise[leaf][run] < sigmoid(LOGITS)).astype(float)
        own = state["h"]
        expected = double_cv(x, own["alpha"]) if name == "double" else rodeo(x, own)
        np.testing.assert_allclose(out.grads["a"], expected, atol=1e-10)


@pytest.mark.parametrize("name", ["double", "rodeo"])
def test_own_parameters_learn_on_the_variance(name):
    step = scg.compile(single(), ESTIMATORS[name](2))
    params, state, noise = params_of(step.graph), filled(step), step.noise(seed=9)
    own = step(params, state=state, noise=noise).estimator_grads["h"]

    def square(entry, index, shift):
        moved = {n: np.array(v, dtype=float) for n, v in state["h"].items()}
        moved[entry][index] += shift
        return np.sum(step(params, state={"h": moved}, noise=noise).grads["a"] ** 2)

    checked = 0
    for entry, gradient in own.items():
        for index in np.ndindex(gradient.shape):
            change = (square(entry, index, 1e-5) - square(entry, index, -1e-5)) / 2e-5
            assert gradient[index] == pytest.approx(change, rel=1e-5, abs=1e-7)
            checked += abs(change) > 1e-6
    assert checked > 0


def test_at_their_start_both_are_leave_one_out():
    steps = [scg.compile(single(), e) for e in (scg.LeaveOneOut(3), scg.DoubleCV(3), scg.RODEO(3))]
    noise = steps[0].noise(seed=1, runs=5)
    grads = [s(params_of(s.graph), noise=noise, state=s.init(seed=0)).grads["a"] for s in steps]
    np.testing.assert_allclose(grads[1], grads[0], atol=1e-13)
    np.testing.assert_allclose(grads[2], grads[0], atol=1e-13)


@pytest.mark.parametrize("name", ["double", "rodeo"])
def test_training_on_the_variance_lowers_it(name):
    step = scg.compile(single(), ESTIMATORS[name](2))
    params = params_of(step.graph)
    state = step.init(seed=0)
    start = scg.moments(step, params, state=state)
    for _ in range(60):
        own = scg.moments(step, params, state=state).estimator_grads["h"]
        state = {"h": {n: v - 0.2 * own[n] for n, v in state["h"].items()}}
    end = scg.moments(step, params, state=state)
    np.testing.assert_allclose(end.mean["a"], start.mean["a"], atol=1e-10)
    assert np.sum(end.variance["a"]) < 0.9 * np.sum(start.variance["a"])


def test_double_cv_has_unbiased_second_derivatives():
    g = two_layers()
    m = scg.moments(scg.compile(g, scg.DoubleCV(2, scale=-0.8), order=2), params_of(g))
    truth = scg.exact(g, params_of(g)).hessian
    for a in truth:
        for b in truth[a]:
            np.testing.assert_allclose(m.hessian[a][b], truth[a][b], atol=1e-9, err_msg=f"{a},{b}")


def test_errors_say_what_to_do():
    with pytest.raises(scg.EstimatorError, match="DoubleCV: samples must be an integer ≥ 2"):
        scg.DoubleCV(samples=1)
    with pytest.raises(scg.EstimatorError, match="RODEO: hidden must be a positive integer"):
        scg.RODEO(hidden=0)
