"""The toy of the course in its variants, and the two estimators that go wrong on purpose.

Lessons declare what they need in their own cells; the curves and the tests use these.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import scg
from scg.estimators.protocol import ANY_ORDER, Draw, control_variate

THETA, TARGET = 0.4, 0.45


def coin(shift: float = 0.0) -> scg.Graph:
    """One coin, whose cost is the squared distance to a target."""
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", THETA)))
    g.cost("loss", (b - TARGET) ** 2 + shift)
    return g


def aimed() -> scg.Graph:
    """One coin, whose target is data."""
    g = scg.Graph("aimed")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", THETA)))
    g.cost("loss", (b - g.data("t")) ** 2)
    return g


def normal(cost: Callable[[Any, Any], Any], learned: str) -> scg.Graph:
    """x ~ N(1, 1) with the cost f(x, k), where k is data; the parameter is "mu" or "sigma"."""
    g = scg.Graph("normal")
    theta = g.parameter(learned, 1.0)
    x = g.sample("x", scg.Normal(theta, 1.0) if learned == "mu" else scg.Normal(1.0, theta))
    g.cost("loss", cost(x, g.data("k")))
    return g


def chain(steps: int, costs: str = "last", window: int | None = None, w: float = 2.0) -> scg.Graph:
    """Coins that depend on the coin before: the logit is θ + w (b − 1/2).

    `costs` is "last" (of the last coin alone), "each" (one cost for each coin) or "return" (their
    sum as one cost). θ is learned in the last `window` steps, or in all.
    """
    g = scg.Graph("chain")
    theta = g.parameter("theta", THETA)
    b, paid = None, []
    for i in range(1, steps + 1):
        own = theta if window is None or i > steps - window else scg.stop_gradient(theta)
        b = g.sample(f"b{i}", scg.Bernoulli(logits=own if b is None else own + w * (b - 0.5)))
        paid.append((b - TARGET) ** 2)
    if costs == "each":
        for i, cost in enumerate(paid, 1):
            g.cost(f"c{i}", cost)
    else:
        g.cost("loss", paid[-1] if costs == "last" else sum(paid[1:], paid[0]))
    return g


def match(shared: bool) -> scg.Graph:
    """Two coins, where each is the other's target; they may share the parameter."""
    g = scg.Graph("match")
    first = g.parameter("theta", THETA)
    second = first if shared else g.parameter("other", THETA)
    a = g.sample("a", scg.Bernoulli(logits=first))
    b = g.sample("b", scg.Bernoulli(logits=second))
    g.cost("loss", (a - b) ** 2)
    return g


def die() -> scg.Graph:
    """A die with four faces 0, 1, 2, 3 and the squared distance to 1.45 as its cost."""
    g = scg.Graph("die")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("logits", [0.2, -0.7, 0.4, 0.0])))
    g.cost("loss", (x @ np.arange(4.0) - 1.45) ** 2)
    return g


def schulman(number: int) -> scg.Graph:
    """The simple graphs of Schulman et al. (2015), 1 to 5, with coins and the squared distance."""
    g = scg.Graph(f"graph {number}")
    theta = g.parameter("theta", THETA)
    if number == 1:
        x = g.deterministic("x", np.tanh(theta))
        g.cost("f", (g.sample("y", scg.Bernoulli(logits=x)) - TARGET) ** 2)
    if number == 2:
        x = g.sample("x", scg.Bernoulli(logits=theta))
        g.cost("f", (g.deterministic("y", 2.0 * x - 0.3) - TARGET) ** 2)
    if number == 3:
        x = g.sample("x", scg.Bernoulli(logits=theta))
        g.cost("f", (g.sample("y", scg.Bernoulli(logits=2.0 * x - 1.0)) - TARGET) ** 2)
    if number == 4:
        x = g.sample("x", scg.Bernoulli(logits=theta))
        g.cost("f", (x - g.deterministic("y", np.tanh(theta))) ** 2)
    if number == 5:
        x1 = g.sample("x1", scg.Bernoulli(logits=theta))
        x2 = g.sample("x2", scg.Bernoulli(logits=theta + 2.0 * (x1 - 0.5)))
        g.cost("f1", (x1 - TARGET) ** 2)
        g.cost("f2", (x2 - TARGET) ** 2)
    return g


class MeanPass(scg.Estimator):
    """MuProp as it is often written: one backward pass through the means as the correction."""

    unbiased, evaluations = False, "2"
    requires = ("mean field", "differentiable costs", "fixed support")
    allow_biased = True

    def term(self, dist: Any, draw: Draw, downstream: Any, memory: Any) -> Any:
        means = downstream.mean_field
        slope, point = scg.stop_gradient(means.slope), scg.stop_gradient(means.point)
        tangent = scg.stop_gradient(means.cost) + np.sum(slope * (draw.value - point))
        first = not downstream.inputs
        return control_variate(draw, tangent, correction=means.cost if first else None)


class Twice(scg.Estimator):
    """The surrogate log p · f, which is right once and wrong when it is differentiated twice."""

    orders, credit = ANY_ORDER, "along"
    allow_biased = True

    def term(self, dist: Any, draw: Draw, downstream: Any, memory: Any) -> Any:
        logp = dist.log_prob(draw.value)
        return (logp - scg.stop_gradient(logp)) * scg.stop_gradient(downstream.cost)
