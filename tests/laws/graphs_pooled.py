"""Named small graphs whose ops mix the elements of plates, between nodes and before costs.

Every way to lose a plate is here: before some costs only, between two layers, by a statistic that
is given back to the elements, by a stop. A node then has another separation from each of its costs.
"""

from __future__ import annotations

import numpy as np

import scg

from .graphs_plates import elements, on_plate
from .oracle import Cost, Model, bernoulli, one_hot_categorical
from .rows import Row, arrays, bent, cubic, curve, graph_with


def weighted(values, names, x):
    """Σ x v of some elements."""
    return sum(values[name] * y for name, y in zip(names, x, strict=True))


def two_separations() -> Row:
    """A global a above z on items: one cost keeps the items, one is a square of their mean."""
    x = np.array([0.5, -1.0, 1.4])
    params = arrays(ta=0.4, w=0.9, k=-0.7)

    def whole(k, a, mean):
        return (mean + 0.3 * a) ** 2 * k + np.exp(-mean)

    def build():
        g, t = graph_with("two_separations", params)
        items = scg.Plate("items", length=3, reduce="sum")
        data = g.data("x", plates=items)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        z = g.sample("z", scg.Bernoulli(logits=t["w"] * data - 0.6 * a + 0.2))
        g.cost("each", cubic(a, z) * data + t["k"] * z)
        g.cost("whole", whole(t["k"], a, scg.plate_mean(z * data, items)))
        return g

    z = elements("z", 3)
    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            *on_plate("z", 3, lambda t, v, i: t["w"] * x[i] - 0.6 * v["a"] + 0.2),
        ],
        [
            *(
                Cost(lambda t, v, i=i, n=n: cubic(v["a"], v[n]) * x[i] + t["k"] * v[n], {"a", n})
                for i, n in enumerate(z)
            ),
            Cost(
                lambda t, v: whole(t["k"], v["a"], weighted(v, z, x) / 3),
                {"a", *z},
            ),
        ],
    )
    return Row("two_separations", build, params, model, data={"x": x})


def mixed_layers() -> Row:
    """h on a batch above z on batch and time; a cost that sums over time, and one that does not."""
    x = np.array([[0.5, -1.2], [1.1, 0.8]])
    params = arrays(c=0.3, w=[0.9, -0.5], k=0.6)

    def per_batch(k, h, total):
        return np.tanh(total - k * h) + (total - 0.4) ** 3 * (1 + h)

    def build():
        g, t = graph_with("mixed_layers", params)
        batch, time = scg.Plate("batch", reduce="mean"), scg.Plate("time", reduce="sum")
        data = g.data("x", plates=(batch, time))
        h = g.sample("h", scg.Bernoulli(logits=t["c"]), plates=batch)
        z = g.sample("z", scg.Bernoulli(logits=t["w"][0] * data + t["w"][1] * h))
        g.cost("batch", per_batch(t["k"], h, scg.plate_sum(z * data, time)))
        g.cost("time", bent(t["k"], h, z) * data)
        return g

    h, z = elements("h", 2), [[f"z[{i},{s}]" for s in range(2)] for i in range(2)]
    model = Model(
        [
            *on_plate("h", 2, lambda t, v, i: t["c"]),
            *(
                bernoulli(z[i][s], lambda t, v, i=i, s=s: t["w"][0] * x[i, s] + t["w"][1] * v[h[i]])
                for i in range(2)
                for s in range(2)
            ),
        ],
        [
            *(
                Cost(
                    lambda t, v, i=i: per_batch(t["k"], v[h[i]], weighted(v, z[i], x[i])) / 2,
                    {h[i], *z[i]},
                )
                for i in range(2)
            ),
            *(
                Cost(
                    lambda t, v, i=i, s=s: bent(t["k"], v[h[i]], v[z[i][s]]) * x[i, s] / 2,
                    {h[i], z[i][s]},
                )
                for i in range(2)
                for s in range(2)
            ),
        ],
    )
    return Row("mixed_layers", build, params, model, data={"x": x})


