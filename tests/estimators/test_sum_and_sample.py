"""Sum and sample: the published formula, and a conditional mean of the score function."""

import itertools

import numpy as np
import pytest

import scg

from .test_unordered_set import LOGITS, F, P, graph


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_published_formula_on_the_same_noise(count):
    step = scg.compile(graph(), scg.SumAndSample(count, scg.baselines.Constant(0.8)))
    noise = step.noise(seed=6, runs=40)
    most = np.argsort(-P, kind="stable")[: count - 1]
    rest = np.array([i for i in range(len(P)) if i not in most])
    tail, eye = 1 - P[most].sum(), np.eye(len(P))
    exact = sum((P[z] * (eye[z] - P) * (F[z] - 0.8) for z in most), np.zeros(len(P)))
    drawn = rest[np.searchsorted(np.cumsum(P[rest]) / P[rest].sum(), noise["x/u"][:, 0])]
    sampled = np.mean(tail * (F[drawn] - 0.8)[:, None] * (eye[drawn] - P), axis=0)
    actual = step(graph().init(seed=0), noise=noise).grads["theta"]
    np.testing.assert_allclose(actual, exact + sampled, atol=1e-10)


def test_the_variance_falls_with_every_value_that_is_summed():
    """Without a baseline, and for a cost of one sign, so that the tail only shrinks."""
    params = {"theta": LOGITS}

    def total(estimator):
        return scg.moments(scg.compile(graph(), estimator), params).variance["theta"].sum()

    score = total(scg.ScoreFunction())
    sums = [total(scg.SumAndSample(count)) for count in (1, 2, 3, 4, 5)]
    assert sums[0] == pytest.approx(score, abs=1e-12)
    assert all(b <= a + 1e-12 for a, b in itertools.pairwise(sums))
    assert sums[-1] == pytest.approx(0.0, abs=1e-14)
