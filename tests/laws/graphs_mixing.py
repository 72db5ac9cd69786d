"""Named small graphs whose costs mix the elements of a plate, each in another way.

The credit of a cost that mixes a plate belongs to all its elements at once, that of a cost on the
plate to one; here both kinds stand side by side, behind one another, and below common ancestors.
"""

from __future__ import annotations

import numpy as np

import scg

from .graphs_plates import elements, on_plate
from .oracle import Cost, Model, bernoulli
from .rows import Row, arrays, cubic, graph_with


def squared_mean() -> Row:
    """A squared mean over the plate and a sum over it, in one cost."""
    x = np.array([0.5, -1.0, 2.0])
    params = arrays(theta=0.3)

    def build():
        g, t = graph_with("squared_mean", params)
        items = scg.Plate("items", length=3)
        data = g.data("x", plates=items)
        z = g.sample("z", scg.Bernoulli(logits=t["theta"] + 0.5 * data))
        mean = scg.plate_mean(z * data + 0.2 * z, items)
        g.cost("c", mean**2 + 0.3 * scg.plate_sum(z, items))
        return g

    names = elements("z", 3)

    def cost(t, v):
        z = np.array([v[name] for name in names])
        return np.mean(z * x + 0.2 * z) ** 2 + 0.3 * np.sum(z)

    model = Model(
        on_plate("z", 3, lambda t, v, i: t["theta"] + 0.5 * x[i]),
        [Cost(cost, set(names))],
    )
    data = {"x": x}
    return Row("squared_mean", build, params, model, data)


def mixed_and_own() -> Row:
    """One cost mixes the elements, another is on the plate, a third on it with the mean inside."""
    x = np.array([0.5, -1.2])
    params = arrays(theta=0.3, w=0.7)

    def own(w, x, z):
        return np.exp(0.8 * z * x) * w

    def build():
        g, t = graph_with("mixed_and_own", params)
        items = scg.Plate("items", reduce="sum")
        data = g.data("x", plates=items)
        z = g.sample("z", scg.Bernoulli(logits=t["theta"] + t["w"] * data))
        mean = scg.plate_mean(z * data + 0.2 * z, items)
        g.cost("mixed", mean**3 + t["w"] * scg.plate_sum(z, items) ** 2)
        g.cost("own", own(t["w"], data, z))
        g.cost("both", np.tanh(z - 1.7 * mean) * data)
        return g

    names = elements("z", 2)

    def mean(v):
        return sum(v[z] * (x[i] + 0.2) for i, z in enumerate(names)) / 2

    def mixed(t, v):
        return mean(v) ** 3 + t["w"] * sum(v[z] for z in names) ** 2

    model = Model(
        on_plate("z", 2, lambda t, v, i: t["theta"] + t["w"] * x[i]),
        [
            Cost(mixed, set(names)),
            *(
                Cost(lambda t, v, i=i, z=z: own(t["w"], x[i], v[z]), {z})
                for i, z in enumerate(names)
            ),
            *(
                Cost(lambda t, v, i=i, z=z: np.tanh(v[z] - 1.7 * mean(v)) * x[i], set(names))
                for i, z in enumerate(names)
            ),
        ],
    )
    data = {"x": x}
    return Row("mixed_and_own", build, params, model, data)


def nested_mixing() -> Row:
    """Rows × columns: costs on each element, on each row, on each column, and on all."""
    x = np.array([[0.5, -1.2], [0.9, 0.2]])
    params = arrays(w=[0.9, -0.5], k=0.6)

    def build():
        g, t = graph_with("nested_mixing", params)
        rows, columns = scg.Plate("rows", reduce="mean"), scg.Plate("columns", reduce="sum")
        data = g.data("x", plates=(rows, columns))
        z = g.sample("z", scg.Bernoulli(logits=t["w"][0] * data + t["w"][1]))
        g.cost("element", np.exp(0.4 * z * data) * t["k"])
        g.cost("row", (scg.plate_sum(z * data, columns) - 0.3) ** 3)
        g.cost("column", np.tanh(scg.plate_sum(z, rows) * t["k"]))
        g.cost("all", (scg.plate_sum(z * data, (rows, columns)) - t["k"]) ** 2)
        return g

    names = [[f"z[{i},{j}]" for j in range(2)] for i in range(2)]
    cells = [(i, j) for i in range(2) for j in range(2)]

    def of(v, i, j):
        return v[names[i][j]]

    def total(t, v):
        return (sum(of(v, i, j) * x[i, j] for i, j in cells) - t["k"]) ** 2

    model = Model(
        [
            bernoulli(names[i][j], lambda t, v, i=i, j=j: t["w"][0] * x[i, j] + t["w"][1])
            for i, j in cells
        ],
        [
            *(
                Cost(
                    lambda t, v, i=i, j=j: np.exp(0.4 * of(v, i, j) * x[i, j]) * t["k"] / 2,
                    {names[i][j]},
                )
                for i, j in cells
            ),
            *(
                Cost(
                    lambda t, v, i=i: (sum(of(v, i, j) * x[i, j] for j in range(2)) - 0.3) ** 3 / 2,
                    set(names[i]),
                )
                for i in range(2)
            ),
            *(
                Cost(
                    lambda t, v, j=j: np.tanh(sum(of(v, i, j) for i in range(2)) * t["k"]),
                    {names[0][j], names[1][j]},
                )
                for j in range(2)
            ),
            Cost(total, {name for row in names for name in row}),
        ],
    )
    data = {"x": x}
    return Row("nested_mixing", build, params, model, data)


