"""Models for estimators that relax draws, as graphs and as plain NumPy functions side by side.

What is below the line knows nothing of the library; derivatives are complex steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import scg

BATCH = {"x": np.array([0.8, -1.3])}
SINGLE = {"x": np.array([0.8])}  # so that all noise can be integrated
TASTE = np.array([0.3, -1.0, 0.7])


def end(h: Any, k: Any) -> Any:
    return np.exp(0.9 * k * h[..., 0] - 0.4 * h[..., 1]) + (k - 0.2) ** 3 * h[..., 1]


def middle(h: Any) -> Any:
    return (h[..., 0] * h[..., 1] - 0.45) ** 2 + 0.3 * h[..., 0] ** 3


def taste(x: Any) -> Any:
    return np.exp(0.7 * np.sum(x * TASTE, axis=-1)) + (x[..., 0] - 0.3 * x[..., 2]) ** 3


def layers() -> scg.Graph:
    """Two units above one, a cost on each layer."""
    g = scg.Graph("layers")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", [0.4, -0.6])))
    w, c = g.parameter("w", [1.1, -0.7]), g.parameter("c", -0.3)
    k = g.sample("k", scg.Bernoulli(logits=h @ w + c))
    g.cost("end", end(h, k))
    g.cost("middle", middle(h))
    return g


def narrow() -> scg.Graph:
    """One unit above one, a cost on each layer; small enough for quadrature."""
    g = scg.Graph("narrow")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    k = g.sample("k", scg.Bernoulli(logits=g.parameter("w", 1.1) * h + g.parameter("c", -0.3)))
    g.cost("end", np.exp(0.9 * k * h + 0.3 * k) + (k - 0.2) ** 3)
    g.cost("middle", (h - 0.45) ** 3 * g.parameter("s", 0.7))
    return g


def classes() -> scg.Graph:
    """One variable of three classes."""
    g = scg.Graph("classes")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("a", [0.2, -0.5, 0.9])))
    g.cost("loss", taste(x))
    return g


def plated() -> scg.Graph:
    """A global unit above one on a batch, a cost on each."""
    g = scg.Graph("plated")
    batch = scg.Plate("batch", reduce="mean")
    x = g.data("x", plates=batch)
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("ta", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", -0.7) * x + 1.2 * a))
    g.cost("each", (b - 0.3 + 0.5 * a) ** 3 * x)
    g.cost("all", np.exp(-a))
    return g


def binary() -> scg.Graph:
    """Two units, one cost that is not quadratic."""
    g = scg.Graph("binary")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", [0.4, -0.6])))
    g.cost("middle", middle(b))
    return g


# --- plain NumPy ----------------------------------------------------------------------------------
def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x)))


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(np.real(x), axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def log_softmax(x: Any) -> Any:
    return x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))


def derivative(f: Any, at: np.ndarray) -> np.ndarray:
    """The gradient of a scalar function, by complex steps."""
    at = np.asarray(at, dtype=float)
    out = np.empty(at.shape)
    for i in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[i] += 1e-30j
        out[i] = np.imag(f(moved)) / 1e-30
    return out


def logistic(u: Any) -> Any:
    """The noise of a unit that is 1 where u < p."""
    return np.log(1 - u) - np.log(u)


def binary_given(logits: Any, b: Any, odds: Any) -> Any:
    """z̃ of Tucker et al. (2017, appendix), odds = v / (1 − v)."""
    p = sigmoid(logits)
    return np.where(b == 1, np.log(odds / (1 - p) + 1), -np.log(odds / p + 1))


def binary_odds(logits: Any, b: Any, z: Any) -> Any:
    """The odds for which z̃ is z."""
    p = sigmoid(logits)
    return np.where(b == 1, (np.exp(z) - 1) * (1 - p), (np.exp(-z) - 1) * p)


def class_index(logits: Any, u: Any) -> Any:
    """Inverse CDF of classes."""
    return np.eye(len(logits))[int(np.sum(u > np.cumsum(softmax(logits))[:-1]))]


def class_given(logits: Any, x: Any, v: Any) -> Any:
    """z̃_k = −log(−log v_k / p_k − log v_b), z̃_b = −log(−log v_b); Tucker et al. (2017)."""
    p, first = softmax(logits), -np.log(np.sum(x * v))
    return -np.log(np.where(x == 1, first, -np.log(v) / p + first))
