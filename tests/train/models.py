"""Small models for the tests of training."""

import numpy as np

import scg


def sbn(visible=4, hidden=3):
    """A one-layer sigmoid belief network with encoder and declared log-weights."""
    g = scg.Graph("small")
    x = g.data("x", shape=(visible,), plates=scg.Plate("batch"))
    encoder = g.parameter("encoder", shape=(visible, hidden), init=scg.init.normal(0.5))
    decoder = g.parameter("decoder", shape=(hidden, visible), init=scg.init.normal(0.5))
    h = g.sample("h", scg.Bernoulli(logits=x @ encoder))
    prior = scg.Bernoulli(logits=g.parameter("prior", shape=hidden))
    log_p = prior.log_prob(h) + scg.Bernoulli(logits=h @ decoder).log_prob(x)
    g.cost("loss", -g.deterministic("log_weight", log_p - h.log_prob()))
    return g


def pixels(examples=12, visible=4, seed=0):
    """Random binary rows."""
    return (np.random.default_rng(seed).random((examples, visible)) < 0.3).astype(float)


def nvil():
    """A step whose estimator has state and own parameters."""
    baseline = scg.baselines.Network(hidden=(5,))
    return scg.compile(sbn(), estimator=scg.ScoreFunction(baseline=baseline))
