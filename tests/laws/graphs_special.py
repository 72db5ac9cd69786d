"""The named small graphs of laws 4, 6, 7 and 9: layers, mixed kinds, stops, depth."""

from __future__ import annotations

import numpy as np

import scg

from .graphs_plates import elements, on_plate
from .oracle import Cost, Model, bernoulli, normal, softplus
from .rows import Row, arrays, bent, cubic, curve, graph_with


# --- law 4: layers -------------------------------------------------------------------------------
def three_layers() -> Row:
    """A sigmoid belief network of 2-2-1 units, with a cost on each layer and one across."""
    params = arrays(c=[0.3, -0.6], W=[[0.9, -0.5], [-0.8, 1.2]], V=[1.1, -0.7], k=0.6)

    def build():
        g, t = graph_with("three_layers", params)
        h1 = g.sample("h1", scg.Bernoulli(logits=t["c"]))
        h2 = g.sample("h2", scg.Bernoulli(logits=h1 @ t["W"] - 0.2))
        h3 = g.sample("h3", scg.Bernoulli(logits=h2 @ t["V"] + 0.1))
        g.cost("one", curve(t["k"], h1[0] + h1[1]))
        g.cost("two", cubic(h1[0], h2[0] * h2[1]))
        g.cost("three", bent(t["k"], h2[1], h3) + np.exp(-0.4 * h3 * h1[1]))
        return g

    model = Model(
        [
            bernoulli("h1", lambda t, v: t["c"], (2,)),
            bernoulli("h2", lambda t, v: v["h1"] @ t["W"] - 0.2, (2,)),
            bernoulli("h3", lambda t, v: v["h2"] @ t["V"] + 0.1),
        ],
        [
            Cost(lambda t, v: curve(t["k"], v["h1"][0] + v["h1"][1]), {"h1"}),
            Cost(lambda t, v: cubic(v["h1"][0], v["h2"][0] * v["h2"][1]), {"h1", "h2"}),
            Cost(
                lambda t, v: (
                    bent(t["k"], v["h2"][1], v["h3"]) + np.exp(-0.4 * v["h3"] * v["h1"][1])
                ),
                {"h1", "h2", "h3"},
            ),
        ],
    )
    return Row("three_layers", build, params, model)


def chain(length: int) -> tuple[scg.Graph, dict[str, np.ndarray]]:
    """A chain of dependent Bernoullis x0, x1, …, each with its own cost, shared parameters."""
    params = arrays(w=1.2, c=-0.4, k=0.8)
    g, t = graph_with("chain", params)
    before = 0.5
    for i in range(length):
        before = g.sample(f"x{i}", scg.Bernoulli(logits=t["w"] * before + t["c"]))
        g.cost(f"cost{i}", np.exp(t["k"] * before) * (1 + i % 3) / length)
    return g, params


# --- law 6: mixed kinds --------------------------------------------------------------------------
def mixed() -> Row:
    """Bernoulli → Normal → Bernoulli, with an edge past the middle."""
    params = arrays(ta=0.5, m=-0.3, w=0.9, s=-0.4, u=-0.7, r=1.1)

    def scale(s):
        return 0.3 + np.exp(s)

    def last(x, a, b):
        return np.tanh(x) * b + 0.2 * x**2 * (a + 0.5)

    def build():
        g, t = graph_with("mixed", params)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        x = g.sample("x", scg.Normal(t["m"] + t["w"] * a, scale(t["s"])))
        b = g.sample("b", scg.Bernoulli(logits=t["r"] * x + t["u"] * a))
        g.cost("first", curve(t["r"], a))
        g.cost("last", last(x, a, b))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            normal("x", lambda t, v: t["m"] + t["w"] * v["a"], lambda t, v: scale(t["s"]), 120),
            bernoulli("b", lambda t, v: t["r"] * v["x"] + t["u"] * v["a"]),
        ],
        [
            Cost(lambda t, v: curve(t["r"], v["a"]), {"a"}),
            Cost(lambda t, v: last(v["x"], v["a"], v["b"]), {"a", "x", "b"}),
        ],
    )
    return Row("mixed", build, params, model)


