"""A cost may be a stochastic node itself; the node is then credited with it."""

import numpy as np
import pytest

import scg

ESTIMATORS = [scg.ScoreFunction(), scg.LeaveOneOut(), scg.MuProp(), scg.Enumeration(), None]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_a_stochastic_node_as_cost_is_credited_with_it(estimator):
    g = scg.Graph()
    g.cost("loss", g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.3))))
    p = 1 / (1 + np.exp(-0.3))
    m = scg.moments(scg.compile(g, estimator), g.init(seed=0))
    assert m.mean["t"] == pytest.approx(p * (1 - p), rel=1e-12)
    assert scg.exact(g, g.init(seed=0)).grads["t"] == pytest.approx(p * (1 - p), rel=1e-12)
    assert set(g.to_networkx().edges) == {("t", "a"), ("a", "loss")}


def test_a_normal_node_as_cost_is_reparameterized():
    g = scg.Graph()
    g.cost("loss", g.sample("z", scg.Normal(g.parameter("m", 0.3), 1.0)))
    step = scg.compile(g)
    assert step(g.init(seed=0), seed=1).grads["m"] == 1.0


def test_one_draw_as_cost_and_as_parent():
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    g.cost("first", a)
    g.cost("second", 2.0 * a)
    p = 1 / (1 + np.exp(-0.3))
    for estimator in ESTIMATORS:
        m = scg.moments(scg.compile(g, estimator), g.init(seed=0))
        assert m.mean["t"] == pytest.approx(3 * p * (1 - p), rel=1e-12)
