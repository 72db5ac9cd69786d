"""The named small graphs of law 1: how nodes, costs and parameters can hang together."""

from __future__ import annotations

import numpy as np

import scg

from .oracle import Cost, Model, bernoulli, categorical, one_hot_categorical, softplus
from .rows import Row, arrays, bent, cubic, curve, graph_with


def chain_two_costs() -> Row:
    """a → b, one cost on a alone and one on both."""
    params = arrays(ta=0.3, tb=[-0.4, 0.9], k=0.7)

    def build():
        g, t = graph_with("chain_two_costs", params)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["tb"][0] + t["tb"][1] * a))
        g.cost("first", curve(t["k"], a))
        g.cost("second", cubic(a, b) + bent(t["k"], a, b))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            bernoulli("b", lambda t, v: t["tb"][0] + t["tb"][1] * v["a"]),
        ],
        [
            Cost(lambda t, v: curve(t["k"], v["a"]), {"a"}),
            Cost(lambda t, v: cubic(v["a"], v["b"]) + bent(t["k"], v["a"], v["b"]), {"a", "b"}),
        ],
    )
    return Row("chain_two_costs", build, params, model)


def two_costs_one_node() -> Row:
    """One node that influences two costs, one of which carries its parameter as well."""
    params = arrays(theta=-0.6, phi=0.8)

    def build():
        g, t = graph_with("two_costs_one_node", params)
        b = g.sample("b", scg.Bernoulli(logits=t["theta"]))
        g.cost("near", (b - 0.45) ** 3)
        g.cost("far", np.exp(-1.3 * b * t["phi"]) + t["theta"] * t["phi"])
        return g

    model = Model(
        [bernoulli("b", lambda t, v: t["theta"])],
        [
            Cost(lambda t, v: (v["b"] - 0.45) ** 3, {"b"}),
            Cost(lambda t, v: np.exp(-1.3 * v["b"] * t["phi"]) + t["theta"] * t["phi"], {"b"}),
        ],
    )
    return Row("two_costs_one_node", build, params, model)


def shared_parents() -> Row:
    """Two roots with two common children, a cost on each child and one on a root and a child."""
    params = arrays(roots=[0.5, -0.8], w=1.1, v=-0.3)

    def left(w, a, b):
        return w * a * b + a - 0.7 * b

    def right(v, a, b):
        return v + 0.9 * a - 1.2 * b

    def build():
        g, t = graph_with("shared_parents", params)
        a1 = g.sample("a1", scg.Bernoulli(logits=t["roots"][0]))
        a2 = g.sample("a2", scg.Bernoulli(logits=t["roots"][1]))
        b = g.sample("b", scg.Bernoulli(logits=left(t["w"], a1, a2)))
        c = g.sample("c", scg.Bernoulli(logits=right(t["v"], a1, a2)))
        g.cost("on_b", np.exp(0.6 * b) * (1 + 0.3 * t["w"] * b))
        g.cost("on_c", cubic(c, t["v"]))
        g.cost("on_a2_c", bent(0.9, a2, c))
        return g

    model = Model(
        [
            bernoulli("a1", lambda t, v: t["roots"][0]),
            bernoulli("a2", lambda t, v: t["roots"][1]),
            bernoulli("b", lambda t, v: left(t["w"], v["a1"], v["a2"])),
            bernoulli("c", lambda t, v: right(t["v"], v["a1"], v["a2"])),
        ],
        [
            Cost(
                lambda t, v: np.exp(0.6 * v["b"]) * (1 + 0.3 * t["w"] * v["b"]), {"a1", "a2", "b"}
            ),
            Cost(lambda t, v: cubic(v["c"], t["v"]), {"a1", "a2", "c"}),
            Cost(lambda t, v: bent(0.9, v["a2"], v["c"]), {"a1", "a2", "c"}),
        ],
    )
    return Row("shared_parents", build, params, model)


def diamond() -> Row:
    """a → (b, c) → d, costs at the end and across the middle."""
    params = arrays(ta=-0.2, w=[1.3, -0.7], u=0.6)

    def build():
        g, t = graph_with("diamond", params)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"][0] * a - 0.3))
        c = g.sample("c", scg.Bernoulli(logits=t["w"][1] * a + 0.5))
        d = g.sample("d", scg.Bernoulli(logits=t["u"] * (b - 2.0 * c) + 0.2 * b * c))
        g.cost("end", cubic(b, d) + t["u"] * d)
        g.cost("middle", bent(t["ta"], b, c))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            bernoulli("b", lambda t, v: t["w"][0] * v["a"] - 0.3),
            bernoulli("c", lambda t, v: t["w"][1] * v["a"] + 0.5),
            bernoulli("d", lambda t, v: t["u"] * (v["b"] - 2.0 * v["c"]) + 0.2 * v["b"] * v["c"]),
        ],
        [
            Cost(lambda t, v: cubic(v["b"], v["d"]) + t["u"] * v["d"], set("abcd")),
            Cost(lambda t, v: bent(t["ta"], v["b"], v["c"]), set("abc")),
        ],
    )
    return Row("diamond", build, params, model)


