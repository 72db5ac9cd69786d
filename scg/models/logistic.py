"""Bayesian logistic regression with a variational posterior over the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg


def logistic(
    means: Any, size: int = 1500, positive: tuple[int, ...] = (1, 3, 5, 7, 9)
) -> scg.Graph:
    """Bayesian logistic regression of one group of labels against the others.

    w ~ N(0, 1), y ~ Bernoulli(σ(w·x + w₀)); q(w) is normal with independent elements
    (Jaakkola and Jordan 1997). The weights are outside the batch plate. The cost is −ELBO of all
    `size` examples, which a batch estimates.

    Parameters
    ----------
    means : array_like, shape (features,)
        Mean of the features.
    size : int
        Number of training examples.
    positive : tuple of int
        Labels with y = 1; by default the odd digits.
    """
    means = np.asarray(means, dtype=float)
    g = scg.Graph("logistic")
    batch = scg.Plate("batch", size=size)
    x = g.data("x", shape=means.shape, plates=batch)
    labels = g.data("labels", plates=batch, kind="int")
    y = scg.one_hot(labels, 10) @ np.isin(np.arange(10), positive).astype(float)

    n = means.size + 1
    loc = g.parameter("loc", np.zeros(n))
    scale = np.exp(g.parameter("log_scale", np.full(n, -2.0)))
    w = g.sample("w", scg.Normal(loc, scale))
    score = g.deterministic("score", (x - means) @ w[1:] + w[0])
    g.cost("fit", -scg.Bernoulli(logits=score).log_prob(y))
    g.cost("divergence", w.dist.kl(scg.Normal(np.zeros(n), np.ones(n))))
    return g
