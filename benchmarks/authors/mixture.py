"""Pathwise gradients through a mixture of normal vectors, with TensorFlow Probability."""

import numpy as np
from common import of_samples, of_step, row

import scg

AT = {
    "logits": np.array([0.3, -0.4]),
    "loc": np.array([[-0.7, 0.5], [0.9, -0.2]]),
    "log_scale": np.array([[-0.3, 0.1], [0.2, -0.5]]),
}


def step():
    """The step of scg."""
    g = scg.Graph("mixture")
    logits, loc, log_scale = (g.parameter(name, value) for name, value in AT.items())
    parts = [scg.Normal(loc[k], np.exp(log_scale[k])) for k in range(2)]
    x = g.sample("x", scg.Mixture(parts, logits=logits))
    g.cost("cost", np.sin(x[0]) * x[1] + 0.3 * np.sum(x**2))
    return scg.compile(g, scg.Reparameterization(), backend="numpy")


def exact():
    """Means of sin(x) y + 0.3 (x² + y²) of normal vectors in closed form, differentiated."""

    def mean(logits, loc, log_scale):
        w, s = np.exp(logits) / np.sum(np.exp(logits)), np.exp(log_scale)
        each = np.sin(loc[:, 0]) * np.exp(-0.5 * s[:, 0] ** 2) * loc[:, 1]
        return w @ (each + 0.3 * np.sum(loc**2 + s**2, axis=1))

    found = []
    for name, value in AT.items():
        for i in np.ndindex(value.shape):
            h = np.zeros_like(value)
            h[i] = 1e-6
            up, down = (mean(**(AT | {name: value + sign * h})) for sign in (1, -1))
            found.append((up - down) / 2e-6)
    return np.array(found)


def compare(samples):
    """One row."""
    import tensorflow as tf
    import tensorflow_probability as tfp

    d = tfp.distributions
    tf.random.set_seed(0)
    every = {
        name: tf.Variable(np.broadcast_to(value, (samples, *value.shape)))
        for name, value in AT.items()
    }
    with tf.GradientTape() as tape:
        law = d.MixtureSameFamily(
            d.Categorical(logits=every["logits"]),
            d.Independent(d.Normal(every["loc"], tf.exp(every["log_scale"])), 1),
            reparameterize=True,
        )
        x = law.sample()
        cost = tf.reduce_sum(tf.sin(x[:, 0]) * x[:, 1] + 0.3 * tf.reduce_sum(x**2, axis=1))
    grads = tape.gradient(cost, every)
    flat = np.concatenate([np.reshape(grads[name], (samples, -1)) for name in AT], axis=1)
    ours = of_step(step(), AT, list(AT), samples)
    peer = "TensorFlow Probability"
    yield row("mixture, pathwise", peer, of_samples(flat), ours, exact())
