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
