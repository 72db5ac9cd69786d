"""The exact optimal baselines: unbiased, and the best among their kind."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, classes, params_of, plated, sigmoid, two_layers

BOTH = (scg.baselines.OptimalConstant, scg.baselines.OptimalInput)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("build", [two_layers, classes])
def test_unbiased(make, build):
    assert_exact(build(), scg.ScoreFunction(baseline=make()))


@pytest.mark.parametrize("make", BOTH)
def test_unbiased_on_a_plate_and_with_another_control_variate(make):
    g, data = plated()
    assert_exact(g, scg.ScoreFunction(baseline=make()), data)
    assert_exact(two_layers(), scg.MuProp(baseline=make()))
    assert_exact(two_layers(), {"h": scg.LeaveOneOut(), "k": scg.ScoreFunction(baseline=make())})


def single(theta=0.4):
    g = scg.Graph("single")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", theta)))
    g.cost("loss", np.exp(1.3 * b) - 0.4)
    return g


@pytest.mark.parametrize("make", BOTH)
def test_one_unit_has_no_variance_left(make):
    """With b* = (1 − p) f(1) + p f(0) both values give the true gradient."""
    m = assert_exact(single(), scg.ScoreFunction(baseline=make()), tolerance=1e-9)
    assert m.variance["theta"] == pytest.approx(0.0, abs=1e-14)


def test_the_constant_is_that_of_the_closed_form():
    """Three units: E[s² f] / E[s²] by enumeration in NumPy, and no other constant is better."""
    logits, weights = np.array([0.3, -0.8, 1.1]), np.array([0.5, -1.0, 0.3])
    g = scg.Graph("three")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", logits)))
    g.cost("loss", np.exp(np.sum(h * weights)) + h[0] * h[2])
    m = assert_exact(g, scg.ScoreFunction(baseline=scg.baselines.OptimalConstant()))
    p = sigmoid(logits)
    x = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    q = np.prod(np.where(x == 1, p, 1 - p), axis=1)
    f, s = np.exp(x @ weights) + x[:, 0] * x[:, 2], x - p
    best = (q @ (s**2 * f[:, None])) / (q @ s**2)
    mean = q @ (s * f[:, None])
    variance = q @ (s * (f[:, None] - best)) ** 2 - mean**2
    np.testing.assert_allclose(m.variance["a"], variance, atol=1e-12)
    for i in range(3):
        for shift in (-0.01, 0.01):
            other = scg.ScoreFunction(baseline=scg.baselines.Constant(best[i] + shift))
            worse = scg.moments(scg.compile(g, other), params_of(g)).variance["a"][i]
            assert worse > m.variance["a"][i]


def test_the_input_dependent_one_beats_the_constant_below_parents():
    g = two_layers()
    constant, own = (
        scg.moments(scg.compile(g, scg.ScoreFunction(baseline=make())), params_of(g))
        for make in BOTH
    )
    assert np.all(own.variance["w"] < constant.variance["w"])
    np.testing.assert_allclose(own.variance["a"], constant.variance["a"], atol=1e-12)


def test_what_cannot_be_enumerated_is_refused():
    g = scg.Graph("normal")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.1)))
    x = g.sample("x", scg.Normal(loc=b, scale=1.0))
    g.cost("loss", x**2)
    for make in BOTH:
        with pytest.raises(scg.EstimatorError, match="'x' cannot be averaged over exactly"):
            scg.compile(g, {"b": scg.ScoreFunction(baseline=make())})


def test_second_order():
    g = two_layers()
    estimator = scg.ScoreFunction(baseline=scg.baselines.OptimalInput())
    m = scg.moments(scg.compile(g, estimator, order=2), params_of(g))
    truth = scg.exact(g, params_of(g)).hessian
    for a in truth:
        for b in truth[a]:
            np.testing.assert_allclose(m.hessian[a][b], truth[a][b], atol=1e-9, err_msg=f"{a},{b}")
