"""The oracle against closed forms, so that two wrongs cannot agree."""

import numpy as np
import pytest

from .oracle import (
    Cost,
    Model,
    bernoulli,
    categorical,
    gradient,
    hessian,
    normal,
    objective,
    one_hot_categorical,
    sigmoid,
)
from .oracle_moments import leave_one_out_moments, muprop_moments, score_moments

THETA = 0.4
P = sigmoid(THETA)
DP = P * (1 - P)


def toy(credited=frozenset({"b"})):
    """E[(b - t0)² k] with t0 = 0.3."""
    return Model(
        [bernoulli("b", lambda t, v: t["theta"])],
        [Cost(lambda t, v: t["k"] * (v["b"] - 0.3) ** 2, credited)],
    )


PARAMS = {"theta": np.array(THETA), "k": np.array(1.7)}


def test_objective_gradient_and_hessian_of_the_toy():
    value = 0.49 * P + 0.09 * (1 - P)
    assert objective(toy(), PARAMS) == pytest.approx(1.7 * value, abs=1e-14)
    g = gradient(toy(), PARAMS)
    assert g["theta"] == pytest.approx(1.7 * 0.4 * DP, abs=1e-14)
    assert g["k"] == pytest.approx(value, abs=1e-14)
    h = hessian(toy(), PARAMS)
    assert h["theta"]["theta"] == pytest.approx(1.7 * 0.4 * DP * (1 - 2 * P), abs=1e-11)
    assert h["theta"]["k"] == pytest.approx(0.4 * DP, abs=1e-11)
    assert h["k"]["theta"] == pytest.approx(0.4 * DP, abs=1e-11)
    assert h["k"]["k"] == pytest.approx(0, abs=1e-11)


def test_a_node_that_is_not_credited_sends_no_score():
    g = gradient(toy(credited=frozenset()), PARAMS)
    assert g["theta"] == 0
    assert g["k"] == pytest.approx(0.49 * P + 0.09 * (1 - P), abs=1e-14)


def test_score_variance_of_the_toy():
    mean, variance = score_moments(toy(), PARAMS)
    # The estimate is (1 - p) f(1) with probability p and -p f(0) otherwise.
    one, zero = (1 - P) * 1.7 * 0.49, -P * 1.7 * 0.09
    assert mean["theta"] == pytest.approx(1.7 * 0.4 * DP, abs=1e-14)
    assert variance["theta"] == pytest.approx(P * (1 - P) * (one - zero) ** 2, abs=1e-14)


def test_leave_one_out_variance_of_the_toy():
    mean, variance = leave_one_out_moments(toy(), PARAMS)
    # Two unequal draws, with probability 2p(1-p), give (f(1) - f(0)) / 2; equal ones give 0.
    jump, chance = 1.7 * 0.4 / 2, 2 * P * (1 - P)
    assert mean["theta"] == pytest.approx(chance * jump, abs=1e-14)
    assert variance["theta"] == pytest.approx(chance * (1 - chance) * jump**2, abs=1e-14)


@pytest.mark.parametrize("rollout", [False, True])
def test_muprop_variance_of_the_toy(rollout):
    mean, variance = muprop_moments(toy(), PARAMS, rollout=rollout)
    # Remainder of the Taylor polynomial of a quadratic: (b - p)².
    one, zero = (1 - P) * 1.7 * (1 - P) ** 2, -P * 1.7 * P**2
    assert mean["theta"] == pytest.approx(1.7 * 0.4 * DP, abs=1e-14)
    assert variance["theta"] == pytest.approx(P * (1 - P) * (one - zero) ** 2, abs=1e-14)


@pytest.mark.parametrize("kind", [categorical, one_hot_categorical])
def test_categorical_gradient(kind):
    table, logits = np.array([0.3, -1.2, 2.0]), np.array([0.2, -0.5, 0.9])
    pick = (lambda z: table[z]) if kind is categorical else (lambda z: table @ z)
    z = kind("z", lambda t, v: t["logits"], 3)
    model = Model([z], [Cost(lambda t, v: pick(v["z"]), {"z"})])
    p = np.exp(logits) / np.exp(logits).sum()
    assert objective(model, {"logits": logits}) == pytest.approx(p @ table, abs=1e-14)
    np.testing.assert_allclose(
        gradient(model, {"logits": logits})["logits"], p * (table - p @ table), atol=1e-14
    )


def test_normal_by_quadrature():
    model = Model(
        [normal("x", lambda t, v: t["m"], lambda t, v: np.exp(t["s"]))],
        [Cost(lambda t, v: np.exp(0.5 * v["x"]) + v["x"] ** 2, {"x"})],
    )
    m, s = 0.3, -0.2
    params = {"m": np.array(m), "s": np.array(s)}
    bell, var = np.exp(0.5 * m + 0.125 * np.exp(2 * s)), np.exp(2 * s)
    assert objective(model, params) == pytest.approx(bell + m**2 + var, abs=1e-12)
    g = gradient(model, params)
    assert g["m"] == pytest.approx(0.5 * bell + 2 * m, abs=1e-12)
    assert g["s"] == pytest.approx(0.25 * var * bell + 2 * var, abs=1e-12)
    h = hessian(model, params)
    assert h["m"]["m"] == pytest.approx(0.25 * bell + 2, abs=1e-10)
    assert h["m"]["s"] == pytest.approx(0.125 * var * bell, abs=1e-10)


def test_the_second_derivative_keeps_the_shapes_of_both_parameters():
    model = Model(
        [bernoulli("h", lambda t, v: t["W"] @ t["x"], (2,))],
        [Cost(lambda t, v: np.exp(v["h"] @ t["u"]), {"h"})],
    )
    params = {
        "W": np.array([[0.2, -0.4, 0.7], [0.9, 0.1, -0.3]]),
        "x": np.array([0.5, -1.0, 0.8]),
        "u": np.array([0.6, -0.7]),
    }
    h = hessian(model, params)
    assert h["W"]["x"].shape == (2, 3, 3)
    np.testing.assert_allclose(h["W"]["x"], np.moveaxis(h["x"]["W"], 0, -1), atol=1e-11)
    p, s = sigmoid(params["W"] @ params["x"]), np.exp(params["u"])
    factors, slopes = 1 + p * (s - 1), p * (1 - p) * (s - 1)
    value = np.prod(factors)
    # E[exp(u·h)] is the product of the factors; differentiate it by hand in W[0, :] and W[1, :].
    expected = slopes[0] * slopes[1] * np.outer(params["x"], params["x"])
    np.testing.assert_allclose(h["W"]["W"][0, :, 1, :], expected, atol=1e-11)
    assert objective(model, params) == pytest.approx(value, abs=1e-13)
