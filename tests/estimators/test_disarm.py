"""DisARM: exact mean, the published formula on the same noise, identities."""

import numpy as np
import pytest

import scg

from . import binary
from .graphs import assert_exact, plated, two_layers


def test_unbiased_alone_in_layers_and_on_a_plate():
    assert_exact(binary.graph(), scg.DisARM())
    assert_exact(two_layers(), scg.DisARM())
    assert_exact(two_layers(), {"h": scg.DisARM(), "k": scg.LeaveOneOut()})
    g, data = plated()
    assert_exact(g, scg.DisARM(), data)


def test_the_published_formula_on_the_same_noise():
    actual, noise = binary.grads(binary.graph(), scg.DisARM())
    u = noise["b/u"]
    p = binary.P
    b, twin = 1.0 * (u < p), 1.0 * (1 - u < p)
    half = 0.5 * (binary.costs(b) - binary.costs(twin))[:, None]
    weight = 1 / (1 + np.exp(-np.abs(binary.LOGITS)))
    expected = np.mean(half * (-1) ** twin * (b != twin) * weight, axis=0)
    np.testing.assert_allclose(actual, expected, atol=1e-10)


@pytest.mark.parametrize("copula", ["dirichlet", "gaussian"])
@pytest.mark.parametrize("seed", [1, 2])
def test_two_draws_of_arms_are_disarm(copula, seed):
    expected, noise = binary.grads(binary.graph(), scg.DisARM(), seed)
    actual, same = binary.grads(binary.graph(), scg.ARMS(2, copula), seed)
    np.testing.assert_allclose(actual, expected, atol=1e-10)
    assert noise.keys() == same.keys()
    np.testing.assert_array_equal(noise["b/u"], same["b/u"])


def test_one_unit_at_one_half_has_no_variance():
    """p = 1/2: the twins always differ, and half their difference is the gradient."""
    g = scg.Graph("half")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    g.cost("loss", np.exp(b))
    m = assert_exact(g, scg.DisARM())
    assert m.variance["theta"] == pytest.approx(0.0, abs=1e-15)