def normal_then_bernoulli() -> Row:
    """x → b with a cost on each, for pairs of estimators with a pathwise first node."""
    params = arrays(m=0.4, s=-0.5, r=-1.2)

    def build():
        g, t = graph_with("normal_then_bernoulli", params)
        x = g.sample("x", scg.Normal(t["m"], np.exp(t["s"])))
        b = g.sample("b", scg.Bernoulli(logits=t["r"] * x + 0.3))
        g.cost("first", 0.4 * x**2 - x)
        g.cost("second", bent(0.7, x, b))
        return g

    model = Model(
        [
            normal("x", lambda t, v: t["m"], lambda t, v: np.exp(t["s"]), 120),
            bernoulli("b", lambda t, v: t["r"] * v["x"] + 0.3),
        ],
        [
            Cost(lambda t, v: 0.4 * v["x"] ** 2 - v["x"], {"x"}),
            Cost(lambda t, v: bent(0.7, v["x"], v["b"]), {"x", "b"}),
        ],
    )
    return Row("normal_then_bernoulli", build, params, model)


def bernoulli_then_normal() -> Row:
    """b → x with a cost on each, for pairs of estimators with a pathwise second node."""
    params = arrays(tb=-0.6, m=[0.2, 1.1], s=-0.3)

    def build():
        g, t = graph_with("bernoulli_then_normal", params)
        b = g.sample("b", scg.Bernoulli(logits=t["tb"]))
        x = g.sample("x", scg.Normal(t["m"][0] + t["m"][1] * b, np.exp(t["s"])))
        g.cost("first", curve(t["s"], b))
        g.cost("second", bent(0.7, x, b) + 0.3 * x**2)
        return g

    model = Model(
        [
            bernoulli("b", lambda t, v: t["tb"]),
            normal("x", lambda t, v: t["m"][0] + t["m"][1] * v["b"], lambda t, v: np.exp(t["s"])),
        ],
        [
            Cost(lambda t, v: curve(t["s"], v["b"]), {"b"}),
            Cost(lambda t, v: bent(0.7, v["x"], v["b"]) + 0.3 * v["x"] ** 2, {"b", "x"}),
        ],
    )
    return Row("bernoulli_then_normal", build, params, model)


def pathwise() -> Row:
    """One normal and a smooth cost with its parameters: the pathwise Hessian."""
    params = arrays(m=0.3, s=-0.6, k=0.9)

    def build():
        g, t = graph_with("pathwise", params)
        x = g.sample("x", scg.Normal(t["m"], scg.softplus(t["s"])))
        g.cost("loss", np.exp(0.5 * t["k"] * x) + x**3 * t["k"])
        return g

    model = Model(
        [normal("x", lambda t, v: t["m"], lambda t, v: softplus(t["s"]), 60)],
        [Cost(lambda t, v: np.exp(0.5 * t["k"] * v["x"]) + v["x"] ** 3 * t["k"], {"x"})],
    )
    return Row("pathwise", build, params, model)


# --- law 7: stops --------------------------------------------------------------------------------
def stop_two_costs() -> Row:
    """Two costs, one reached through a stop alone: no credit to b, no derivative to w from it."""
    params = arrays(theta=0.5, w=1.3, k=-0.6)

    def build():
        g, t = graph_with("stop_two_costs", params)
        b = g.sample("b", scg.Bernoulli(logits=t["theta"]))
        g.cost("open", curve(t["k"], b) * t["w"])
        g.cost("stopped", np.exp(t["k"] * scg.stop_gradient(b * t["w"])))
        return g

    model = Model(
        [bernoulli("b", lambda t, v: t["theta"])],
        [
            Cost(lambda t, v: curve(t["k"], v["b"]) * t["w"], {"b"}),
            Cost(lambda t, v: np.exp(t["k"] * v["b"] * t.still["w"])),
        ],
    )
    return Row("stop_two_costs", build, params, model)


def node_below_stop() -> Row:
    """a → stop → b → c: costs below the stop credit b and c, never a."""
    params = arrays(ta=-0.4, w=[1.2, -0.5], u=0.9)

    def build():
        g, t = graph_with("node_below_stop", params)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"][0] * scg.stop_gradient(a) + t["w"][1]))
        c = g.sample("c", scg.Bernoulli(logits=t["u"] * b - 0.3))
        g.cost("on_a", curve(t["u"], a))
        g.cost("on_c", cubic(b, c) + t["w"][1] * c)
        g.cost("on_both", bent(t["u"], scg.stop_gradient(a), b))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            bernoulli("b", lambda t, v: t["w"][0] * v["a"] + t["w"][1]),
            bernoulli("c", lambda t, v: t["u"] * v["b"] - 0.3),
        ],
        [
            Cost(lambda t, v: curve(t["u"], v["a"]), {"a"}),
            Cost(lambda t, v: cubic(v["b"], v["c"]) + t["w"][1] * v["c"], {"b", "c"}),
            Cost(lambda t, v: bent(t["u"], v["a"], v["b"]), {"b"}),
        ],
    )
    return Row("node_below_stop", build, params, model)


