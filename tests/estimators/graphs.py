"""Small graphs on which an estimator must have the exact mean: layers, plates, several costs."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg

EXACT = 1e-10


def two_layers() -> scg.Graph:
    """Two Bernoulli units above two, with costs on both layers."""
    g = scg.Graph("two_layers")
    w = g.parameter("w", [[0.9, -1.2], [0.4, 1.5]])
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", [0.3, -0.8])))
    k = g.sample("k", scg.Bernoulli(logits=h @ w - 0.4))
    g.cost("end", np.exp(np.sum(k * g.parameter("u", [0.7, -1.1])) + 0.6 * h[0]) - 2.0 * h[1])
    g.cost("middle", (h[0] * h[1] - 0.4) ** 3 + np.sum(w) * 0.1 * h[0])
    return g


def classes() -> scg.Graph:
    """Two one-hot variables of three classes above a categorical one."""
    g = scg.Graph("classes")
    x = g.sample(
        "x", scg.OneHotCategorical(logits=g.parameter("a", [[0.2, -0.5, 0.9], [-0.3, 0.8, 0.1]]))
    )
    t = np.array([[0.3, -1.0, 0.7], [1.1, 0.2, -0.6]])
    y = g.sample("y", scg.Categorical(logits=g.parameter("v", [0.5, -0.2]) * np.sum(x * t)))
    g.cost("loss", np.exp(0.7 * np.sum(x * t)) + (y - 0.3) ** 3 * x[0, 1])
    return g


def plated() -> tuple[scg.Graph, dict[str, Any]]:
    """A global unit above a unit on a batch, with a cost on each."""
    g = scg.Graph("plated")
    batch = scg.Plate("batch", reduce="mean")
    x = g.data("x", plates=batch)
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("ta", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", [-0.7, 0.5]) * x + 1.2 * a))
    g.cost("each", (b[0] - 0.3 + 0.5 * a) ** 3 * x + np.exp(0.8 * b[0] * b[1]))
    g.cost("all", np.exp(-a))
    return g, {"x": np.array([0.8, -1.3])}


def params_of(g: scg.Graph) -> dict[str, np.ndarray]:
    return g.init(seed=0)


def assert_exact(
    g: scg.Graph, estimator: Any, data: Any = None, tolerance: float = EXACT, state: Any = None
) -> Any:
    """The mean of the estimate is the true gradient; return the moments."""
    step = scg.compile(g, estimator)
    m = scg.moments(step, params_of(g), data=data, state=state)
    truth = scg.exact(g, params_of(g), data=data)
    assert abs(m.cost - truth.cost) < tolerance * max(1.0, abs(truth.cost))
    for name, value in truth.grads.items():
        np.testing.assert_allclose(m.mean[name], value, atol=tolerance * 10, err_msg=name)
    return m


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x)))
