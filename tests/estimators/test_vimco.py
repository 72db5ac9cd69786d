"""VIMCO: the leave-one-out bound as a baseline, on a user's plate of particles."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, params_of, sigmoid

K = 3
IMPUTE = ("geometric", "arithmetic")


def bound(length=K, layers=2, after=False, scale=1.0):
    g = scg.Graph("bound")
    particles = scg.Plate("particles", length=length)
    logits = g.parameter("a", [0.3, -0.6])
    h = g.sample("h", scg.Bernoulli(logits=logits), plates=particles)
    log_w = 1.1 * h[0] - 1.7 * h[0] * h[1] - h.log_prob() + 0.2
    if layers == 2:
        k = g.sample("k", scg.Bernoulli(logits=g.parameter("w", 0.8) * h[0] - 0.5 * h[1]))
        log_w = log_w + 0.9 * k * h[1] - k.log_prob()
    log_w = log_w * scale
    if after:
        z = g.sample("z", scg.Bernoulli(logits=scg.plate_logsumexp(log_w, particles)))
        g.cost("bound", (z - 0.3) ** 3 - scg.plate_mean(log_w, particles) * z)
    else:
        g.cost("bound", scg.iwae(log_w, particles))
    return g, particles


@pytest.mark.parametrize("impute", IMPUTE)
@pytest.mark.parametrize("after", [False, True])
def test_unbiased_with_two_layers(impute, after):
    g, particles = bound(after=after)
    estimators = dict.fromkeys(("h", "k"), scg.VIMCO(particles, impute))
    m = assert_exact(g, estimators | ({"z": scg.ScoreFunction()} if after else {}))
    plain = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
    assert np.sum(m.variance["a"]) < np.sum(plain.variance["a"])


@pytest.mark.parametrize(
    "above", [scg.ScoreFunction(), scg.LeaveOneOut(samples=2), scg.Enumeration()], ids=repr
)
@pytest.mark.parametrize("impute", IMPUTE)
def test_unbiased_on_a_batch_with_a_second_cost_on_the_particles(impute, above):
    g = scg.Graph("batch")
    batch = scg.Plate("batch", reduce="mean")
    particles = scg.Plate("particles", length=2, reduce="sum")
    x = g.data("x", plates=batch)
    top = g.sample("top", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    b = g.sample(
        "b", scg.Bernoulli(logits=g.parameter("w", 0.7) * x + top), plates=(batch, particles)
    )
    g.cost("bound", scg.iwae(x * b - 0.4 * b * top, particles))
    g.cost("each", np.exp(0.5 * b * x))
    estimators = {"b": scg.VIMCO(particles, impute), "top": above}
    data = {"x": np.array([0.9, -1.4])}
    m = assert_exact(g, estimators, data)
    plain = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g), data=data)
    assert m.variance["w"] < plain.variance["w"]


def published(u, logits, impute):
    """Mnih and Rezende (2016), section 3: the gradient of −L̂ in the logits, one run."""
    h = (u < sigmoid(logits)).astype(float)  # (particles, 2)
    log_q = h @ logits - np.sum(np.log1p(np.exp(logits)))
    log_f = 1.1 * h[:, 0] - 1.7 * h[:, 0] * h[:, 1] + 0.2 - log_q

    def bound(log_f):
        return np.log(np.mean(np.exp(log_f)))

    total = np.zeros(2)
    weights = np.exp(log_f) / np.sum(np.exp(log_f))
    for j in range(len(h)):
        rest = np.delete(log_f, j)
        stand_in = np.mean(rest) if impute == "geometric" else np.log(np.mean(np.exp(rest)))
        signal = bound(log_f) - bound(np.append(rest, stand_in))
        score = h[j] - sigmoid(logits)
        total += signal * score - weights[j] * score  # the second: ∇ log f at fixed h
    return -total


@pytest.mark.parametrize("impute", IMPUTE)
def test_equals_the_published_formula_on_the_same_noise(impute):
    g, particles = bound(length=4, layers=1)
    step = scg.compile(g, scg.VIMCO(particles, impute))
    noise = step.noise(seed=3, runs=20)
    (name,) = noise
    for run in range(20):
        out = step(params_of(g), noise={name: noise[name][run : run + 1]})
        expected = published(noise[name][run], np.array([0.3, -0.6]), impute)
        np.testing.assert_allclose(out.grads["a"], expected, atol=1e-10)


@pytest.mark.parametrize("impute", IMPUTE)
def test_large_log_weights_do_not_overflow(impute):
    g, particles = bound(length=4, layers=1, scale=2000.0)
    out = scg.compile(g, scg.VIMCO(particles, impute))(params_of(g), seed=1, runs=50)
    assert np.all(np.isfinite(out.grads["a"]))
    assert np.isfinite(out.cost)


def test_second_order():
    g, particles = bound(length=2, layers=1)
    step = scg.compile(g, scg.VIMCO(particles), order=2)
    m = scg.moments(step, params_of(g))
    truth = scg.exact(g, params_of(g)).hessian["a"]["a"]
    np.testing.assert_allclose(m.hessian["a"]["a"], truth, atol=1e-10)


def test_the_numba_engine_agrees():
    g, particles = bound()
    fast = scg.compile(g, scg.VIMCO(particles), backend="numba")
    slow = scg.compile(g, scg.VIMCO(particles))
    noise = slow.noise(seed=5, runs=7)
    a, b = fast(params_of(g), noise=noise), slow(params_of(g), noise=noise)
    for name, value in b.grads.items():
        np.testing.assert_allclose(a.grads[name], value, atol=1e-12)


@pytest.mark.parametrize("impute", IMPUTE)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_data_may_determine_the_number_of_particles(impute, backend):
    def model(length):
        g = scg.Graph("bound")
        particles = scg.Plate("particles", length=length)
        x = g.data("x", plates=particles)
        b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", 0.7) * x))
        g.cost("bound", scg.iwae(x * b - 0.4 * b, particles))
        return scg.compile(g, scg.VIMCO(particles, impute), backend=backend)

    free = model(None)
    for count in (4, 2):
        data = {"x": np.linspace(-1.0, 1.5, count)}
        fixed = model(count)
        noise = fixed.noise(seed=2, runs=5, data=data)
        one, two = (step({"w": 0.7}, data=data, noise=noise).grads["w"] for step in (fixed, free))
        np.testing.assert_allclose(two, one, atol=1e-14)
    single = scg.moments(free, {"w": 0.7}, data={"x": np.array([0.9])})  # a constant baseline
    p = sigmoid(0.7 * 0.9)
    assert float(single.mean["w"]) == pytest.approx(-(0.9 - 0.4) * p * (1 - p) * 0.9, abs=1e-12)


def test_errors_say_what_to_do():
    g, particles = bound()
    with pytest.raises(scg.EstimatorError, match="VIMCO: plate must be a plate"):
        scg.VIMCO("particles")
    with pytest.raises(scg.EstimatorError, match='VIMCO: impute must be "geometric" or "arith'):
        scg.VIMCO(particles, "harmonic")
    changed = scg.VIMCO(particles)
    changed.impute = "harmonic"
    with pytest.raises(scg.EstimatorError, match="impute must be"):
        scg.compile(g, changed)
    with pytest.raises(scg.EstimatorError, match="'h' does not live on plate 'other'"):
        scg.compile(g, scg.VIMCO(scg.Plate("other", length=3)))
    g, particles = bound(length=1)
    with pytest.raises(scg.EstimatorError, match="needs at least 2 elements"):
        scg.compile(g, scg.VIMCO(particles))
    with pytest.raises(scg.DeclarationError, match=r"scg\.iwae: log_w is"):
        scg.iwae(g.parameter("free", 0.0), particles)


@pytest.mark.parametrize("impute", ["geometric", "arithmetic"])
def test_no_baseline_where_no_other_particle_is_possible(impute):
    """Particles that a mask or their own value rules out leave a bound without the own particle."""
    g = scg.Graph()
    particles = scg.Plate("particles")
    theta, there = g.parameter("theta", [0.3, -0.2]), g.data("there", plates=particles)
    z = g.sample("z", scg.Bernoulli(logits=theta), plates=particles)
    log_w = 0.7 * np.sum(z) - z.log_prob()
    g.cost("masked", scg.iwae(np.where(there > 0.0, log_w, -np.inf), particles))
    g.cost("ruled out", np.exp(-scg.iwae(np.where(z[0] > 0.5, log_w, -np.inf), particles)))
    step = scg.compile(g, scg.VIMCO(particles, impute=impute), backend="numpy")
    for mask in ([1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]):
        assert scg.check(step, g.init(seed=0), 0, {"there": np.array(mask)}).exact
        assert scg.check(step, g.init(seed=0), 0, {"there": np.array(mask)})
