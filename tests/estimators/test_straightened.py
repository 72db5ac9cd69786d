"""Straight-through estimators beside Gumbel-softmax: hard draws with a softer derivative."""

import numpy as np
import pytest

import scg

from . import relaxed_models as models
from .graphs import params_of
from .relaxed_models import derivative, log_softmax, logistic, sigmoid, softmax

TAU = 0.6
BIAS = 1e-3
QUIET = {"allow_biased": True}
ESTIMATORS = {
    "rao": lambda: scg.RaoGumbel(TAU, 3, **QUIET),
    "reinmax": lambda: scg.ReinMax(**QUIET),
    "reinmax-tau": lambda: scg.ReinMax(1.3, **QUIET),
    "gapped": lambda: scg.GappedStraightThrough(TAU, gap=0.8, **QUIET),
    "gapped-mean": lambda: scg.GappedStraightThrough(TAU, gap=None, **QUIET),
    "darn": lambda: scg.DARN(**QUIET),
}
NAMES = pytest.mark.parametrize("name", ESTIMATORS)


def jacobian(pi):
    """Of a softmax with value pi."""
    return np.diag(pi) - np.outer(pi, pi)


def one_hot_slope(name, a, x, v):
    """d(draw)/d(logits), classes by classes, as the papers write it."""
    p = softmax(a)
    if name == "rao":
        places = [
            (log_softmax(a) + models.class_given(a, x, vk) - log_softmax(a)) / TAU for vk in v
        ]
        return np.mean([jacobian(softmax(z)) / TAU for z in places], axis=0)
    if name.startswith("reinmax"):
        tau = 1.3 if name.endswith("tau") else 1.0
        return 2 * jacobian((x + softmax(a / tau)) / 2) - 0.5 * jacobian(p)
    if name.startswith("gapped"):
        pi = p[x == 1]
        gap = 0.8 if name == "gapped" else -np.log(1 - pi) / pi
        up = (a.max() - a) * x
        down = np.maximum(a - a.max() + gap, 0.0) * (1 - x)
        return jacobian(softmax((a + up - down) / TAU)) / TAU
    return np.outer(x - 1 / len(a), x - p)  # (x − x̄) ∇ log p


def binary_slope(name, logit, b, v):
    """d(draw)/d(logit), unit by unit: that of two classes with logits (logit, 0)."""
    found = []
    for i in np.ndindex(b.shape):
        two, x = np.array([logit[i], 0.0]), np.array([b[i], 1 - b[i]])
        if name == "rao":
            z = models.binary_given(logit[i], b[i], (1 - v[:, *i]) / v[:, *i])
            soft = sigmoid(z / TAU)
            found.append(np.mean(soft * (1 - soft) / TAU))
        elif name == "darn":
            found.append((b[i] - 0.5) * (b[i] - sigmoid(logit[i])))
        else:
            found.append(one_hot_slope(name, two, x, None)[0, 0])
    return np.reshape(found, b.shape)


@NAMES
def test_two_layers_on_the_same_noise(name):
    g = models.layers()
    step = scg.compile(g, ESTIMATORS[name]())
    noise, p = step.noise(seed=4, runs=30), params_of(g)
    out = step(p, noise=noise)
    total = {key: 0.0 for key in p}
    for r in range(30):
        v_h, v_k = (noise.get(f"{node}/v", np.zeros(30))[r] for node in "hk")
        h = (logistic(noise["h/u"][r]) + p["a"] > 0) * 1.0
        lk = h @ p["w"] + p["c"]
        k = (logistic(noise["k/u"][r]) + lk > 0) * 1.0
        to_k = derivative(lambda k, h=h: models.end(h, k), k)
        to_lk = to_k * binary_slope(name, np.asarray(lk), np.asarray(k), v_k)
        to_h = derivative(lambda h, k=k: models.end(h, k) + models.middle(h), h) + to_lk * p["w"]
        total["c"] = total["c"] + to_lk
        total["w"] = total["w"] + to_lk * h
        total["a"] = total["a"] + to_h * binary_slope(name, p["a"], h, v_h)
    for key, value in total.items():
        np.testing.assert_allclose(out.grads[key], value / 30, atol=1e-10, err_msg=key)


@NAMES
def test_classes_on_the_same_noise(name):
    g = models.classes()
    step = scg.compile(g, ESTIMATORS[name]())
    noise, a = step.noise(seed=6, runs=30), params_of(g)["a"]
    out, total = step({"a": a}, noise=noise), 0.0
    for r in range(30):
        x = models.class_index(a, noise["x/u"][r])
        slope = one_hot_slope(name, a, x, noise.get("x/v", np.zeros(30))[r])
        total = total + derivative(models.taste, x) @ slope
    np.testing.assert_allclose(out.grads["a"], total / 30, atol=1e-10)


