"""Named small graphs of other kinds of data and draws: masks, empty events, counts, normals.

What has no finite support is truncated or integrated by the oracle, far beyond rounding.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

import scg

from .graphs_plates import elements, on_plate
from .oracle import Conditional, Cost, Model, bernoulli, normal, sigmoid, softplus
from .rows import Row, arrays, bent, cubic, curve, graph_with


def masked() -> Row:
    """Ragged data, padded with zeros: a masked cost, and an observation of masked elements."""
    x, there = np.array([0.8, -1.3, 0.0]), np.array([1, 1, 0])
    seen = np.array([1.0, 0.0, 0.0])
    params = arrays(w=0.7, u=[1.2, -0.4])

    def build():
        g, t = graph_with("masked", params)
        items = scg.Plate("items", reduce="mean")
        data, mask = g.data("x", plates=items), g.data("there", plates=items, kind="int")
        label = g.data("seen", plates=items)
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * data + 0.2))
        logits = t["u"][0] * b + t["u"][1]
        g.cost("each", cubic(data, b) + t["w"] * b, mask=mask)
        g.observe("label", scg.Bernoulli(logits=logits), label, mask=mask)
        count = scg.plate_sum(np.where(mask, b, 0.0), items)
        g.cost("count", (count - 0.6) ** 3 * t["u"][1])
        return g

    b = elements("b", 3)

    def label(t, v, i):
        logits = t["u"][0] * v[b[i]] + t["u"][1]
        return softplus(logits) - seen[i] * logits

    model = Model(
        on_plate("b", 3, lambda t, v, i: t["w"] * x[i] + 0.2),
        [
            *(
                Cost(lambda t, v, i=i: (cubic(x[i], v[b[i]]) + t["w"] * v[b[i]]) / 3, {b[i]})
                for i in range(2)
            ),
            *(Cost(lambda t, v, i=i: label(t, v, i) / 3, {b[i]}) for i in range(2)),
            Cost(lambda t, v: (v[b[0]] + v[b[1]] - 0.6) ** 3 * t["u"][1], set(b)),
        ],
    )
    return Row("masked", build, params, model, data={"x": x, "there": there, "seen": seen})


def empty_event() -> Row:
    """A node without a single unit above one with two, and costs of both."""
    params = arrays(theta=[0.4, -0.7], k=0.6)

    def build():
        g, t = graph_with("empty_event", params)
        none = g.sample("none", scg.Bernoulli(logits=np.zeros(0) * t["k"]))
        b = g.sample("b", scg.Bernoulli(logits=t["theta"] + np.sum(none)))
        g.cost("loss", bent(t["k"], b[0], b[1]) + np.sum(none * t["k"]))
        g.cost("empty", np.exp(np.sum(none) + t["k"]))
        return g

    model = Model(
        [bernoulli("b", lambda t, v: t["theta"], (2,))],
        [
            Cost(lambda t, v: bent(t["k"], v["b"][0], v["b"][1]), {"b"}),
            Cost(lambda t, v: np.exp(t["k"])),
        ],
    )
    return Row("empty_event", build, params, model)


def matrix_event() -> Row:
    """An event of two axes, one of them of length one, above a vector of its rows' sums."""
    params = arrays(W=[[0.5], [-0.8]], u=[0.9, -1.1])

    def build():
        g, t = graph_with("matrix_event", params)
        h = g.sample("h", scg.Bernoulli(logits=t["W"]))
        k = g.sample("k", scg.Bernoulli(logits=t["u"] * np.sum(h, axis=1) - 0.2))
        g.cost("loss", bent(0.8, h[0, 0] * k[1], k[0]) + np.sum(t["W"] * h) ** 2)
        return g

    def loss(t, v):
        h, k = v["h"], v["k"]
        return bent(0.8, h[0, 0] * k[1], k[0]) + np.sum(t["W"] * h) ** 2

    model = Model(
        [
            bernoulli("h", lambda t, v: t["W"], (2, 1)),
            bernoulli("k", lambda t, v: t["u"] * np.sum(v["h"], axis=1) - 0.2, (2,)),
        ],
        [Cost(loss, {"h", "k"})],
    )
    return Row("matrix_event", build, params, model)