def deterministic_path() -> Row:
    """b lies below a through a deterministic path with its own parameters, which costs share."""
    params = arrays(ta=0.7, w=-1.1, v=0.4)

    def build():
        g, t = graph_with("deterministic_path", params)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        y = g.deterministic("y", np.tanh(t["w"] * a + t["v"]))
        z = scg.softplus(2.0 * y) - np.exp(t["v"])
        b = g.sample("b", scg.Bernoulli(probs=scg.sigmoid(z)))
        g.cost("loss", cubic(y, b) + z * b)
        return g

    def y(t, v):
        return np.tanh(t["w"] * v["a"] + t["v"])

    def z(t, v):
        return softplus(2.0 * y(t, v)) - np.exp(t["v"])

    model = Model(
        [bernoulli("a", lambda t, v: t["ta"]), bernoulli("b", z)],
        [Cost(lambda t, v: cubic(y(t, v), v["b"]) + z(t, v) * v["b"], {"a", "b"})],
    )
    return Row("deterministic_path", build, params, model)


def uninfluenced_cost() -> Row:
    """A cost that no stochastic node influences, beside one that b influences."""
    params = arrays(theta=0.9, k=-0.5)

    def free(k, theta):
        return (k - 0.2) ** 2 * np.exp(k) + k * theta

    def build():
        g, t = graph_with("uninfluenced_cost", params)
        b = g.sample("b", scg.Bernoulli(logits=t["theta"]))
        g.cost("free", free(t["k"], t["theta"]))
        g.cost("bound", curve(t["k"], b))
        return g

    model = Model(
        [bernoulli("b", lambda t, v: t["theta"])],
        [
            Cost(lambda t, v: free(t["k"], t["theta"])),
            Cost(lambda t, v: curve(t["k"], v["b"]), {"b"}),
        ],
    )
    return Row("uninfluenced_cost", build, params, model)


def parameter_both_ways() -> Row:
    """One parameter in both conditionals and in the cost, one more in the second logit alone."""
    params = arrays(theta=0.35, w=-0.9)

    def cost(theta, a, b):
        return theta * b * (a + 0.3) + np.exp(theta * (1 - b)) + 0.1 * a**2

    def build():
        g, t = graph_with("parameter_both_ways", params)
        a = g.sample("a", scg.Bernoulli(logits=t["theta"] * 1.5 - 0.2))
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * a + t["theta"] ** 2))
        g.cost("loss", cost(t["theta"], a, b))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["theta"] * 1.5 - 0.2),
            bernoulli("b", lambda t, v: t["w"] * v["a"] + t["theta"] ** 2),
        ],
        [Cost(lambda t, v: cost(t["theta"], v["a"], v["b"]), {"a", "b"})],
    )
    return Row("parameter_both_ways", build, params, model)


def vector_layers() -> Row:
    """Two layers of two units with matrix weights."""
    params = arrays(W=[[0.4, -0.9], [0.8, 0.3]], c=[0.2, -0.5], V=[[1.1, -0.6], [-0.4, 0.7]])
    x = np.array([0.7, -1.2])

    def build():
        g, t = graph_with("vector_layers", params)
        h = g.sample("h", scg.Bernoulli(logits=x @ t["W"] + t["c"]))
        k = g.sample("k", scg.Bernoulli(logits=h @ t["V"] - 0.1))
        g.cost("loss", np.exp(np.sum(t["c"] * k)) + bent(0.8, h[0] * k[1], h[1]))
        g.cost("first", np.sum(h * np.array([0.5, -1.5])) ** 3)
        return g

    def loss(t, v):
        h, k = v["h"], v["k"]
        return np.exp(np.sum(t["c"] * k)) + bent(0.8, h[0] * k[1], h[1])

    model = Model(
        [
            bernoulli("h", lambda t, v: x @ t["W"] + t["c"], (2,)),
            bernoulli("k", lambda t, v: v["h"] @ t["V"] - 0.1, (2,)),
        ],
        [
            Cost(loss, {"h", "k"}),
            Cost(lambda t, v: np.sum(v["h"] * np.array([0.5, -1.5])) ** 3, {"h"}),
        ],
    )
    return Row("vector_layers", build, params, model)


