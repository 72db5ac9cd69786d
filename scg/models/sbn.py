"""Sigmoid belief networks: layers of Bernoulli units above the pixels (Neal 1992)."""

from __future__ import annotations

from typing import Any

import scg
from scg.layers.nn import linear
from scg.models.layers import images, signs


def sbn(
    means: Any, hidden: tuple[int, ...] = (32, 32), particles: scg.Plate | None = None
) -> scg.Graph:
    """Sigmoid belief network with an encoder of the same shape; the cost is −ELBO.

    The decoder is p(h_L) Π p(h_l | h_{l+1}) p(x | h_1), the encoder Π q(h_{l+1} | h_l) with h_0 = x
    (Mnih and Gregor 2014; Gu et al. 2016).

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    hidden : tuple of int
        Number of units of each layer, from the pixels upwards.
    particles : Plate, optional
        K samples of the layers for each image; the cost becomes −log 1/K Σ_k w_k with the weights
        w_k = p(x, h_k) / q(h_k | x).
    """
    g = scg.Graph("sbn")
    x, below, logits = images(g, means)
    units, log_q = [x], 0.0
    for level, width in enumerate(hidden, start=1):
        law = scg.Bernoulli(logits=linear(g, f"encoder{level}", width)(below))
        plates = particles if particles and level == 1 else ()
        units.append(g.sample(f"h{level}", law, plates=plates))
        log_q = log_q + units[-1].log_prob()
        below = signs(units[-1])

    log_p = scg.Bernoulli(logits=g.parameter("prior", shape=hidden[-1])).log_prob(units[-1])
    for level in range(len(hidden), 0, -1):
        start = logits if level == 1 else 0.0
        above, target = signs(units[level]), units[level - 1]
        law = scg.Bernoulli(logits=linear(g, f"decoder{level}", target.size, bias=start)(above))
        if level == 1:
            g.deterministic("pixels", law.probs)
        log_p = log_p + law.log_prob(target)
    log_weight = g.deterministic("log_weight", log_p - log_q)
    g.cost("loss", scg.iwae(log_weight, particles) if particles else -log_weight)
    return g


def sbn_prior(pixels: int, hidden: tuple[int, ...] = (32, 32)) -> scg.Graph:
    """Decoder of :func:`sbn` alone: use ``g.simulate`` on its node "pixels" to generate images.

    Parameters
    ----------
    pixels : int
        Number of pixels of an image.
    hidden : tuple of int
        As in :func:`sbn`, whose parameters have the same names.
    """
    g = scg.Graph("sbn prior")
    law = scg.Bernoulli(logits=g.parameter("prior", shape=hidden[-1]))
    for level in range(len(hidden), 0, -1):
        h = g.sample(f"h{level}", law)
        width = hidden[level - 2] if level > 1 else pixels
        law = scg.Bernoulli(logits=linear(g, f"decoder{level}", width)(signs(h)))
    g.deterministic("pixels", law.probs)
    return g


def fdarn(means: Any, hidden: int = 32) -> scg.Graph:
    """fDARN: one layer of units with an autoregressive prior; the cost is −ELBO.

    The prior is p(h) = Π p(h_i | h_1, …, h_{i−1}); p(x | h) and q(h | x) have independent elements
    (Gregor et al. 2014; Mnih and Gregor 2014; Gu et al. 2016).

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
