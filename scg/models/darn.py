"""fDARN: a sigmoid belief network whose hidden units depend on each other in the prior."""

from __future__ import annotations

from typing import Any

import scg
from scg.layers.nn import linear
from scg.models.layers import images, signs


def fdarn(means: Any, hidden: int = 32) -> scg.Graph:
    """One layer of units with an autoregressive prior; the cost is −ELBO.

    p(h) = Π p(h_i | h_1, …, h_{i-1}), while p(x | h) and q(h | x) have independent elements; the
    model fDARN of Gregor et al. (2014), Mnih and Gregor (2014) and Gu et al. (2016, sec. 8.2).

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    hidden : int
        Number of hidden units.
    """
    g = scg.Graph("fdarn")
    x, centred, logits = images(g, means)
    h = g.sample("h", scg.Bernoulli(logits=linear(g, "encoder", hidden)(centred)))
    with g.scope("prior"):
        weights, bias = g.parameter("W", shape=(hidden, hidden)), g.parameter("b", shape=hidden)
    prior = scg.Autoregressive(scg.Bernoulli, weights, bias)
    pixels = scg.Bernoulli(logits=linear(g, "decoder", x.size, bias=logits)(signs(h)))
    g.deterministic("pixels", pixels.probs)
    log_p = prior.log_prob(h) + pixels.log_prob(x)
    g.cost("loss", -g.deterministic("log_weight", log_p - h.log_prob()))
    return g