def pooled_between_layers() -> Row:
    """a on items, their mean in the logits of every b: each a influences the costs of all b."""
    x = np.array([0.7, -1.1])
    params = arrays(w=[0.8, -0.4], u=[1.3, -0.5])

    def build():
        g, t = graph_with("pooled_between_layers", params)
        items = scg.Plate("items", reduce="sum")
        data = g.data("x", plates=items)
        a = g.sample("a", scg.Bernoulli(logits=t["w"][0] * data + t["w"][1]))
        pool = scg.plate_mean(a * data, items)
        b = g.sample("b", scg.Bernoulli(logits=t["u"][0] * pool + t["u"][1] * data))
        g.cost("own", curve(t["u"][0], a) * data)
        g.cost("each", cubic(a, b) + t["w"][0] * b * pool)
        return g

    a, b = elements("a", 2), elements("b", 2)

    def pool(v):
        return weighted(v, a, x) / 2

    model = Model(
        [
            *on_plate("a", 2, lambda t, v, i: t["w"][0] * x[i] + t["w"][1]),
            *on_plate("b", 2, lambda t, v, i: t["u"][0] * pool(v) + t["u"][1] * x[i]),
        ],
        [
            *(Cost(lambda t, v, i=i: curve(t["u"][0], v[a[i]]) * x[i], {a[i]}) for i in range(2)),
            *(
                Cost(
                    lambda t, v, i=i: cubic(v[a[i]], v[b[i]]) + t["w"][0] * v[b[i]] * pool(v),
                    {*a, b[i]},
                )
                for i in range(2)
            ),
        ],
    )
    return Row("pooled_between_layers", build, params, model, data={"x": x})


def shared_children() -> Row:
    """r on rows and c on columns with children on the cells; costs on cells, rows and columns."""
    x, y = np.array([0.8, -0.7]), np.array([-1.0, 0.6])
    params = arrays(w=[1.1, -0.8], u=0.7)

    def build():
        g, t = graph_with("shared_children", params)
        rows, columns = scg.Plate("rows", reduce="sum"), scg.Plate("columns", reduce="mean")
        xs, ys = g.data("x", plates=rows), g.data("y", plates=columns)
        r = g.sample("r", scg.Bernoulli(logits=t["w"][0] * xs))
        c = g.sample("c", scg.Bernoulli(logits=t["w"][1] * ys))
        z = g.sample("z", scg.Bernoulli(logits=t["u"] * (r - c) + 0.4 * r * ys))
        g.cost("cell", cubic(r, z) * ys)
        g.cost("row", np.tanh(scg.plate_sum(z * ys, columns) - t["u"] * r) * xs)
        g.cost("column", np.exp(0.4 * scg.plate_mean(z, rows) * c))
        return g

    r, c = elements("r", 2), elements("c", 2)
    z = [[f"z[{i},{j}]" for j in range(2)] for i in range(2)]
    cells = [(i, j) for i in range(2) for j in range(2)]

    def row(t, v, i):
        return np.tanh(sum(v[z[i][j]] * y[j] for j in range(2)) - t["u"] * v[r[i]]) * x[i]

    def column(t, v, j):
        return np.exp(0.4 * (v[z[0][j]] + v[z[1][j]]) / 2 * v[c[j]]) / 2

    model = Model(
        [
            *on_plate("r", 2, lambda t, v, i: t["w"][0] * x[i]),
            *on_plate("c", 2, lambda t, v, j: t["w"][1] * y[j]),
            *(
                bernoulli(
                    z[i][j],
                    lambda t, v, i=i, j=j: t["u"] * (v[r[i]] - v[c[j]]) + 0.4 * v[r[i]] * y[j],
                )
                for i, j in cells
            ),
        ],
        [
            *(
                Cost(
                    lambda t, v, i=i, j=j: cubic(v[r[i]], v[z[i][j]]) * y[j] / 2,
                    {r[i], c[j], z[i][j]},
                )
                for i, j in cells
            ),
            *(Cost(lambda t, v, i=i: row(t, v, i), {r[i], *c, *z[i]}) for i in range(2)),
            *(
                Cost(lambda t, v, j=j: column(t, v, j), {*r, c[j], z[0][j], z[1][j]})
                for j in range(2)
            ),
        ],
    )
    return Row("shared_children", build, params, model, data={"x": x, "y": y})


