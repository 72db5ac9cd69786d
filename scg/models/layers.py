"""Parts that several built-in models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import scg
from scg.layers.nn import linear


def dense_layers(
    g: scg.Graph,
    name: str,
    h: Any,
    widths: tuple[int, ...],
    activation: Callable[[Any], Any] = np.tanh,
) -> Any:
    """`h` after layers of deterministic units."""
    for i, width in enumerate(widths, start=1):
        h = activation(linear(g, f"{name}{i}", width)(h))
    return h


def images(g: scg.Graph, means: Any) -> tuple[Any, Any, np.ndarray]:
    """Declare images "x" on the plate "batch"; return them, centred images, and pixel logits.

    The logits of the mean training image are the initial biases of a decoder.
    """
    means = np.asarray(means, dtype=float)
    p = np.clip(means, 0.01, 0.99)
    x = g.data("x", shape=means.shape, plates=scg.Plate("batch"))
    return x, x - means, np.log(p / (1 - p))


def signs(h: Any) -> Any:
    """Binary units as −1 and 1, the input of the next layer."""
    return 2.0 * h - 1.0
