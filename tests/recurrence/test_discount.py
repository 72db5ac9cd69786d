"""The discount of a scan: as an objective, and dropped from the signal alone."""

import itertools

import numpy as np
import pytest

import scg

GAMMA, STEPS = 0.6, 3
PREFERENCES = np.arange(6.0).reshape(3, 2) / 3
DROPPED = scg.ScoreFunction(drop_discount=True, allow_biased=True)


def corridor(mask=None):
    g, t = scg.Graph("corridor"), scg.Time("t", length=STEPS)
    preferences = g.parameter("preferences", PREFERENCES)

    def cell(s):
        a = g.sample("a", scg.Categorical(logits=preferences[s]))
        after = np.minimum(np.maximum(s + 2 * a - 1, 0), 2)
        g.cost("c", (after - 0.3) ** 2)
        return after

    there = None if mask is None else g.data("there", plates=t, kind="int")
    g.scan(cell, init=1, over=t, mask=there, discount=GAMMA)
    return g


def by_hand(dropped, mask=(1,) * STEPS):
    """The mean of Σ_t ∇ log π Σ_{s≥t} γ^{s−t} c_s, or with γ^s, over all walks."""
    found = np.zeros((3, 2))
    probs = np.exp(PREFERENCES) / np.exp(PREFERENCES).sum(1, keepdims=True)
    for actions in itertools.product((0, 1), repeat=STEPS):
        state, weight, age, scores, costs, discounts = 1, 1.0, 0, [], [], []
        for a, there in zip(actions, mask, strict=True):
            weight *= probs[state, a]
            score = np.zeros((3, 2))
            score[state] = np.eye(2)[a] - probs[state]
            discounts.append(GAMMA**age)
            scores.append(score * there)
            if there:
                state = min(max(state + 2 * a - 1, 0), 2)
                age += 1
            costs.append(GAMMA ** (age - 1) * (state - 0.3) ** 2 * there)
        for t in range(STEPS):
            found += weight * scores[t] * sum(costs[t:]) / (discounts[t] if dropped else 1.0)
    return found


@pytest.mark.parametrize("mask", [None, [1, 0, 1]], ids=["whole", "padded"])
def test_dropping_the_discount_is_another_estimate(mask):
    g = corridor(mask)
    params, data = g.init(seed=0), {} if mask is None else {"there": mask}
    for dropped in False, True:
        step = scg.compile(g, DROPPED if dropped else scg.ScoreFunction(), backend="numpy")
        assert step.any_length
        mean = scg.moments(step, params, data=data).mean["preferences"]
        expected = by_hand(dropped, (1,) * STEPS if mask is None else mask)
        np.testing.assert_allclose(mean, expected, atol=1e-12)
        assert step.plan.unbiased is not dropped
        truth = scg.exact(g, params, data).grads["preferences"]
        assert bool(np.max(np.abs(mean - truth)) > 0.02) is dropped


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_loop_is_the_unrolled_graph(backend):
    g = corridor([1])
    params, data = g.init(seed=0), {"there": [1, 0, 1]}
    baseline = scg.baselines.MovingAverage()
    estimator = scg.ScoreFunction(baseline, drop_discount=True, allow_biased=True)
    step = scg.compile(g, estimator, backend=backend)
    plate = g.scans["cell"].plate
    noise = step.noise(seed=3, runs=4, data=data)
    state = {"a": {"average": np.array(0.7), "weight": np.array(0.5)}}
    one, other = (
        s(params, noise=noise, data=data, state=state)
        for s in (step, step.unrolled({plate: STEPS}))
    )
    np.testing.assert_allclose(one.grads["preferences"], other.grads["preferences"], atol=1e-12)


def test_a_node_that_reads_no_carry():
    g, t = scg.Graph("coins"), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.4)

    def cell(s):
        a = g.sample("a", scg.Bernoulli(logits=theta))
        g.cost("c", s + a)
        return s + a

    g.scan(cell, init=0.0, over=t, discount=GAMMA)
    step = scg.compile(g, DROPPED, backend="numpy")
    assert step.any_length
    p = 1.0 / (1.0 + np.exp(-0.4))
    to_go = [sum(GAMMA**k for k in range(STEPS - t)) for t in range(STEPS)]
    mean = scg.moments(step, {"theta": 0.4}).mean["theta"]
    np.testing.assert_allclose(mean, p * (1 - p) * sum(to_go), atol=1e-12)


def test_there_must_be_a_discount():
    g = scg.Graph("plain")
    g.cost("c", g.sample("a", scg.Bernoulli(logits=g.parameter("theta", 0.3))))
    with pytest.raises(scg.EstimatorError, match="no scan with discount="):
        scg.compile(g, DROPPED)
    with pytest.warns(scg.BiasWarning, match="ScoreFunction is a biased estimator"):
        scg.compile(corridor(), scg.ScoreFunction(drop_discount=True))


def test_a_text_keeps_the_discount():
    g = scg.Graph.from_json(corridor().to_json())
    assert g.to_json() == corridor().to_json()
    step = scg.compile(g, DROPPED, backend="numpy")
    mean = scg.moments(step, g.init(seed=0)).mean["preferences"]
    np.testing.assert_allclose(mean, by_hand(True), atol=1e-12)


def test_a_discounted_scan_whose_costs_all_lie_outside():
    g, t = scg.Graph("outside"), scg.Time("t", length=2)
    theta = g.parameter("theta", 0.4)

    def cell(s):
        a = g.sample("a", scg.Bernoulli(logits=theta))
        return 0.5 * s + a

    last, _ = g.scan(cell, init=0.3, over=t, discount=GAMMA)
    g.cost("end", last**2)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    truth = scg.exact(g, {"theta": 0.4}).grads["theta"]
    assert scg.moments(step, {"theta": 0.4}).mean["theta"] == pytest.approx(truth, rel=1e-10)