def counts() -> Row:
    """A binomial above a Poisson count, with costs on each and on both."""
    params = arrays(a=0.3, r=[-0.4, 0.5], k=0.6)
    trials, largest = 3, 50

    def build():
        g, t = graph_with("counts", params)
        n = g.sample("n", scg.Binomial(trials, logits=t["a"]))
        c = g.sample("c", scg.Poisson(rate=np.exp(t["r"][0] + t["r"][1] * n)))
        g.cost("first", curve(t["k"], 0.5 * n))
        g.cost("both", np.tanh(0.3 * c - t["k"] * n) + np.exp(-c) * n)
        return g

    def binomial(t, v, n):
        p = sigmoid(t["a"])
        return math.comb(trials, n) * p**n * (1 - p) ** (trials - n)

    def poisson(t, v, c):
        log_rate = t["r"][0] + t["r"][1] * v["n"]
        return np.exp(c * log_rate - np.exp(log_rate) - math.lgamma(c + 1))

    model = Model(
        [Conditional("n", range(trials + 1), binomial), Conditional("c", range(largest), poisson)],
        [
            Cost(lambda t, v: curve(t["k"], 0.5 * v["n"]), {"n"}),
            Cost(
                lambda t, v: np.tanh(0.3 * v["c"] - t["k"] * v["n"]) + np.exp(-v["c"]) * v["n"],
                {"n", "c"},
            ),
        ],
    )
    return Row("counts", build, params, model)


def gamma_then_classes() -> Row:
    """A gamma draw in the logits of a class that selects a cost."""
    params = arrays(a=0.6, b=0.2, eta=[0.3, -0.5, 0.1], table=[0.7, -0.9, 0.4])
    grid = np.linspace(-14.0, 3.9, 240)  # of log x: the trapezoidal rule
    points, spacing = np.exp(grid), grid[1] - grid[0]
    slopes = np.array([0.8, -0.6, 0.3])

    def build():
        g, t = graph_with("gamma_then_classes", params)
        x = g.sample("x", scg.Gamma(1.5 + np.exp(t["a"]), 1.0 + np.exp(t["b"])))
        z = g.sample("z", scg.Categorical(logits=t["eta"] + slopes * x))
        g.cost("first", np.tanh(x - 0.7) * t["table"][0])
        g.cost("second", np.exp(t["table"][z] * 0.5) * (1.0 + 0.3 * x))
        return g

    def density(t, v, i):
        shape, rate, x = 1.5 + np.exp(t["a"]), 1.0 + np.exp(t["b"]), points[i]
        log = shape * (np.log(rate) + grid[i]) - rate * x - special.loggamma(shape + 0j)
        return spacing * np.exp(log)

    def chosen(t, v, z):
        p = np.exp(t["eta"] + slopes * v["x"])
        return p[z] / np.sum(p)

    model = Model(
        [
            Conditional("x", range(240), density, lambda t, v, i: points[i]),
            Conditional("z", range(3), chosen),
        ],
        [
            Cost(lambda t, v: np.tanh(v["x"] - 0.7) * t["table"][0], {"x"}),
            Cost(lambda t, v: np.exp(t["table"][v["z"]] * 0.5) * (1.0 + 0.3 * v["x"]), {"x", "z"}),
        ],
    )
    return Row("gamma_then_classes", build, params, model)


def normals_on_plate() -> Row:
    """A global b above normals on items, whose mean is in every cost, above a b of each."""
    x = np.array([0.5, -0.9])
    params = arrays(tb=0.4, m=[0.3, -0.7], s=-0.4, r=0.8)

    def build():
        g, t = graph_with("normals_on_plate", params)
        items = scg.Plate("items", reduce="mean")
        data = g.data("x", plates=items)
        b = g.sample("b", scg.Bernoulli(logits=t["tb"]))
        y = g.sample("y", scg.Normal(t["m"][0] * data + t["m"][1] * b, np.exp(t["s"])))
        c = g.sample("c", scg.Bernoulli(logits=t["r"] * y - 0.2))
        mean = scg.plate_mean(y, items)
        g.cost("mixed", bent(0.6, mean, b) + 0.2 * mean**2)
        g.cost("each", np.tanh(y - mean) * c + t["r"] * c * data)
        return g

    y, c = elements("y", 2), elements("c", 2)

    def mean(v):
        return (v[y[0]] + v[y[1]]) / 2

    model = Model(
        [
            bernoulli("b", lambda t, v: t["tb"]),
            *(
                normal(
                    n,
                    lambda t, v, i=i: t["m"][0] * x[i] + t["m"][1] * v["b"],
                    lambda t, v: np.exp(t["s"]),
                    24,
                )
                for i, n in enumerate(y)
            ),
            *on_plate("c", 2, lambda t, v, i: t["r"] * v[y[i]] - 0.2),
        ],
        [
            Cost(lambda t, v: bent(0.6, mean(v), v["b"]) + 0.2 * mean(v) ** 2, {"b", *y}),
            *(
                Cost(
                    lambda t, v, i=i: (
                        (np.tanh(v[y[i]] - mean(v)) * v[c[i]] + t["r"] * v[c[i]] * x[i]) / 2
                    ),
                    {"b", *y, c[i]},
                )
                for i in range(2)
            ),
        ],
    )
    return Row("normals_on_plate", build, params, model, data={"x": x})


