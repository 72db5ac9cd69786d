"""Law 1: credit and its variance where nodes, costs and parameters hang together, and pairs."""

from functools import partial

import numpy as np
import pytest

import scg

from . import oracle_moments
from .choices import (
    CHOICES,
    DISCRETE,
    assert_close,
    assert_unbiased,
    compiled,
    moments,
    quiet_exact,
)
from .graphs import COMPOSITIONS, ROWS, THREE_LAYERS
from .verdicts import verdict


def paired(estimator):
    """Whether it is unbiased, and no choice of the compiler or for some nodes alone."""
    return isinstance(estimator, scg.Estimator) and estimator.unbiased


CHAIN = ROWS["chain_two_costs"]
GRAPH = CHAIN.build()
#: One name for each unbiased class, and baselines that replay, learn, or keep a state.
PAIRED = (
    *{type(e): n for n, make in reversed(CHOICES.items()) if paired(e := make(GRAPH))}.values(),
    *("score+moving", "score+selfcritical", "score+network", "muprop-rollout"),
)


@pytest.mark.parametrize("row", COMPOSITIONS, ids=str)
def test_exact_equals_the_oracle(row):
    truth = quiet_exact(row)
    assert float(truth.cost) == pytest.approx(row.cost, abs=DISCRETE)
    assert_close(truth.grads, row.grads, DISCRETE, "grads")


@pytest.mark.statistical
@pytest.mark.parametrize("first", PAIRED)
@pytest.mark.parametrize("row", ["chain_two_costs", "classes_chain"])
def test_every_ordered_pair(row, first, kept, seed):
    """Exact, sampled or refused, as in the matrix."""

    def found(second, drawn):
        pair = dict(zip(ROWS[row].model.names, (first, second), strict=True))
        try:
            return verdict(ROWS[row], pair, seed, drawn=drawn)
        except AssertionError as error:
            raise AssertionError(f"{first} above {second}: {error}") from error

    kept(f"{row}-below-{first}", {second: partial(found, second) for second in PAIRED})


@pytest.mark.parametrize("first, second", [("muprop", "enumeration"), ("enumeration", "muprop")])
@pytest.mark.parametrize("row", ["shared_parents", "diamond"])
def test_siblings_with_different_estimators(row, first, second):
    row = ROWS[row]
    names = ["a", "b", "c", "d"] if row.name == "diamond" else ["a1", "b", "a2", "c"]
    classes = [first, "score", second, "score+selfcritical"]
    assert_unbiased(row, compiled(row, dict(zip(names, classes, strict=True))))


def test_joint_and_nested_samples_over_two_nodes():
    joint = scg.LeaveOneOut(samples=3)
    assert_unbiased(CHAIN, scg.compile(CHAIN.build(), estimator={"a": joint, "b": joint}))
    nested = {"a": scg.LeaveOneOut(samples=2), "b": scg.LeaveOneOut(samples=3)}
    assert_unbiased(CHAIN, scg.compile(CHAIN.build(), estimator=nested))


@pytest.mark.parametrize("bottom", ["disarm", "arms2", "ram", "measure", "local", "loo2"])
@pytest.mark.parametrize("classes", [False, True], ids=["binary", "classes"])
def test_weights_of_a_child_know_its_parent(classes, bottom):
    """Given b, the values of a have the weights of the posterior, also where c depends on b alone.

    A cost that joins a and c must not be summed over a before it is credited to c.
    """
    g = scg.Graph("grandparent")
    w = g.parameter("w", np.array([0.7, -0.4, 0.9]))
    a = g.sample("a", scg.Bernoulli(logits=w[0]))
    b = g.sample("b", scg.Bernoulli(logits=w[1] + 1.5 * a))
    logits = w[2] + 0.8 * b
    if classes:
        bottom = {"disarm": "disarm-stick", "arms2": "carms2"}.get(bottom, bottom)
        law = scg.OneHotCategorical(logits=np.stack([logits, logits * w[0], w[1]]))
        y = g.sample("c", law) @ np.array([0.5, -1.0, 0.8])
    else:
        y = g.sample("c", scg.Bernoulli(logits=logits))
    g.cost("joint", w[1] * (y - 0.3 + 0.9 * a) ** 2)
    g.cost("below", np.tanh(y + b))
    estimators = {"a": scg.Enumeration(), "b": scg.Enumeration(), "c": CHOICES[bottom](g)}
    params = g.init(seed=0)
    m = scg.moments(scg.compile(g, estimators), params, variance=False)
    assert_close(m.mean, scg.exact(g, params).grads, DISCRETE, "mean")


