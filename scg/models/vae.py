"""Variational autoencoders: Bernoulli, categorical and Gaussian latent variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import scg
from scg.layers.nn import linear
from scg.models.layers import dense_layers, images, signs


def bernoulli_vae(
    means: Any,
    hidden: int = 32,
    layers: tuple[int, ...] = (),
    particles: scg.Plate | None = None,
    activation: Callable[[Any], Any] = np.tanh,
) -> scg.Graph:
    """Variational autoencoder with Bernoulli latents; linear without `layers`.

    The cost is KL(q(h | x) ‖ p(h)) − log p(x | h), with the divergence in closed form.

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    hidden : int
        Number of latent units.
    layers : tuple of int
        Widths of the layers between pixels and latents, reversed in the decoder.
    particles : Plate, optional
        K samples of the latents for each image; the cost becomes −log 1/K Σ_k w_k with the
        weights w_k = p(x, h_k) / q(h_k | x).
    activation : callable
        The function of the units of `layers`.
    """
    g = scg.Graph("bernoulli vae")
    x, centred, logits = images(g, means)
    inner = dense_layers(g, "encoder", centred, layers, activation)
    law = scg.Bernoulli(logits=linear(g, "to_h", hidden)(inner))
    h = g.sample("h", law, plates=particles or ())
    prior = scg.Bernoulli(logits=g.parameter("prior", shape=hidden))
    outer = dense_layers(g, "decoder", signs(h), layers[::-1], activation)
    _decode(g, x, h, prior, outer, logits, particles)
    return g


def categorical_vae(
    means: Any,
    variables: int = 10,
    classes: int = 5,
    layers: tuple[int, ...] = (),
    exact: bool = True,
) -> scg.Graph:
    """Variational autoencoder with `variables` categorical latents of `classes` classes.

    It is the categorical model of Jang et al. (2017) with a learned prior.

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    variables, classes : int
        Number of one-hot latents, and of classes of each.
    layers : tuple of int
        Widths of the tanh layers between pixels and latents, reversed in the decoder.
    exact : bool
        Whether the divergence has its closed form; else it is log q(h | x) − log p(h).
    """
    g = scg.Graph("categorical vae")
    x, centred, logits = images(g, means)
    inner = dense_layers(g, "encoder", centred, layers)
    scores = linear(g, "to_h", variables * classes)(inner).reshape(variables, classes)
    h = g.sample("h", scg.OneHotCategorical(logits=scores))
    prior = scg.OneHotCategorical(logits=g.parameter("prior", shape=(variables, classes)))
    outer = dense_layers(g, "decoder", h.reshape(variables * classes), layers[::-1])
    _decode(g, x, h, prior, outer, logits, exact=exact)
    return g


def gaussian_vae(means: Any, hidden: int = 8, layers: tuple[int, ...] = (64,)) -> scg.Graph:
    """Variational autoencoder with normal latents (Kingma and Welling 2014).

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    hidden : int
        Number of latents.
    layers : tuple of int
        Widths of the tanh layers between pixels and latents, reversed in the decoder.
    """
    g = scg.Graph("gaussian vae")
    x, centred, logits = images(g, means)
    inner = dense_layers(g, "encoder", centred, layers)
    loc, scale = linear(g, "loc", hidden)(inner), np.exp(linear(g, "log_scale", hidden)(inner))
    h = g.sample("h", scg.Normal(loc, scale))
    prior = scg.Normal(np.zeros(hidden), np.ones(hidden))
    _decode(g, x, h, prior, dense_layers(g, "decoder", h, layers[::-1]), logits)
    return g


def _decode(
    g: scg.Graph,
    x: Any,
    h: Any,
    prior: Any,
    outer: Any,
    logits: Any,
    particles: scg.Plate | None = None,
    exact: bool = True,
) -> None:
    """Declare the distribution of pixels, the log-weights, and the cost.

    It is the bound of the particles, or has the divergence in closed form or from the sample.
    """
    law = scg.Bernoulli(logits=linear(g, "to_x", x.size, bias=logits)(outer))
    g.deterministic("pixels", law.probs)
    fit = law.log_prob(x)
    log_weight = g.deterministic("log_weight", fit + prior.log_prob(h) - h.log_prob())
    if particles:
        g.cost("loss", scg.iwae(log_weight, particles))
    else:
        g.cost("loss", h.dist.kl(prior) - fit if exact else -log_weight)
