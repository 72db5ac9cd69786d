"""A graph is freed with the last name for it, whatever was done with it."""

import gc
import weakref

import numpy as np
import pytest

import scg

PARAMS = {"theta": np.zeros(2), "spread": 0.7}


def declared() -> scg.Graph:
    """A graph of which calls check values: a scale, and one that is computed."""
    g = scg.Graph("freed")
    theta, spread = g.parameter("theta", np.zeros(2)), g.parameter("spread", 0.7)
    b = g.sample("b", scg.Bernoulli(logits=theta))
    x = g.sample("x", scg.Normal(b.sum(), spread * spread))
    g.cost("loss", np.tanh(x) * spread)
    return g


def recurrent() -> scg.Graph:
    g, t = scg.Graph("recurrent"), scg.Time("t")
    theta, x = g.parameter("theta", np.zeros(2)), g.data("x", plates=t)

    def cell(h, x):
        z = g.sample("z", scg.Normal(h, np.exp(theta[0])))
        g.cost("fit", (z - x) ** 2)
        return np.tanh(z)

    g.scan(cell, init=0.0, xs=x, over=t)
    return g


def called(g, **options):
    data = {"x": np.zeros(3)} if g.data_nodes else None
    params = {name: PARAMS[name] for name in g.parameters}
    return scg.compile(g, **options)(params, seed=0, data=data, runs=2)


USES = {
    "interpreted": lambda g: called(g, backend="numpy"),
    "compiled": lambda g: called(g, backend="numba"),
    "second order": lambda g: called(g, backend="numpy", order=2),
    "bound": lambda g: scg.compile(g).bind(PARAMS)(0),
    "sampled": lambda g: g.simulate(PARAMS, nodes=["x"], seed=0),
    "drawn": lambda g: (g.draw(), scg.compile(g).draw()),
    "explained": lambda g: str(scg.compile(g).explain()),
    "compared": lambda g: scg.compare(g, {"score": scg.ScoreFunction()}, PARAMS, runs=50, seed=0),
    "checked": lambda g: scg.check(scg.compile(g), PARAMS, seed=0, runs=1000),
    "written": lambda g: scg.Graph.from_json(g.to_json()),
}


RECURRENT = ("interpreted", "compiled", "drawn", "written")
ROWS = [*((declared, use) for use in USES), *((recurrent, use) for use in RECURRENT)]


@pytest.mark.parametrize(("declare", "use"), ROWS)
def test_a_graph_is_freed_after_it_was(declare, use):
    graph = declare()
    kept = weakref.ref(graph)
    result = USES[use](graph)
    del result, graph
    gc.collect()
    assert kept() is None