@pytest.mark.parametrize("parent", ["enumeration", "stratified2", "loo2", "set2"])
def test_a_kept_child_has_a_likelihood_for_each_sample_of_its_other_parent(parent):
    g = scg.Graph("two parents")
    w = g.parameter("w", np.array([0.4, -0.6, 0.3, 0.8]))
    a = g.sample("a", scg.Bernoulli(logits=w[0]))
    b = g.sample("b", scg.Categorical(logits=w[1:]))
    c = g.sample("c", scg.Bernoulli(logits=w[2] + a * (1.7 - w[b])))
    g.cost("cost", np.exp(0.8 * c * w[b] * w[3]) * (1.0 + a))
    estimators = {"a": scg.LocalExpectation(), "b": CHOICES[parent](g), "c": scg.ScoreFunction()}
    params = g.init(seed=0)
    m = scg.moments(scg.compile(g, estimators), params, variance=False)
    assert_close(m.mean, scg.exact(g, params).grads, DISCRETE, "mean")


@pytest.mark.parametrize("row", [*COMPOSITIONS, THREE_LAYERS], ids=str)
def test_score_function_variance(row):
    """Only the influenced costs enter: credit for any other cost shows in the variance."""
    m = moments(scg.compile(row.build(), estimator=scg.ScoreFunction()), row)
    mean, variance = oracle_moments.score_moments(row.model, row.params)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


@pytest.mark.parametrize("row", COMPOSITIONS, ids=str)
def test_leave_one_out_variance(row):
    m = moments(scg.compile(row.build(), estimator=scg.LeaveOneOut(samples=2)), row)
    mean, variance = oracle_moments.leave_one_out_moments(row.model, row.params)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


@pytest.mark.parametrize("row", ["chain_two_costs", "deterministic_path", "one_hot_chain"])
def test_children_of_two_draws_have_noise_of_their_own(row):
    """A score-function node below leave-one-out is drawn anew for each of its parent's draws."""
    row = ROWS[row]
    first, second = row.model.names
    estimators = {first: scg.LeaveOneOut(samples=2), second: scg.ScoreFunction()}
    m = moments(scg.compile(row.build(), estimator=estimators), row)
    mean, variance = oracle_moments.leave_one_out_moments(row.model, row.params, {first})
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


@pytest.mark.parametrize("row", COMPOSITIONS, ids=str)
def test_enumeration_has_no_variance(row):
    m = moments(scg.compile(row.build(), estimator=scg.Enumeration()), row)
    zero = {name: np.zeros(value.shape) for name, value in row.grads.items()}
    assert_close(m.variance, zero, DISCRETE, "variance")


def test_runs_average_the_outcomes_that_moments_sum_over():
    """The mean of 64 runs tells how many ones were drawn: a whole number, the one in the noise."""
    row = ROWS["two_costs_one_node"]
    step = scg.compile(row.build(), estimator=scg.ScoreFunction())
    out = step(row.params, seed=3, runs=64)
    noise = step.noise(seed=3, runs=64)
    again = step(row.params, noise=noise)
    # Kernels may average the runs of a seed in another order than NumPy does those of an array.
    np.testing.assert_allclose(again.grads["theta"], out.grads["theta"], rtol=1e-14)
    np.testing.assert_allclose(again.cost, out.cost, rtol=1e-14)
    assert set(out.costs) == {"near", "far"}
    assert float(out.cost) == pytest.approx(sum(float(c) for c in out.costs.values()), abs=1e-12)
    theta, phi = row.params["theta"], row.params["phi"]
    p = 1 / (1 + np.exp(-theta))
    f = {b: (b - 0.45) ** 3 + np.exp(-1.3 * b * phi) + theta * phi for b in (0.0, 1.0)}
    # A run contributes (1 - p) f(1) or -p f(0), and the direct derivative phi.
    one, zero = (1 - p) * f[1.0], -p * f[0.0]
    ones = 64 * (out.grads["theta"] - phi - zero) / (one - zero)
    assert float(ones) == pytest.approx(np.sum(noise["b/u"] < p), abs=1e-9)
