"""RAM and local expectation gradients, and Tokui and Sato's theorem by enumeration."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, classes, params_of, plated, sigmoid, two_layers

BOTH = (scg.RAM, scg.LocalExpectation)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("build", [two_layers, classes])
def test_unbiased(make, build):
    assert_exact(build(), make())


@pytest.mark.parametrize("make", BOTH)
def test_unbiased_on_a_plate(make):
    g, data = plated()
    assert_exact(g, make(), data)


@pytest.mark.parametrize("make", BOTH)
def test_unbiased_above_a_score_function_and_below_leave_one_out(make):
    g = two_layers()
    assert_exact(g, {"h": make(), "k": scg.ScoreFunction()})
    assert_exact(g, {"h": scg.LeaveOneOut(samples=2), "k": make()})


def test_ram_replays_the_sample_plates_below():
    assert_exact(two_layers(), {"h": scg.RAM(), "k": scg.LeaveOneOut(samples=2)})
    assert_exact(two_layers(), {"h": scg.RAM(), "k": scg.Enumeration()})


def test_local_expectation_keeps_a_normal_child():
    g = scg.Graph("normal")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    x = g.sample("x", scg.Normal(loc=g.parameter("w", 0.8) * b, scale=0.7))
    g.cost("loss", (x - 0.3) ** 2 + b * x)
    m = scg.moments(scg.compile(g, {"b": scg.LocalExpectation()}), params_of(g))
    p, w = sigmoid(0.4), 0.8
    jump = (w - 0.3) ** 2 - 0.09 + w  # E[c | b = 1] − E[c | b = 0]; the variances cancel
    assert m.mean["theta"] == pytest.approx(p * (1 - p) * jump, abs=1e-6)
    assert m.mean["w"] == pytest.approx(p * (2 * (w - 0.3) + 1), abs=1e-6)


# --- the published formulas in plain NumPy --------------------------------------------------------
W, A, U = np.array([[0.9, -1.2], [0.4, 1.5]]), np.array([0.3, -0.8]), np.array([0.7, -1.1])


def cost(h, k):
    end = np.exp(k @ U + 0.6 * h[0]) - 2.0 * h[1]
    return end + (h[0] * h[1] - 0.4) ** 3 + np.sum(W) * 0.1 * h[0]


def flipped(h, i, v):
    other = h.copy()
    other[i] = v
    return other


def ram(uh, uk):
    """The gradient in a: p(1 − p) times the difference of two runs on the same uniforms."""
    p = sigmoid(A)
    h = (uh < p).astype(float)
    grad = np.zeros(2)
    for i in range(2):
        runs = []
        for v in (0.0, 1.0):
            x = flipped(h, i, v)
            runs.append(cost(x, (uk < sigmoid(x @ W - 0.4)).astype(float)))
        grad[i] = p[i] * (1 - p[i]) * (runs[1] - runs[0])
    return grad


def local(uh, uk):
    """The gradient in a: both values weighted with p(h_i | everything else) / p(h_i)."""
    p = sigmoid(A)
    h = (uh < p).astype(float)
    k = (uk < sigmoid(h @ W - 0.4)).astype(float)
    grad = np.zeros(2)
    for i in range(2):
        joint, costs = [], []
        for v in (0.0, 1.0):
            x = flipped(h, i, v)
            q = sigmoid(x @ W - 0.4)
            joint.append((p[i] if v else 1 - p[i]) * np.prod(np.where(k == 1, q, 1 - q)))
            costs.append(cost(x, k))
        posterior = np.array(joint) / np.sum(joint)
        slope = p[i] * (1 - p[i])
        grad[i] = slope * (posterior[1] / p[i] * costs[1] - posterior[0] / (1 - p[i]) * costs[0])
    return grad


@pytest.mark.parametrize(("make", "formula"), [(scg.RAM, ram), (scg.LocalExpectation, local)])
def test_equals_the_published_formula_on_the_same_noise(make, formula):
    step = scg.compile(two_layers(), make())
    noise = step.noise(seed=4, runs=25)
    params = params_of(step.graph)
    for run in range(25):
        out = step(params, noise={name: u[run : run + 1] for name, u in noise.items()})
        expected = formula(noise["h/u"][run], noise["k/u"][run])
        np.testing.assert_allclose(out.grads["a"], expected, atol=1e-10)


# --- the theorem ----------------------------------------------------------------------------------
def network(rng):
    """Three units in two layers with a bias each, and a random cost of all of them."""
    g = scg.Graph("network")
    w, c = rng.normal(size=2) * 1.5, rng.normal(size=7)
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", rng.normal(size=2))))
    k = g.sample("k", scg.Bernoulli(logits=np.sum(w * h) + g.parameter("b", rng.normal())))
    x, y = h[0], h[1]
    g.cost(
        "loss",
        c[0] * x + c[1] * y + c[2] * k + c[3] * x * y + c[4] * x * k + c[5] * y * k
        + c[6] * x * y * k,
    )  # fmt: skip
    return g


@pytest.mark.parametrize("trial", range(8))
def test_no_unit_has_less_variance_with_the_best_baseline(trial):
    """Tokui and Sato (2017): per unit and own logit, the parents given."""
    g = network(np.random.default_rng(trial))
    params = params_of(g)
    ram = scg.moments(scg.compile(g, scg.RAM()), params)
    best = scg.ScoreFunction(baseline=scg.baselines.OptimalInput())
    score = scg.moments(scg.compile(g, best), params)
    for name in "ab":
        np.testing.assert_allclose(ram.mean[name], score.mean[name], atol=1e-12)
        assert np.all(ram.variance[name] <= score.variance[name] + 1e-12)
    assert np.any(ram.variance["a"] < score.variance["a"] - 1e-6)


def test_a_shared_logit_is_beyond_the_theorem():
    """Exclusive or of two fair units: the score function is exact, RAM is not."""
    g = scg.Graph("shared")
    theta = g.parameter("theta", 0.0)
    h = g.sample("h", scg.Bernoulli(logits=theta * np.ones(2)))
    g.cost("xor", (h[0] - h[1]) ** 2)
    score = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
    ram = scg.moments(scg.compile(g, scg.RAM()), params_of(g))
    assert score.variance["theta"] == pytest.approx(0.0, abs=1e-15)
    assert ram.variance["theta"] == pytest.approx(0.125, abs=1e-12)
    assert score.mean["theta"] == pytest.approx(ram.mean["theta"], abs=1e-12)


def test_both_are_one_where_nothing_lies_below():
    g = scg.Graph("single")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", [0.3, -0.8, 1.1])))
    g.cost("loss", np.exp(np.sum(h * np.array([0.5, -1.0, 0.3])) + h[0] * h[1]))
    steps = [scg.compile(g, make()) for make in BOTH]
    noise = steps[0].noise(seed=1, runs=10)
    one, two = (step(params_of(g), noise=noise).grads["a"] for step in steps)
    np.testing.assert_allclose(one, two, atol=1e-13)


def test_requirements_name_what_is_wrong():
    g = scg.Graph("normal")
    x = g.sample("x", scg.Normal(loc=g.parameter("m", 0.0), scale=1.0))
    g.cost("loss", x**2)
    with pytest.raises(scg.EstimatorError, match="no independent coordinates"):
        scg.compile(g, scg.RAM())
    with pytest.raises(
        scg.EstimatorError, match="'k' below it is not sampled once from its own distribution"
    ):
        scg.compile(two_layers(), {"h": scg.LocalExpectation(), "k": scg.LeaveOneOut()})
    g = scg.Graph("mixed")
    plate = scg.Plate("particles", length=2)
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.0)), plates=plate)
    g.cost("bound", scg.iwae(2.0 * b, plate))
    with pytest.raises(scg.EstimatorError, match="mixes the elements of plate 'particles'"):
        scg.compile(g, scg.Enumeration())


@pytest.mark.parametrize("make", [*BOTH, scg.MeasureValued])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_cost_that_mixes_a_plate_moves_one_element_at_a_time(make, backend):
    """A second moment of a batch, whose size the data determine, beside a cost of each element."""
    g = scg.Graph("mixed")
    batch = scg.Plate("batch", reduce="mean")
    x = g.data("x", plates=batch)
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", 0.7) * x - 0.2))
    k = g.sample("k", scg.Bernoulli(logits=1.3 * b - x))
    g.cost("spread", (scg.plate_mean(b * x + k, batch) - 0.4) ** 3)
    g.cost("each", np.exp(b - 0.5 * k))
    data = {"x": np.array([0.9, -1.4, 0.3])}
    step = scg.compile(g, {"b": make(), "k": scg.ScoreFunction()}, backend=backend)
    m = scg.moments(step, params_of(g), data=data)
    truth = scg.exact(g, params_of(g), data=data)
    np.testing.assert_allclose(m.mean["w"], truth.grads["w"], atol=1e-12)


def test_an_impossible_class_is_no_trouble():
    g = scg.Graph("impossible")
    x = g.sample("x", scg.OneHotCategorical(probs=np.array([0.4, 0.6, 0.0])))
    theta = g.parameter("theta", 0.7)
    y = g.sample("y", scg.Bernoulli(logits=theta * x[1]))
    g.cost("loss", y * (1.0 + x[0]))
    for make in BOTH:
        assert_exact(g, make())
