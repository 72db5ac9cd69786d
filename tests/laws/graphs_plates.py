"""The named small graphs of laws 2 and 3: plates.

The oracle knows no plates: it gets one conditional for each element, and costs with their weight
in the objective written out.  Each cost names the elements that it credits, so that the exact
variance of the score function also tells whether an element was credited with too much.
"""

from __future__ import annotations

import numpy as np

import scg

from .oracle import Conditional, Cost, Model, bernoulli, categorical
from .rows import Row, arrays, bent, cubic, curve, graph_with


def elements(name: str, size: int) -> list[str]:
    """Names of the elements of a plate node, for the oracle."""
    return [f"{name}[{i}]" for i in range(size)]


def on_plate(name: str, size: int, logits) -> list[Conditional]:
    """One Bernoulli for each element; `logits` is a function of t, v and the element."""
    return [
        bernoulli(element, lambda t, v, i=i: logits(t, v, i))
        for i, element in enumerate(elements(name, size))
    ]


def global_parent(x=(0.8, -1.3), name="global_parent", weight=None, **plate) -> Row:
    """A global a above b on the batch; a cost on each element, and one on a alone.

    `weight` is how one element's cost enters the objective; `plate` goes to ``scg.Plate``.
    """
    x = np.array(x)
    params = arrays(ta=0.4, w=-0.7, u=1.2)
    weight = 1 / x.size if weight is None else weight

    def per_element(u, x, a, b):
        return cubic(a, b) * x + np.exp(0.3 * u * b)

    def build():
        g, t = graph_with(name, params)
        batch = scg.Plate("batch", **plate)
        data = g.data("x", plates=batch)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * data + t["u"] * a))
        g.cost("each", per_element(t["u"], data, a, b))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            *on_plate("b", x.size, lambda t, v, i: t["w"] * x[i] + t["u"] * v["a"]),
        ],
        [
            Cost(lambda t, v, i=i, b=b: weight * per_element(t["u"], x[i], v["a"], v[b]), {"a", b})
            for i, b in enumerate(elements("b", x.size))
        ],
    )
    return Row(name, build, params, model, data={"x": x})


def log_mean_exp(length=3, name="log_mean_exp") -> Row:
    """Particles under a global a, and a cost that reduces them: one score for all."""
    params = arrays(ta=-0.3, tb=0.5, k=1.1)

    def weight(k, a, b):
        return k * b + 0.7 * a - 1.3 * a * b

    def build():
        g, t = graph_with(name, params)
        particles = scg.Plate("particles", length=length)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["tb"] - 0.8 * a), plates=particles)
        g.cost("bound", scg.plate_logsumexp(weight(t["k"], a, b), particles) - np.log(length))
        return g

    names = elements("b", length)

    def bound(t, v):
        return np.log(sum(np.exp(weight(t["k"], v["a"], v[b])) for b in names) / length)

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            *on_plate("b", length, lambda t, v, i: t["tb"] - 0.8 * v["a"]),
        ],
        [Cost(bound, {"a", *names})],
    )
    return Row(name, build, params, model)


def batch_statistic(x=(0.6, -0.9, 1.4), name="batch_statistic", weight=None, **plate) -> Row:
    """A mean over the batch inside each element's cost: every element is credited with all.

    `weight` is how one element's cost enters the objective; `plate` goes to ``scg.Plate``.
    """
    x = np.array(x)
    params = arrays(w=0.8, c=-0.4)
    weight = 1 / x.size if weight is None else weight

    def per_element(w, x, b, mean):
        return np.exp(0.7 * (b - mean) * x) + mean * b * w

    def build():
        g, t = graph_with(name, params)
        batch = scg.Plate("batch", **plate)
        data = g.data("x", plates=batch)
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * data + t["c"]))
        g.cost("each", per_element(t["w"], data, b, scg.plate_mean(b, batch)))
        return g

    names = elements("b", x.size)

    def each(t, v, i):
        mean = sum(v[b] for b in names) / x.size
        return weight * per_element(t["w"], x[i], v[names[i]], mean)

    model = Model(
        on_plate("b", x.size, lambda t, v, i: t["w"] * x[i] + t["c"]),
        [Cost(lambda t, v, i=i: each(t, v, i), set(names)) for i in range(x.size)],
    )
    return Row(name, build, params, model, data={"x": x})


