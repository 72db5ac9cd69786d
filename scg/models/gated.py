"""Conditional computation: stochastic gates switch the hidden units of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg
from scg.errors import DeclarationError
from scg.layers.nn import linear

UNITS = ("binary", "smooth", "noisy rectifier", "rectifier", "noisy sigmoid", "sigmoid")


def gated(
    means: Any,
    width: int = 64,
    gater: int = 16,
    classes: int = 10,
    unit: str = "binary",
    target: float = 0.1,
    penalty: float = 1.0,
) -> scg.Graph:
    """Classifier whose gates turn most hidden units off (Bengio et al. 2013).

    A small tanh network, the gater, computes the logits of the gates of the main path. One cost is
    the cross-entropy; the other pulls each gate's mean activity over the batch to `target`.

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image.
    width : int
        Number of hidden units of the main path, each with a gate.
    gater : int
        Number of hidden units of the gater.
    classes : int
        Number of labels.
    unit : {"binary", "smooth", "noisy rectifier", "rectifier", "noisy sigmoid", "sigmoid"}
        Kind of gate: Bernoulli, stochastic times smooth, a rectifier or a sigmoid with standard
        normal noise on its input, or without noise, with which the others are compared.
    target : float
        Desired mean activity of a gate.
    penalty : float
        Weight of the sparsity cost.
    """
    if unit not in UNITS:
        raise DeclarationError(f"gated: unit must be one of {', '.join(UNITS)}, got {unit!r}")
    means = np.asarray(means, dtype=float)
    g = scg.Graph("gated")
    batch = scg.Plate("batch", reduce="mean")
    x = g.data("x", shape=means.shape, plates=batch) - means
    labels = g.data("labels", kind="int", plates=batch)
    hidden = scg.relu(linear(g, "main", width)(x))
    scores = linear(g, "gates", width)(np.tanh(linear(g, "gater", gater)(x)))
    gates, active = _gates(g, unit, scores, target)
    logits = linear(g, "output", classes)(hidden * g.deterministic("open", gates))
    chosen = scg.one_hot(labels, classes)
    g.cost("cross_entropy", -np.sum(chosen * scg.log_softmax(g.deterministic("scores", logits))))
    activity = g.deterministic("activity", scg.plate_mean(active, batch))
    g.cost("sparsity", penalty * np.sum((activity - target) ** 2))
    return g


def _gates(g: scg.Graph, unit: str, scores: Any, target: float) -> tuple[Any, Any]:
    """The gates, and what the sparsity cost takes for their activity."""
    if unit == "noisy rectifier":
        return scg.noisy_rectifier(g, "gate", scores - 1.0), scg.ndtr(scores - 1.0)
    if unit == "rectifier":
        gates = scg.relu(scores)
        return gates, gates
    scores = scores + np.log(target / (1.0 - target))
    if unit == "binary":
        law = scg.Bernoulli(logits=scores)
        return g.sample("gate", law), law.probs
    if unit == "smooth":
        return scg.stochastic_times_smooth(g, "gate", scores), scg.sigmoid(scores)
    if unit == "noisy sigmoid":
        scores = g.sample("gate", scg.Normal(loc=scores, scale=1.0))
    gates = scg.sigmoid(scores)
    return gates, gates