@NAMES
@pytest.mark.parametrize("make, data", [(models.narrow, None), (models.plated, models.SINGLE)])
def test_the_bias_is_there_and_found(name, make, data):
    g = make()
    estimator = scg.RaoGumbel(TAU, 1, **QUIET) if name == "rao" else ESTIMATORS[name]()
    m = scg.moments(scg.compile(g, estimator), params_of(g), data=data)
    truth = scg.exact(g, params_of(g), data=data)
    assert m.cost == pytest.approx(truth.cost, abs=1e-10)
    top = next(iter(truth.grads))
    assert m.error < BIAS / 10
    assert np.abs(m.mean[top] - truth.grads[top]) > BIAS


def test_rao_averages_gumbel_softmax():
    """One mean for all K; the variance falls to that of the conditional mean."""
    g = scg.Graph("one")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    g.cost("loss", (b - 0.3) ** 3)
    gumbel, one, two = (
        scg.moments(scg.compile(g, e), params_of(g))
        for e in (
            scg.GumbelSoftmax(TAU, hard=True, **QUIET),
            scg.RaoGumbel(TAU, 1, **QUIET),
            scg.RaoGumbel(TAU, 2, **QUIET),
        )
    )
    for m in (one, two):
        assert m.mean["a"] == pytest.approx(gumbel.mean["a"], abs=1e-8)
    assert one.variance["a"] == pytest.approx(gumbel.variance["a"], abs=1e-8)
    # With independent noise given the draw, variance = V + W/K.
    inner = 2 * (one.variance["a"] - two.variance["a"])
    assert 0 < inner < one.variance["a"]


@pytest.mark.parametrize("estimator", [scg.ReinMax(**QUIET), scg.DARN(**QUIET)])
def test_binary_second_order_is_exact_for_quadratics(estimator):
    g = scg.Graph("quadratic")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", [0.4, -1.1, 2.0])))
    weights = np.array([[1.0, -0.7, 0.2], [0.4, 0.9, -1.3], [-0.8, 0.1, -0.5]])
    g.cost("loss", np.sum((b @ weights - 0.3) ** 2))
    m, truth = scg.moments(scg.compile(g, estimator), params_of(g)), scg.exact(g, params_of(g))
    np.testing.assert_allclose(m.mean["a"], truth.grads["a"], atol=1e-10)
    plain = scg.moments(scg.compile(g, scg.StraightThrough(**QUIET)), params_of(g))
    assert np.max(np.abs(plain.mean["a"] - truth.grads["a"])) > 0.1


def test_reinmax_and_darn_agree_in_mean_for_binary_values():
    """Both are the trapezoidal rule, for any cost of one unit."""
    g = models.narrow()
    estimators = [{"h": scg.ScoreFunction(), "k": e(**QUIET)} for e in (scg.ReinMax, scg.DARN)]
    one, two = (scg.moments(scg.compile(g, e), params_of(g)) for e in estimators)
    assert one.mean["c"] == pytest.approx(two.mean["c"], abs=1e-12)


def test_reinmax_is_nearer_than_straight_through_for_quadratics_of_classes():
    g = scg.Graph("quadratic")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("a", [0.2, -0.5, 0.9])))
    weights = np.array([[1.0, -0.7, 0.2], [0.4, 0.9, -1.3], [-0.8, 0.1, -0.5]])
    g.cost("loss", np.sum((x @ weights - 0.3) ** 2))
    truth = scg.exact(g, params_of(g)).grads["a"]
    means = [
        scg.moments(scg.compile(g, e), params_of(g)).mean["a"]
        for e in (scg.ReinMax(**QUIET), scg.StraightThrough(**QUIET))
    ]
    errors = [np.max(np.abs(mean - truth)) for mean in means]
    assert errors[0] < errors[1]


def test_gapped_has_no_noise_but_the_draw():
    step = scg.compile(models.layers(), ESTIMATORS["gapped"]())
    assert set(step.noise(seed=0, runs=1)) == {"h/u", "k/u"}


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: scg.RaoGumbel(0.5, 0), "resamples must be a positive integer"),
        (lambda: scg.GappedStraightThrough(gap=0.0), "gap must be positive"),
        (lambda: scg.ReinMax(-1.0), "temperature must be a positive number"),
    ],
)
def test_wrong_options_are_refused(make, text):
    with pytest.raises(scg.EstimatorError, match=text):
        make()
