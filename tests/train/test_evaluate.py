"""Held-out bounds against enumeration of the hidden units."""

import itertools

import numpy as np
import pytest

import scg
from scg.train import HeldOut
from tests.train.models import pixels, sbn


def log_bernoulli(x, logits):
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1)


def truth(params, x):
    """Exact ELBO and log p(x) of each row, summing over all hidden states."""
    states = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    log_p = log_bernoulli(states, params["prior"]) + log_bernoulli(
        x[:, None], states @ params["decoder"]
    )
    log_q = log_bernoulli(states, (x @ params["encoder"])[:, None])
    elbo = np.sum(np.exp(log_q) * (log_p - log_q), axis=1)
    return elbo.mean(), np.log(np.exp(log_p).sum(axis=1)).mean()


@pytest.mark.statistical
def test_elbo_and_bound_bracket_the_truth(seed):
    g, x = sbn(), pixels(30)
    params = g.init(0)
    elbo, log_p = truth(params, x)
    assert log_p - elbo > 0.02
    found = scg.evaluate(g, params, {"x": x}, samples=20_000, seed=seed, batch_size=7)
    # log-weights have a standard deviation below 1: 600,000 draws, 6 standard errors
    assert found.elbo == pytest.approx(elbo, abs=6 / np.sqrt(600_000))
    assert found.bound == pytest.approx(log_p, abs=6 / np.sqrt(600_000))
    assert found.nll == -found.bound
    assert (found.samples, found.examples) == (20_000, 30)


def test_one_sample_gives_the_elbo_twice():
    g = sbn()
    found = scg.evaluate(g, g.init(0), {"x": pixels()}, seed=0)
    assert found.elbo == pytest.approx(found.bound, abs=1e-12)


def test_the_callback_adds_its_name():
    step = scg.compile(sbn(), estimator=scg.MuProp())
    held_out = HeldOut({"x": pixels(seed=1)}, name="valid", samples=5, every=2)
    run = scg.fit(step, data={"x": pixels()}, seed=0, batch_size=6, epochs=2, callbacks=[held_out])
    assert "valid_elbo" not in run.history[0]
    found = scg.evaluate(step.graph, run.params, {"x": pixels(seed=1)}, samples=5, seed=0)
    assert run.history[1]["valid_elbo"] == found.elbo
    assert run.history[1]["valid_bound"] == found.bound


def test_a_model_without_log_weights_is_told_what_to_write():
    g = scg.Graph("toy")
    g.cost("loss", g.parameter("theta", 0.4) ** 2)
    with pytest.raises(scg.CallError, match=r'g\.deterministic\("log_weight"'):
        scg.evaluate(g, g.init(0), {}, seed=0)


def labelled():
    """Numbers and labels on one plate; a label of 1 is impossible unless b is 1."""
    g, rows = scg.Graph("labelled"), scg.Plate("rows")
    x, y = g.data("x", plates=rows), g.data("y", plates=rows, kind="int")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", 0.3) + x))
    impossible = np.where((y > 0) & (b < 1), -np.inf, 0.0)
    g.deterministic("log_weight", impossible + 0.5 * b - b.log_prob())
    return g


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": np.zeros(5), "y": np.zeros(7, int)}, "'y' has 7 elements on plate 'rows', .* has 5"),
        ({"x": np.zeros(7), "y": np.zeros(5, int)}, "'y' has 5 elements on plate 'rows', .* has 7"),
        ({"x": np.zeros(0), "y": np.zeros(0, int)}, "hold no examples on plate 'rows'"),
        ({"x": 3.0, "y": [0]}, r"'x': expected shape \(rows\), got \(\)"),
        ({"x": np.ma.array([1.0, 2.0], mask=[0, 1]), "y": [0, 0]}, "'x' is a masked array"),
        ({"x": [1.0, 2.0], "y": [0.0, 1.0]}, "'y': declared as integers"),
        ({"x": [1.0], "y": [0], "z": [1]}, "unknown data 'z'"),
        ({}, "no data on plate 'rows' were given"),
    ],
)
def test_data_are_checked_as_a_whole(data, message):
    """Batches cut the longer of two arrays: evaluate would not notice."""
    g = labelled()
    with pytest.raises(scg.CallError, match=message):
        scg.evaluate(g, g.init(0), data, seed=0, batch_size=2)


def test_an_empty_seed_is_none():
    g = labelled()
    with pytest.raises(scg.CallError, match="the seed is an empty tuple"):
        scg.evaluate(g, g.init(0), {"x": np.ones(2), "y": np.ones(2, int)}, seed=())


def test_a_bound_of_impossible_samples_is_infinite():
    g = labelled()
    found = scg.evaluate(g, {"w": -50.0}, {"x": np.zeros(4), "y": [0, 1, 0, 1]}, samples=3, seed=0)
    assert found.elbo == found.bound == -np.inf
    found = scg.evaluate(g, {"w": 0.0}, {"x": [0.0], "y": [1]}, samples=50, seed=0)
    assert found.elbo == -np.inf < found.bound < np.inf