def one_hot_chain() -> Row:
    """A one-hot parent of a Bernoulli."""
    params = arrays(eta=[0.2, -0.7, 0.9], w=[0.5, -1.0, 0.3])

    def build():
        g, t = graph_with("one_hot_chain", params)
        z = g.sample("z", scg.OneHotCategorical(logits=t["eta"]))
        b = g.sample("b", scg.Bernoulli(logits=z @ t["w"]))
        g.cost("loss", cubic(z[0] - 0.5 * z[2], b) + t["w"][1] * z[1] * b)
        return g

    def loss(t, v):
        z, b = v["z"], v["b"]
        return cubic(z[0] - 0.5 * z[2], b) + t["w"][1] * z[1] * b

    model = Model(
        [
            one_hot_categorical("z", lambda t, v: t["eta"], 3),
            bernoulli("b", lambda t, v: v["z"] @ t["w"]),
        ],
        [Cost(loss, {"z", "b"})],
    )
    return Row("one_hot_chain", build, params, model)


def categorical_chain() -> Row:
    """A class index that selects the logit of a Bernoulli and an entry of a cost table."""
    params = arrays(eta=[-0.3, 0.6, 0.1], w=[0.8, -0.4, 1.2], table=[0.5, -1.1, 0.9])

    def build():
        g, t = graph_with("categorical_chain", params)
        z = g.sample("z", scg.Categorical(logits=t["eta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"][z]))
        g.cost("loss", np.exp(t["table"][z] * b) + t["table"][z] ** 3)
        g.cost("hot", np.sum(scg.one_hot(z, 3) * np.array([0.4, -0.2, 1.3])) * t["w"][0])
        return g

    def loss(t, v):
        entry = t["table"][v["z"]]
        return np.exp(entry * v["b"]) + entry**3

    hot = np.array([0.4, -0.2, 1.3])
    model = Model(
        [
            categorical("z", lambda t, v: t["eta"], 3),
            bernoulli("b", lambda t, v: t["w"][v["z"]]),
        ],
        [Cost(loss, {"z", "b"}), Cost(lambda t, v: hot[v["z"]] * t["w"][0], {"z"})],
    )
    return Row("categorical_chain", build, params, model)


def classes_chain() -> Row:
    """A one-hot vector above a class index, one cost on the first alone and one on both."""
    params = arrays(eta=[0.4, -0.6, 0.2], W=[[0.7, -0.5], [-0.9, 0.3], [0.1, 0.8]], k=0.7)

    def build():
        g, t = graph_with("classes_chain", params)
        x = g.sample("x", scg.OneHotCategorical(logits=t["eta"]))
        y = g.sample("y", scg.Categorical(logits=x @ t["W"]))
        g.cost("first", curve(t["k"], x[0] - 0.7 * x[2]))
        g.cost("second", cubic(x[1], y) + bent(t["k"], x[2], y))
        return g

    model = Model(
        [
            one_hot_categorical("x", lambda t, v: t["eta"], 3),
            categorical("y", lambda t, v: v["x"] @ t["W"], 2),
        ],
        [
            Cost(lambda t, v: curve(t["k"], v["x"][0] - 0.7 * v["x"][2]), {"x"}),
            Cost(
                lambda t, v: cubic(v["x"][1], v["y"]) + bent(t["k"], v["x"][2], v["y"]), {"x", "y"}
            ),
        ],
    )
    return Row("classes_chain", build, params, model)


def two_units() -> Row:
    """A non-quadratic cost of two units with an interaction."""
    params = arrays(theta=[0.4, -0.7])

    def loss(b, exp=np.exp):
        return exp(1.1 * b[0] - 0.6 * b[1]) + (b[0] * b[1] + 0.3) ** 3

    def build():
        g, t = graph_with("two_units", params)
        b = g.sample("b", scg.Bernoulli(logits=t["theta"]))
        g.cost("loss", loss(b))
        return g

    model = Model(
        [bernoulli("b", lambda t, v: t["theta"], (2,))], [Cost(lambda t, v: loss(v["b"]), {"b"})]
    )
    return Row("two_units", build, params, model)


COMPOSITIONS = [
    make()
    for make in (
        chain_two_costs,
        two_costs_one_node,
        shared_parents,
        diamond,
        deterministic_path,
        uninfluenced_cost,
        parameter_both_ways,
        vector_layers,
        one_hot_chain,
        categorical_chain,
        classes_chain,
        two_units,
    )
]