def bound_on_batch() -> Row:
    """A global above particles on a batch: a bound of the particles, and a cost on each."""
    x = np.array([0.9, -1.4])
    params = arrays(t=0.2, w=0.7, k=0.5)

    def build():
        g, t = graph_with("bound_on_batch", params)
        batch = scg.Plate("batch", length=2, reduce="mean")
        particles = scg.Plate("particles", length=2, reduce="sum")
        data = g.data("x", plates=batch)
        top = g.sample("top", scg.Bernoulli(logits=t["t"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * data + top), plates=(batch, particles))
        g.cost("bound", scg.iwae(t["k"] * data * b - 0.4 * b * top, particles))
        g.cost("each", np.exp(0.5 * b * data))
        return g

    names = [[f"b[{i},{s}]" for s in range(2)] for i in range(2)]

    def bound(t, v, i):
        logs = [t["k"] * x[i] * v[b] - 0.4 * v[b] * v["top"] for b in names[i]]
        return -np.log((np.exp(logs[0]) + np.exp(logs[1])) / 2) / 2

    model = Model(
        [
            bernoulli("top", lambda t, v: t["t"]),
            *(
                bernoulli(b, lambda t, v, i=i: t["w"] * x[i] + v["top"])
                for i in range(2)
                for b in names[i]
            ),
        ],
        [
            *(Cost(lambda t, v, i=i: bound(t, v, i), {"top", *names[i]}) for i in range(2)),
            *(
                Cost(lambda t, v, i=i, b=b: np.exp(0.5 * v[b] * x[i]) / 2, {"top", b})
                for i in range(2)
                for b in names[i]
            ),
        ],
    )
    return Row("bound_on_batch", build, params, model, data={"x": x})


def mixing_classes() -> Row:
    """One-hot vectors on items, whose mean is in every element's cost."""
    x = np.array([0.4, -1.0])
    slopes, values = np.array([1.0, -0.5, 0.2]), np.array([0.6, -1.3, 0.9])
    params = arrays(eta=[0.5, -0.2, -0.6], k=[0.9, -0.7, 0.3])

    def each(k, z, mean, x):
        return np.exp(0.6 * (z @ k) * x) + (z @ values - mean @ values) ** 2 * (mean @ k)

    def build():
        g, t = graph_with("mixing_classes", params)
        items = scg.Plate("items", reduce="mean")
        data = g.data("x", plates=items)
        z = g.sample("z", scg.OneHotCategorical(logits=t["eta"] + slopes * data))
        g.cost("each", each(t["k"], z, scg.plate_mean(z, items), data))
        return g

    z = elements("z", 2)
    model = Model(
        [
            one_hot_categorical(n, lambda t, v, i=i: t["eta"] + slopes * x[i], 3)
            for i, n in enumerate(z)
        ],
        [
            Cost(lambda t, v, i=i: each(t["k"], v[z[i]], (v[z[0]] + v[z[1]]) / 2, x[i]) / 2, set(z))
            for i in range(2)
        ],
    )
    return Row("mixing_classes", build, params, model, data={"x": x})


def stopped_statistic() -> Row:
    """A statistic of b through a stop in the costs of c: b is credited with its own cost alone."""
    x = np.array([0.6, -1.1])
    params = arrays(w=[0.7, -0.5], k=1.2)

    def build():
        g, t = graph_with("stopped_statistic", params)
        items = scg.Plate("items", reduce="mean")
        data = g.data("x", plates=items)
        b = g.sample("b", scg.Bernoulli(logits=t["w"][0] * data))
        c = g.sample("c", scg.Bernoulli(logits=t["w"][1] * data + 0.2))
        still = scg.stop_gradient(scg.plate_sum(b * data, items))
        g.cost("own", curve(t["k"], b) * data)
        g.cost("each", bent(t["k"], still, c) + scg.plate_mean(c, items) * still * t["w"][0])
        return g

    b, c = elements("b", 2), elements("c", 2)

    def each(t, v, i):
        still = weighted(v, b, x)
        return bent(t["k"], still, v[c[i]]) + (v[c[0]] + v[c[1]]) / 2 * still * t["w"][0]

    model = Model(
        [
            *on_plate("b", 2, lambda t, v, i: t["w"][0] * x[i]),
            *on_plate("c", 2, lambda t, v, i: t["w"][1] * x[i] + 0.2),
        ],
        [
            *(Cost(lambda t, v, i=i: curve(t["k"], v[b[i]]) * x[i] / 2, {b[i]}) for i in range(2)),
            *(Cost(lambda t, v, i=i: each(t, v, i) / 2, set(c)) for i in range(2)),
        ],
    )
    return Row("stopped_statistic", build, params, model, data={"x": x})


POOLED = [
    make()
    for make in (
        two_separations,
        mixed_layers,
        pooled_between_layers,
        shared_children,
        bound_on_batch,
        mixing_classes,
        stopped_statistic,
    )
]