def layers_mixing() -> Row:
    """a → b on a plate; a alone reaches the costs of all elements, b those of its own."""
    x = np.array([0.5, -1.2])
    params = arrays(theta=0.3, w=0.7, u=1.1)

    def each(w, x, a, b, mean):
        return cubic(a, b) * x + b * np.exp(mean * w)

    def build():
        g, t = graph_with("layers_mixing", params)
        items = scg.Plate("items", reduce="mean")
        data = g.data("x", plates=items)
        a = g.sample("a", scg.Bernoulli(logits=t["theta"] + t["w"] * data))
        b = g.sample("b", scg.Bernoulli(logits=t["u"] * a - 0.4 * data))
        g.cost("each", each(t["w"], data, a, b, scg.plate_mean(a * data, items)))
        g.cost("mixed", (scg.plate_sum(b * data + a, items) - 0.2) ** 2 * t["u"])
        return g

    first, second = elements("a", 2), elements("b", 2)

    def mean(v):
        return sum(v[a] * x[i] for i, a in enumerate(first)) / 2

    def mixed(t, v):
        total = sum(v[b] * x[i] + v[a] for i, (a, b) in enumerate(zip(first, second, strict=True)))
        return (total - 0.2) ** 2 * t["u"]

    model = Model(
        [
            *on_plate("a", 2, lambda t, v, i: t["theta"] + t["w"] * x[i]),
            *on_plate("b", 2, lambda t, v, i: t["u"] * v[first[i]] - 0.4 * x[i]),
        ],
        [
            *(
                Cost(
                    lambda t, v, i=i: each(t["w"], x[i], v[first[i]], v[second[i]], mean(v)) / 2,
                    {*first, second[i]},
                )
                for i in range(2)
            ),
            Cost(mixed, {*first, *second}),
        ],
    )
    data = {"x": x}
    return Row("layers_mixing", build, params, model, data)


def child_of_all() -> Row:
    """A global b below the sum of the elements of a, and costs on both."""
    x = np.array([0.5, -1.2])
    params = arrays(theta=0.3, w=0.7)

    def build():
        g, t = graph_with("child_of_all", params)
        items = scg.Plate("items", reduce="sum")
        data = g.data("x", plates=items)
        a = g.sample("a", scg.Bernoulli(logits=t["theta"] + t["w"] * data))
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * scg.plate_sum(a * data, items) - 0.4))
        g.cost("whole", np.exp(0.7 * b * t["w"]))
        g.cost("each", a * b * data + np.exp(a * data))
        return g

    names = elements("a", 2)
    model = Model(
        [
            *on_plate("a", 2, lambda t, v, i: t["theta"] + t["w"] * x[i]),
            bernoulli(
                "b",
                lambda t, v: t["w"] * sum(v[a] * x[i] for i, a in enumerate(names)) - 0.4,
            ),
        ],
        [
            Cost(lambda t, v: np.exp(0.7 * v["b"] * t["w"]), {*names, "b"}),
            *(
                Cost(
                    lambda t, v, i=i, a=a: v[a] * v["b"] * x[i] + np.exp(v[a] * x[i]),
                    {*names, "b"},
                )
                for i, a in enumerate(names)
            ),
        ],
    )
    data = {"x": x}
    return Row("child_of_all", build, params, model, data)


MIXING = [squared_mean(), mixed_and_own(), nested_mixing(), layers_mixing(), child_of_all()]