def costs_on_two_plates() -> Row:
    """Costs on rows (summed), on columns (averaged), on both plates and on none."""
    x, y = np.array([0.9, -0.6]), np.array([-1.1, 0.5])
    params = arrays(ta=0.2, w=1.3, u=-0.8)

    def build():
        g, t = graph_with("costs_on_two_plates", params)
        rows, columns = scg.Plate("rows", reduce="sum"), scg.Plate("columns", reduce="mean")
        xs, ys = g.data("x", plates=rows), g.data("y", plates=columns)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        r = g.sample("r", scg.Bernoulli(logits=t["w"] * xs + a))
        c = g.sample("c", scg.Bernoulli(logits=t["u"] * ys - 0.7 * a))
        g.cost("row", cubic(a, r) * xs)
        g.cost("column", bent(t["u"], a, c))
        g.cost("cell", np.exp(0.5 * r * c * ys) * t["w"])
        g.cost("whole", curve(t["w"], a))
        return g

    rows, columns = elements("r", 2), elements("c", 2)
    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            *on_plate("r", 2, lambda t, v, i: t["w"] * x[i] + v["a"]),
            *on_plate("c", 2, lambda t, v, j: t["u"] * y[j] - 0.7 * v["a"]),
        ],
        [
            *(
                Cost(lambda t, v, i=i, r=r: cubic(v["a"], v[r]) * x[i], {"a", r})
                for i, r in enumerate(rows)
            ),
            *(Cost(lambda t, v, c=c: bent(t["u"], v["a"], v[c]) / 2, {"a", c}) for c in columns),
            *(
                Cost(
                    lambda t, v, r=r, c=c, j=j: np.exp(0.5 * v[r] * v[c] * y[j]) * t["w"] / 2,
                    {"a", r, c},
                )
                for r in rows
                for j, c in enumerate(columns)
            ),
            Cost(lambda t, v: curve(t["w"], v["a"]), {"a"}),
        ],
    )
    data = {"x": x, "y": y}
    return Row("costs_on_two_plates", build, params, model, data=data)


def parent_feeds_plate() -> Row:
    """A global vector h that reaches every element through a deterministic path."""
    x = np.array([[0.7, -1.1], [-0.4, 0.9]])
    params = arrays(th=[0.6, -0.5], W=[1.2, -0.8], c=0.3)

    def build():
        g, t = graph_with("parent_feeds_plate", params)
        data = g.data("x", shape=(2,), plates=scg.Plate("batch"))
        h = g.sample("h", scg.Bernoulli(logits=t["th"]))
        code = np.tanh(h * t["W"])
        b = g.sample("b", scg.Bernoulli(logits=data @ code + t["c"]))
        g.cost("each", cubic(np.sum(code), b) + t["c"] * b * h[1])
        return g

    def code(t, v):
        return np.tanh(v["h"] * t["W"])

    model = Model(
        [
            bernoulli("h", lambda t, v: t["th"], (2,)),
            *on_plate("b", 2, lambda t, v, i: x[i] @ code(t, v) + t["c"]),
        ],
        [
            Cost(
                lambda t, v, b=b: (cubic(np.sum(code(t, v)), v[b]) + t["c"] * v[b] * v["h"][1]) / 2,
                {"h", b},
            )
            for b in elements("b", 2)
        ],
    )
    return Row("parent_feeds_plate", build, params, model, data={"x": x})


