"""Layers that the built-in models share."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg
from scg.layers.nn import linear


def tanh_layers(g: scg.Graph, name: str, h: Any, widths: tuple[int, ...]) -> Any:
    """Return h after layers of tanh units."""
    for i, width in enumerate(widths, start=1):
        h = np.tanh(linear(g, f"{name}{i}", width)(h))
    return h


def images(g: scg.Graph, means: Any) -> tuple[Any, Any, np.ndarray]:
    """Declare images "x" on the plate "batch"; return them, centred ones, and pixel logits.

    Parameters
    ----------
    means : array_like, shape (pixels,)
        The mean training image. It centres the encoder's input, and its logits are where the
        decoder's biases start: before any training each pixel has its own mean.
    """
    means = np.asarray(means, dtype=float)
    p = np.clip(means, 0.01, 0.99)
    x = g.data("x", shape=means.shape, plates=scg.Plate("batch"))
    return x, x - means, np.log(p / (1 - p))


def signs(h: Any) -> Any:
    """Return −1 and 1 for 0 and 1: what the next layer sees of binary units."""
    return 2.0 * h - 1.0
