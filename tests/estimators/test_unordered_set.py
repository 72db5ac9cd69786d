"""Unordered set: the published formula by permutations, its variance, messages."""

import itertools

import numpy as np
import pytest

import scg

LOGITS = np.array([0.4, -0.7, 1.1, 0.1, -1.2])
P = np.exp(LOGITS) / np.exp(LOGITS).sum()
F = np.array([0.3, -1.1, 2.0, 0.7, 5.0])


def graph():
    g = scg.Graph("five")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", LOGITS)))
    g.cost("loss", np.sum(x * F))
    return g


def chance(s, without=()):
    """p^{D∖C}(S): the sum over all orders of drawing the set one by one."""
    total = 0.0
    for order in itertools.permutations(s):
        term, left = 1.0, 1.0 - sum(P[c] for c in without)
        for i in order:
            term, left = term * P[i] / left, left - P[i]
        total += term
    return total


def published(s, baseline):
    """∇p(s) = p(s) (e_s − p) for logits."""
    g = np.zeros(len(P))
    for a in s:
        ratio = chance([i for i in s if i != a], [a]) / chance(s)
        b = 0.0
        for c in s if baseline else ():
            rest = [i for i in s if i not in (a, c)]
            second = 1.0 if c == a else chance(rest, [a, c]) / chance([i for i in s if i != a], [a])
            b += P[c] * second * F[c]
        g += P[a] * (np.eye(len(P))[a] - P) * ratio * (F[a] - b)
    return g


@pytest.mark.parametrize("baseline", [True, False])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_published_formula_on_the_same_noise(count, baseline):
    step = scg.compile(graph(), scg.UnorderedSet(count, baseline))
    noise = step.noise(seed=6, runs=40)
    total, sets = 0.0, set()
    for r in range(40):
        left, s = list(range(len(P))), []
        for k in range(count):
            u = noise[f"x/u{k + 1 if k else ''}"][r, 0]
            cdf = np.cumsum(P[left]) / P[left].sum()
            s.append(left.pop(int(np.searchsorted(cdf, u))))
        total = total + published(s, baseline)
        sets.add(frozenset(s))
    assert len(sets) > 3
    actual = step(graph().init(seed=0), noise=noise).grads["theta"]
    np.testing.assert_allclose(actual, total / 40, atol=1e-10)


def test_variances():
    """Theorems: no more than the single draw that it is a conditional mean of; less with more."""
    params = graph().init(seed=0)

    def total(estimator):
        return scg.moments(scg.compile(graph(), estimator), params).variance["theta"].sum()

    without = [total(scg.UnorderedSet(count, baseline=False)) for count in (1, 2, 3, 4)]
    assert without[0] == pytest.approx(total(scg.ScoreFunction()), abs=1e-12)
    with_baseline = [total(scg.UnorderedSet(count)) for count in (2, 3, 4)]
    for falling in (without, with_baseline):
        assert all(b < a for a, b in itertools.pairwise(falling))
    for count, value in ((2, with_baseline[0]), (3, with_baseline[1])):
        assert value < total(scg.LeaveOneOut(count))


def test_the_baseline_takes_a_constant_away():
    """Ten added to the cost: without the baseline the variance grows, with it it stays small."""
    g = scg.Graph("shifted")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", LOGITS)))
    g.cost("loss", np.sum(x * F) + 10.0)
    params = g.init(seed=0)
    baseline, none = (
        scg.moments(scg.compile(g, scg.UnorderedSet(3, b)), params).variance["theta"].sum()
        for b in (True, False)
    )
    assert baseline < 0.1 * none


def test_messages():
    for samples, words in ((1, "≥ 2"), (9, "at most 8")):
        with pytest.raises(scg.EstimatorError, match=words):
            scg.UnorderedSet(samples)
    assert scg.UnorderedSet(1, baseline=False).samples == 1
