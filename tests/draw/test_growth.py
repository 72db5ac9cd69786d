"""Graphs of many nodes: the number of calls of Python grows as the graph does."""

import cProfile
import pstats

import numpy as np
import pytest

import scg
from scg.compiler.analyse import Influence


def plates(count):
    g = scg.Graph("plates")
    t = g.parameter("t", 0.1)
    for i in range(count):
        plate = scg.Plate(f"p{i}", length=2, reduce="sum")
        g.cost(f"c[{i}]", g.sample(f"z[{i}]", scg.Bernoulli(logits=t), plates=plate))
    return g


def layers(count):
    g = scg.Graph("layers")
    x = scg.nn.mlp(g, "q", [2] * count)(g.data("x", shape=2))
    g.cost("c", np.sum(g.sample("z", scg.Bernoulli(logits=x))))
    return g


def chain(count):
    g, h = scg.Graph("chain"), 0.1
    t = g.parameter("t", 0.1)
    for i in range(count):
        h = g.sample(f"h[{i}]", scg.Bernoulli(logits=t * h))
        g.cost(f"c[{i}]", h)
    return g


def deep(count):
    g, over = scg.Graph("deep"), scg.Time("t", length=3)
    t = g.parameter("t", 0.1)
    g.scan(lambda h: np.tanh(h * t), init=t, over=over)
    y = t
    for _ in range(count):
        y = np.sin(y) + 0.1
    g.deterministic("y", y)
    return g


def calls(run, argument):
    profile = cProfile.Profile()
    profile.runcall(run, argument)
    return pstats.Stats(profile).total_calls


@pytest.mark.parametrize(
    ("make", "size", "run"),
    [
        (plates, 20, scg.Graph.draw),
        (layers, 20, scg.Graph.draw),
        (plates, 20, lambda g: scg.compile(g, backend="numpy")),
        (chain, 20, lambda g: str(Influence(g))),
        (deep, 20, lambda g: scg.grad(g.named("y"), g.named("t"))),
    ],
)
def test_calls_are_linear_in_the_size(make, size, run):
    """The second difference of a linear function is 0."""
    run(make(3))
    small, double, triple = (calls(run, make(n)) for n in (size, 2 * size, 3 * size))
    assert triple - 2 * double + small < 0.004 * (double - small)
