"""Structured prediction: the lower half of an image from its upper half (Raiko et al. 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg
from scg.layers.nn import linear
from scg.models.layers import signs


def structured(
    means: Any,
    hidden: tuple[int, ...] = (32, 32),
    classes: int | None = None,
    particles: scg.Plate | None = None,
) -> scg.Graph:
    """Stochastic layers from the upper half of an image to its lower half.

    The cost is −log p(lower | h) for layers h sampled from the upper half. Its mean is an upper
    bound of the NLL, which ``scg.evaluate`` estimates with K samples. For MNIST,
    ``hidden=(200, 200)`` is the network 392-200-200-392 of Gu et al. (2016) and
    ``hidden=(20, 20), classes=10`` the categorical one of Jang et al. (2017).

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image, row-major; its first half is the upper one.
    hidden : tuple of int
        Number of units of each layer; with `classes`, of one-hot variables.
    classes : int, optional
        Number of classes of categorical variables, which replace the binary units.
    particles : Plate, optional
        K samples of the layers for each image; the cost becomes −log 1/K Σ_k p(lower | h_k).
    """
    means = np.asarray(means, dtype=float)
    half = means.size // 2
    p = np.clip(means[half:], 0.01, 0.99)
    g = scg.Graph("structured")
    x = g.data("x", shape=means.shape, plates=scg.Plate("batch"))
    upper, lower = x[:half], x[half:]

    above = upper - means[:half]
    for level, width in enumerate(hidden, start=1):
        scores = linear(g, f"layer{level}", width * (classes or 1))(above)
        if classes is None:
            law = scg.Bernoulli(logits=scores)
        else:
            law = scg.OneHotCategorical(logits=scores.reshape(width, classes))
        h = g.sample(f"h{level}", law, plates=particles if particles and level == 1 else ())
        above = signs(h) if classes is None else h.reshape(width * classes)
    law = scg.Bernoulli(logits=linear(g, "output", lower.size, bias=np.log(p / (1 - p)))(above))
    g.deterministic("pixels", law.probs)
    log_weight = g.deterministic("log_weight", law.log_prob(lower))
    g.cost("loss", scg.iwae(log_weight, particles) if particles else -log_weight)
    return g
