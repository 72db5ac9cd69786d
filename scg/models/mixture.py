"""A mixture of Bernoulli products with categorical assignments."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg
from scg.layers.nn import linear
from scg.models.layers import images


def mixture(means: Any, components: int = 10) -> scg.Graph:
    """Mixture of products of Bernoullis, with an encoder for the assignments.

    The cost is KL(q(z | x) ‖ p(z)) − log p(x | z) for z ∈ {0, …, components − 1}. By default the
    compiler enumerates z, so that the gradient is exact.

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    components : int
        Number of components.
    """
    g = scg.Graph("mixture")
    x, centred, logits = images(g, means)
    z = g.sample("z", scg.Categorical(logits=linear(g, "encoder", components)(centred)))
    prior = scg.Categorical(logits=g.parameter("prior", shape=components))

    def around(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return logits + rng.standard_normal(shape)

    templates = g.parameter("templates", shape=(components, x.size), init=around)
    law = scg.Bernoulli(logits=templates[z])
    g.deterministic("pixels", law.probs)
    fit = law.log_prob(x)
    g.deterministic("log_weight", fit + prior.log_prob(z) - z.log_prob())
    g.cost("loss", z.dist.kl(prior) - fit)
    return g
