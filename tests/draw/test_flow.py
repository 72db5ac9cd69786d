"""The flow of credit along edges, and that the edges are those of the declared graph."""

import numpy as np
import pytest

import scg
from scg.draw.flow import edges


def model():
    g = scg.Graph("flow")
    t, s = g.parameter("t", 0.2), g.parameter("s", 1.0)
    x = g.data("x")
    with g.scope("inner"):
        a = g.sample("a", scg.Bernoulli(logits=t * x))
    z = g.sample("z", scg.Normal(a + s, 1.0))
    h = g.deterministic("h", np.tanh(a * s))
    jump = g.deterministic("jump", np.where(z > 0.0, 1.0, 0.0))
    g.sample("unused", scg.Bernoulli(logits=h))
    g.cost("loss", (h - scg.stop_gradient(z)) ** 2 + x * t)
    g.cost("jumps", jump + h)
    return g


def kinds(flow):
    return {ends: "+".join(sorted(edge.kinds)) for ends, edge in flow.items()}


def test_the_edges_are_those_of_the_declared_graph():
    g = model()
    assert set(edges(g)) == set(g.to_networkx().edges)


def test_without_estimators_only_a_stop_blocks():
    blocked = {ends: e.blocked for ends, e in edges(model()).items() if not e.kinds}
    assert blocked == {("z", "loss"): ("stop",)}


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
def test_credit_by_score_by_derivative_both_or_none():
    g = model()
    step = scg.compile(g, {"inner/a": scg.ScoreFunction(), "z": scg.ScoreFunction()})
    flow = edges(g, step.plan.estimators)
    assert kinds(flow) == {
        ("t", "inner/a"): "derivative",
        ("x", "inner/a"): "",
        ("inner/a", "z"): "score",
        ("s", "z"): "derivative",
        ("inner/a", "h"): "score",
        ("s", "h"): "derivative",
        ("z", "jump"): "score",
        ("h", "unused"): "derivative+score",
        ("h", "loss"): "derivative+score",
        ("z", "loss"): "",
        ("x", "loss"): "",
        ("t", "loss"): "derivative",
        ("jump", "jumps"): "score",
        ("h", "jumps"): "derivative+score",
    }
    assert flow["z", "loss"].blocked == ("stop",)
    assert flow["x", "loss"].blocked == ()  # nothing was there to block


def test_a_derivative_ends_at_a_jump_and_weights_are_credit():
    g = scg.Graph()
    t = g.parameter("t", 0.2)
    a = g.sample("a", scg.Bernoulli(logits=t))
    g.cost("loss", a * np.where(t > 0.0, 1.0, 2.0))
    flow = edges(g, scg.compile(g, scg.Enumeration()).plan.estimators)
    assert flow["t", "loss"].blocked == ("greater",)
    assert kinds(flow)["a", "loss"] == "weight"


def test_an_open_path_beside_a_blocked_one_is_open():
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("t", 0.2), 1.0))
    g.cost("loss", z * np.where(z > 0.0, 1.0, 2.0))
    step = scg.compile(g, scg.ScoreFunction())
    assert kinds(edges(g, step.plan.estimators))["z", "loss"] == "score"


def test_two_names_of_one_node():
    g = scg.Graph()
    t = g.parameter("t", 0.2)
    g.deterministic("alias", t)
    g.cost("loss", t**2)
    assert set(edges(g)) == set(g.to_networkx().edges) == {("t", "alias"), ("t", "loss")}
    assert kinds(edges(g, {})) == {("t", "alias"): "derivative", ("t", "loss"): "derivative"}