def structured() -> Row:
    """A matching of two rows above a subset of two among three items."""
    params = arrays(X=[[0.5, -0.8], [0.2, 0.4]], w=[0.9, -1.1, 0.3], k=0.6)

    def loss(k, x, s):
        return bent(k, x[0, 0] + 0.4 * s[1], s[0]) + (s[2] - 0.3 * x[0, 1]) ** 3

    def build():
        g, t = graph_with("structured", params)
        x = g.sample("x", scg.Matching(t["X"]))
        s = g.sample("s", scg.Subset(t["w"] * (1.3 * x[0, 0] - 0.5), 2))
        g.cost("loss", loss(t["k"], x, s))
        g.cost("first", curve(t["k"], x[0, 0]))
        return g

    def gibbs(energy, atoms):
        def probability(t, v, atom):
            weights = [np.exp(energy(t, v, other)) for other in atoms]
            return np.exp(energy(t, v, atom)) / sum(weights)

        return probability

    matchings = [np.eye(2), np.eye(2)[::-1]]
    subsets = [np.array(s, float) for s in ((1, 1, 0), (1, 0, 1), (0, 1, 1))]
    model = Model(
        [
            Conditional("x", matchings, gibbs(lambda t, v, x: np.sum(t["X"] * x), matchings)),
            Conditional(
                "s",
                subsets,
                gibbs(lambda t, v, s: np.sum(t["w"] * (1.3 * v["x"][0, 0] - 0.5) * s), subsets),
            ),
        ],
        [
            Cost(lambda t, v: loss(t["k"], v["x"], v["s"]), {"x", "s"}),
            Cost(lambda t, v: curve(t["k"], v["x"][0, 0]), {"x"}),
        ],
    )
    return Row("structured", build, params, model)


def machine() -> Row:
    """A Boltzmann machine of two visible units and a hidden one above a point mass."""
    params = arrays(a=[0.5, -0.8], b=0.3, W=[1.1, -0.6], k=0.7)

    def loss(k, x, w):
        return bent(k, w, x[1]) + (x[0] - 0.4 * w) ** 3

    def build():
        g, t = graph_with("machine", params)
        x = g.sample("x", scg.RBM(t["a"], t["b"][None], t["W"][:, None]))
        w = g.sample("w", scg.Delta(t["k"] * (x[0] + 0.5) - 0.2))
        g.cost("loss", loss(t["k"], x, w))
        g.cost("first", curve(t["k"], x[0]))
        return g

    vectors = [np.array(x, float) for x in ((0, 0), (0, 1), (1, 0), (1, 1))]

    def weight(t, x):
        return np.exp(t["a"] @ x) * (1 + np.exp(t["b"] + t["W"] @ x))

    def probability(t, v, atom):
        return weight(t, atom) / sum(weight(t, other) for other in vectors)

    model = Model(
        [Conditional("x", vectors, probability)],
        [
            Cost(lambda t, v: loss(t["k"], v["x"], t["k"] * (v["x"][0] + 0.5) - 0.2), {"x"}),
            Cost(lambda t, v: curve(t["k"], v["x"][0]), {"x"}),
        ],
    )
    return Row("machine", build, params, model)


FAMILIES = [
    make()
    for make in (
        masked,
        empty_event,
        matrix_event,
        counts,
        gamma_then_classes,
        normals_on_plate,
        structured,
        machine,
    )
]
