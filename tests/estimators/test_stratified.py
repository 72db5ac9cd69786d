"""Stratified sampling: the formula, order 2, and never more variance than independent draws."""

import numpy as np
import pytest

import scg

from .test_unordered_set import LOGITS, F, P, graph


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_formula_on_the_same_noise(count):
    step = scg.compile(graph(), scg.Stratified(count, scg.baselines.Constant(0.8)))
    noise = step.noise(seed=6, runs=40)
    u = noise["x/u"][..., 0]
    assert u.shape == (40, count)
    x = np.searchsorted(np.cumsum(P), (np.arange(count) + u) / count)
    expected = np.mean((F[x] - 0.8)[..., None] * (np.eye(len(P))[x] - P), axis=(0, 1))
    actual = step(graph().init(seed=0), noise=noise).grads["theta"]
    np.testing.assert_allclose(actual, expected, atol=1e-10)


def test_never_more_variance_than_independent_draws():
    params = {"theta": LOGITS}
    single = scg.moments(scg.compile(graph(), scg.ScoreFunction()), params).variance["theta"]
    for count in (2, 3, 4):
        m = scg.moments(scg.compile(graph(), scg.Stratified(count)), params)
        assert np.all(m.variance["theta"] <= single / count + 1e-12)
        assert m.variance["theta"].sum() < single.sum() / count


def test_the_second_derivative_is_unbiased():
    step = scg.compile(graph(), scg.Stratified(3), order=2)
    m, truth = scg.moments(step, {"theta": LOGITS}), scg.exact(graph(), {"theta": LOGITS})
    np.testing.assert_allclose(
        m.hessian["theta"]["theta"], truth.hessian["theta"]["theta"], atol=1e-10
    )