def nested_plates() -> Row:
    """A node on batch × time whose cost sums over time only: credit keeps the batch."""
    x, y = np.array([[0.5, -1.2], [1.1, 0.8]]), np.array([0.3, -0.6])
    params = arrays(w=[0.9, -0.5], k=0.6)

    def loss(k, total, y):
        return np.tanh(total - y) + (total - k * y) ** 3

    def build():
        g, t = graph_with("nested_plates", params)
        batch, time = scg.Plate("batch"), scg.Plate("time")
        xs, ys = g.data("x", plates=(batch, time)), g.data("y", plates=batch)
        b = g.sample("b", scg.Bernoulli(logits=t["w"][0] * xs + t["w"][1]))
        g.cost("each", loss(t["k"], scg.plate_sum(b * xs, time), ys))
        return g

    names = [[f"b[{i},{s}]" for s in range(2)] for i in range(2)]

    def each(t, v, i):
        return loss(t["k"], sum(v[b] * x[i, s] for s, b in enumerate(names[i])), y[i]) / 2

    model = Model(
        [
            bernoulli(names[i][s], lambda t, v, i=i, s=s: t["w"][0] * x[i, s] + t["w"][1])
            for i in range(2)
            for s in range(2)
        ],
        [Cost(lambda t, v, i=i: each(t, v, i), set(names[i])) for i in range(2)],
    )
    data = {"x": x, "y": y}
    return Row("nested_plates", build, params, model, data=data)


def layers_on_plate(x=(0.9, -0.7), name="layers_on_plate") -> Row:
    """Two layers on one batch: sample plates of an estimator nest or join inside the batch."""
    x = np.array(x)
    params = arrays(w=[0.8, -0.3], u=[1.4, -0.6])

    def build():
        g, t = graph_with(name, params)
        data = g.data("x", plates=scg.Plate("batch"))
        a = g.sample("a", scg.Bernoulli(logits=t["w"][0] * data + t["w"][1]))
        b = g.sample("b", scg.Bernoulli(logits=t["u"][0] * a + t["u"][1] * data))
        g.cost("first", curve(t["u"][0], a) * data)
        g.cost("second", cubic(a, b) + t["w"][0] * a * b)
        return g

    model = Model(
        [
            *on_plate("a", x.size, lambda t, v, i: t["w"][0] * x[i] + t["w"][1]),
            *on_plate("b", x.size, lambda t, v, i: t["u"][0] * v[f"a[{i}]"] + t["u"][1] * x[i]),
        ],
        [
            *(
                Cost(lambda t, v, i=i, a=a: curve(t["u"][0], v[a]) * x[i] / x.size, {a})
                for i, a in enumerate(elements("a", x.size))
            ),
            *(
                Cost(
                    lambda t, v, a=a, b=b: (cubic(v[a], v[b]) + t["w"][0] * v[a] * v[b]) / x.size,
                    {a, b},
                )
                for a, b in zip(elements("a", x.size), elements("b", x.size), strict=True)
            ),
        ],
    )
    return Row(name, build, params, model, data={"x": x})


def plate_categorical() -> Row:
    """A class for each element, which selects from a global table."""
    x = np.array([0.4, -1.0])
    params = arrays(eta=[0.5, -0.2, -0.6], table=[0.9, -0.7, 0.3])

    def build():
        g, t = graph_with("plate_categorical", params)
        data = g.data("x", plates=scg.Plate("batch"))
        slopes = np.array([1.0, -0.5, 0.2])
        z = g.sample("z", scg.Categorical(logits=t["eta"] + slopes * data))
        g.cost("each", cubic(data, t["table"][z]))
        return g

    slopes = np.array([1.0, -0.5, 0.2])
    model = Model(
        [
            categorical(z, lambda t, v, i=i: t["eta"] + slopes * x[i], 3)
            for i, z in enumerate(elements("z", 2))
        ],
        [
            Cost(lambda t, v, i=i, z=z: cubic(x[i], t["table"][v[z]]) / 2, {z})
            for i, z in enumerate(elements("z", 2))
        ],
    )
    return Row(
        "plate_categorical",
        build,
        params,
        model,
        data={"x": x},
    )


PLATES = [
    row
    for row in (
        global_parent(),
        global_parent((0.8,), "plate_of_one"),
        global_parent(name="summed_plate", weight=1, reduce="sum"),
        global_parent(name="subsampled_plate", weight=5, size=10),
        global_parent(name="summed_subsampled_plate", weight=5, reduce="sum", size=10),
        log_mean_exp(),
        log_mean_exp(1, "one_particle"),
        batch_statistic(),
        batch_statistic((0.6,), "statistic_of_one"),
        batch_statistic((0.6, -0.9), "statistic_of_a_subsample", weight=4, size=8),
        costs_on_two_plates(),
        parent_feeds_plate(),
        nested_plates(),
        layers_on_plate(),
        plate_categorical(),
    )
]
