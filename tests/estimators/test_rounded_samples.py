"""Scores of samples that round to an end of their support."""

import numpy as np
import pytest

import scg

FAMILIES = {
    "gamma": lambda a: scg.Gamma(a, 2.0),
    "inverse gamma": lambda a: scg.InverseGamma(a, 2.0),
    "beta, near 0": lambda a: scg.Beta(a, 1.0),
    "beta, near 1": lambda a: scg.Beta(1.0, a),
    "Dirichlet": lambda a: scg.Dirichlet(a * np.array([1.0, 2.0, 3.0])),
}


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("family", "estimator"),
    [*((name, scg.ScoreFunction()) for name in FAMILIES), ("gamma", scg.LAX())],
)
def test_scores_have_mean_zero(family, estimator, seed):
    # The score of rounded samples had a mean of 40 and more. Logarithms of samples are nearly
    # exponential: six standard errors of 20,000 runs are exceeded with probability 4e-9.
    g = scg.Graph("small shapes")
    z = g.sample("z", FAMILIES[family](g.parameter("a", 0.01)))
    g.cost("loss", 1.0 + 1e-9 * np.sum(np.tanh(z)))
    step = scg.compile(g, estimator, backend="numpy", dtype="float32")
    out = step(g.init(0), seed=seed, runs=20_000)
    assert abs(out.grads["a"]) < 6 * out.stderr["a"] < 10
