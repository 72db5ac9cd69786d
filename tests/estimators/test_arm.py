"""ARM: exact mean, the published formula on the same noise, what it asks for."""

import numpy as np
import pytest

import scg

from . import binary
from .graphs import assert_exact, classes, plated, two_layers


def test_unbiased_alone_in_layers_and_on_a_plate():
    assert_exact(single(), scg.ARM())
    assert_exact(layers(), {"a": scg.ARM(), "b": scg.DisARM()})
    assert_exact(layers(), {"a": scg.DisARM(), "b": scg.ARM()})
    g, data = plated()
    assert_exact(g, {"a": scg.ARM(), "b": scg.ScoreFunction()}, data)


def single():
    g = scg.Graph("single")
    b = g.sample("b", scg.Bernoulli(probs=g.parameter("theta", [0.3, 0.8])))
    g.cost("loss", np.exp(1.1 * b[0] - 0.6 * b[1]) + (b[0] * b[1] + 0.3) ** 3)
    return g


def layers():
    g = scg.Graph("layers")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("s", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", -0.7) + 1.2 * a))
    g.cost("first", np.exp(-a))
    g.cost("second", (b - 0.3 + 0.5 * a) ** 3)
    return g


def test_the_published_formula_on_the_same_noise():
    actual, noise = binary.grads(binary.graph(), scg.ARM())
    u = noise["b/u"]
    p = binary.P
    difference = binary.costs(1.0 * (u > 1 - p)) - binary.costs(1.0 * (u < p))
    expected = np.mean(difference[:, None] * (u - 0.5), axis=0)
    np.testing.assert_allclose(actual, expected, atol=1e-10)


def test_disarm_is_its_mean_given_the_pair_so_that_its_variance_is_less():
    arm, disarm = (
        scg.moments(scg.compile(single(), e()), single().init(seed=0)).variance["theta"]
        for e in (scg.ARM, scg.DisARM)
    )
    assert np.all(disarm < arm)


def test_nodes_of_a_layer_share_a_pair_and_layers_nest():
    step = scg.compile(two_layers(), scg.ARM())
    assert step.explain().paths == 4
    g = scg.Graph("siblings")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("s", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", -0.7)))
    g.cost("loss", np.exp(a - 2.0 * b))
    for one in (scg.ARM(), scg.DisARM(), scg.ARMS(2)):
        assert scg.compile(g, one).explain().paths == 2
    assert_exact(g, scg.DisARM())
    assert_exact(g, {"a": scg.DisARM(), "b": scg.DisARM()})


@pytest.mark.parametrize("make", [scg.ARM, scg.DisARM, scg.ARMS])
def test_only_binary_values(make):
    with pytest.raises(
        scg.EstimatorError, match="is not a distribution of binary values"
    ) as caught:
        scg.compile(classes(), make())
    assert "LeaveOneOut()" in str(caught.value)


def test_second_order_is_refused():
    with pytest.raises(scg.EstimatorError):
        scg.compile(single(), scg.ARM(), order=2)