def stopped_parameter() -> Row:
    """A parameter that reaches a logit and a cost both openly and through a stop."""
    params = arrays(theta=0.7, k=-0.9)

    def build():
        g, t = graph_with("stopped_parameter", params)
        still = scg.stop_gradient(t["theta"])
        b = g.sample("b", scg.Bernoulli(logits=1.3 * still - 0.4 * t["theta"] ** 2))
        g.cost("loss", np.exp(t["k"] * b * still) + t["theta"] * still * b)
        return g

    def loss(t, v):
        still = t.still["theta"]
        return np.exp(t["k"] * v["b"] * still) + t["theta"] * still * v["b"]

    model = Model(
        [bernoulli("b", lambda t, v: 1.3 * t.still["theta"] - 0.4 * t["theta"] ** 2)],
        [Cost(loss, {"b"})],
    )
    return Row("stopped_parameter", build, params, model)


def stop_on_plate() -> Row:
    """A global node above a plate through a stop, with its own cost beside."""
    x = np.array([0.6, -1.1])
    params = arrays(ta=0.3, w=-0.8, k=1.2)

    def build():
        g, t = graph_with("stop_on_plate", params)
        data = g.data("x", plates=scg.Plate("batch", reduce="mean"))
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * data + t["k"] * scg.stop_gradient(a)))
        g.cost("each", cubic(data, b) + t["k"] * b * scg.stop_gradient(a))
        g.cost("whole", curve(t["k"], a))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            *on_plate("b", 2, lambda t, v, i: t["w"] * x[i] + t["k"] * v["a"]),
        ],
        [
            *(
                Cost(lambda t, v, i=i, b=b: (cubic(x[i], v[b]) + t["k"] * v[b] * v["a"]) / 2, {b})
                for i, b in enumerate(elements("b", 2))
            ),
            Cost(lambda t, v: curve(t["k"], v["a"]), {"a"}),
        ],
    )
    return Row("stop_on_plate", build, params, model, data={"x": x})


def stop_both_paths() -> Row:
    """b reaches its cost both openly and through a stop: full score credit, with a warning."""
    params = arrays(theta=0.2, k=0.8)

    def build():
        g, t = graph_with("stop_both_paths", params)
        b = g.sample("b", scg.Bernoulli(logits=t["theta"]))
        g.cost("loss", bent(t["k"], b, scg.stop_gradient(b)))
        return g

    model = Model(
        [bernoulli("b", lambda t, v: t["theta"])],
        [Cost(lambda t, v: bent(t["k"], v["b"], v["b"]), {"b"})],
    )
    return Row("stop_both_paths", build, params, model)


def stop_both_layers() -> Row:
    """a reaches a cost openly, and through a stop by b: full credit for the node between, too."""
    params = arrays(ta=0.4, w=[1.1, -0.6], k=0.8)

    def build():
        g, t = graph_with("stop_both_layers", params)
        a = g.sample("a", scg.Bernoulli(logits=t["ta"]))
        b = g.sample("b", scg.Bernoulli(logits=t["w"][0] * scg.stop_gradient(a) + t["w"][1]))
        g.cost("loss", bent(t["k"], a, b) + cubic(b, a))
        return g

    model = Model(
        [
            bernoulli("a", lambda t, v: t["ta"]),
            bernoulli("b", lambda t, v: t["w"][0] * v["a"] + t["w"][1]),
        ],
        [Cost(lambda t, v: bent(t["k"], v["a"], v["b"]) + cubic(v["b"], v["a"]), {"a", "b"})],
    )
    return Row("stop_both_layers", build, params, model)


THREE_LAYERS = three_layers()
MIXED = [make() for make in (mixed, normal_then_bernoulli, bernoulli_then_normal)]
PATHWISE = pathwise()
STOPS = [make() for make in (stop_two_costs, node_below_stop, stopped_parameter, stop_on_plate)]
STOP_BOTH = [stop_both_paths(), stop_both_layers()]
