"""A small binary model with an interaction, for the library and in plain NumPy."""

import numpy as np

import scg

from .graphs import sigmoid

LOGITS = np.array([0.4, -0.7, 1.9])
P = sigmoid(LOGITS)


def cost(b, exp=np.exp):
    """A cost without symmetry; the units are the last axis."""
    return exp(1.1 * b[0] - 0.6 * b[1]) + (b[0] * b[1] - 0.8 * b[2] + 0.3) ** 3


def costs(b):
    return cost(np.moveaxis(b, -1, 0))


def graph(logits=LOGITS):
    g = scg.Graph("binary")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", logits)))
    g.cost("loss", cost(b))
    return g


def as_classes(logits=LOGITS):
    """The same units as classes 0 and 1."""
    g = scg.Graph("classes")
    t = g.parameter("theta", logits)
    b = g.sample("b", scg.Categorical(logits=np.stack([0.0 * t, t], axis=-1)))
    g.cost("loss", cost(1.0 * b))
    return g


def grads(g, estimator, seed=3, runs=50, params=None):
    """The gradient of some runs, averaged; and the noise that gave it."""
    step = scg.compile(g, estimator=estimator)
    params = g.init(seed=0) if params is None else params
    return step(params, seed=seed, runs=runs).grads["theta"], step.noise(seed=seed, runs=runs)
