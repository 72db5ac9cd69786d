"""Advice that fits the wish, and warnings that point at the line of the user."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import scg
from scg.compiler import paths, requirements


def chain(length):
    g = scg.Graph("chain")
    h = g.parameter("t", 0.2)
    for i in range(length):
        h = g.sample(f"h{i}", scg.Bernoulli(logits=h - 0.3))
    g.cost("loss", np.exp(h))
    return g


def added(length):
    g = scg.Graph("added")
    logits = g.parameter("t", 0.2) - 0.3
    bits = [g.sample(f"h{i}", scg.Bernoulli(logits=logits)) for i in range(length)]
    g.cost("loss", np.exp(sum(bits)))
    return g


def single(dist, cost=np.sum):
    g = scg.Graph("single")
    z = g.sample("z", dist(g.parameter("t", np.zeros(30))))
    g.cost("loss", cost(z))
    return g


def advice(graph, estimator):
    with pytest.raises(scg.EstimatorError) as caught:
        scg.compile(graph, estimator)
    return re.findall(r"(?:Try |, )(\w+)\(\)", str(caught.value)), str(caught.value)


def test_who_asks_for_the_exact_sum_is_told_what_is_exact():
    tried, text = advice(single(lambda t: scg.Bernoulli(logits=t)), scg.Enumeration())
    assert {"RAM", "LocalExpectation"} <= {*tried}  # which sum over one element at a time
    assert text.endswith("; without a step, scg.exact(g, params) sums over up to 2^20 outcomes of "
                         "the whole graph")  # fmt: skip
    assert advice(single(scg.Normal), scg.Enumeration())[1].endswith("; none of them is exact")
    _, text = advice(added(12), scg.Enumeration())
    assert "4096 paths, more than 1024: cost 'loss' depends on the joint values of h0, h1" in text
    assert ". Enumerate fewer nodes: scg.compile(g, {" in text
    assert "LeaveOneOut" not in text


def test_the_most_similar_estimators_come_first():
    tried, _ = advice(single(scg.Normal, lambda z: np.sum(np.floor(z))), scg.Reparameterization())
    assert tried[0] == "LeaveOneOut"
    tried, _ = advice(single(lambda t: scg.Categorical(logits=t), lambda z: 1.0 * z), scg.DisARM())
    assert {*tried[:3]} == {"CARMS", "ARSM", "CategoricalDisARM"}


def here(offset):
    """A line above the one that calls, in this file."""
    import inspect

    return Path(__file__).name, inspect.stack()[1].lineno - offset


@pytest.mark.parametrize(
    ("make", "estimator", "category"),
    [
        (lambda: chain(1), scg.StraightThrough(), scg.BiasWarning),
        (lambda: chain(3), scg.ARMS(4), scg.PathsWarning),
    ],
)
def test_a_warning_points_at_the_line_of_the_user(make, estimator, category):
    graph = make()
    with pytest.warns(category) as caught:
        scg.compile(graph, estimator)
        place = here(1)
    assert {(Path(w.filename).name, w.lineno) for w in caught} == {place}


def test_many_paths_are_warned_of_where_draws_nest():
    graph = chain(3)
    with pytest.warns(scg.PathsWarning) as caught:
        scg.compile(graph, scg.ARMS(4))
    assert str(caught[0].message) == (
        "the samples of the nodes nest to 4 · 4 · 4 = 64 paths, on each of which the costs below "
        "are evaluated. Give one instance of LeaveOneOut to all nodes: scg.compile(g, "
        "estimator=scg.LeaveOneOut(samples=4)) samples whole paths jointly"
    )
    with pytest.warns(scg.PathsWarning, match="8 · 8 = 64 paths"):
        scg.compile(chain(2), {"h0": scg.LeaveOneOut(8), "h1": scg.LeaveOneOut(8)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scg.compile(graph, scg.LeaveOneOut(64))  # one plate
        scg.compile(graph, scg.ARMS(3))  # 27 paths
        scg.compile(chain(8), scg.Enumeration())  # the exact sum is what was asked for


def test_work_counts_once_what_evaluations_share():
    """RAM evaluates each unit's values, but adds to a product that it makes once."""
    g = scg.Graph("shared")
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("t", np.zeros(20))))
    hidden = np.tanh(z @ g.parameter("W", np.ones((20, 30))))
    g.cost("loss", np.sum(hidden))
    plain = scg.compile(g, scg.ScoreFunction()).explain()
    ram = scg.compile(g, scg.RAM()).explain()
    assert (plain.evaluations, ram.evaluations) == (1, 41)
    assert 2 < plain.work < 3
    assert 5 < ram.work < 41 * plain.work / 3
    assert plain.head == "1 stochastic node, 1 path, 1 evaluation of the costs; unbiased"
    assert re.search(
        r"41 evaluations of the costs, 40 of them replays, \d+ times the work", ram.head
    )


def test_the_automatic_choice_counts_paths_once(monkeypatch):
    """Not once for every node; and what the user chose wrongly is refused by name."""
    calls = []
    real = paths.sample_plates
    monkeypatch.setattr(paths, "sample_plates", lambda *a, **k: calls.append(1) or real(*a, **k))
    g = scg.Graph("coins")
    t = g.parameter("t", 0.3)
    for i in range(40):
        z = g.sample(f"z{i}", scg.Bernoulli(logits=t))
        g.cost(f"c{i}", z * 1.0)
    every = sum(g.named(f"z{i}") for i in range(30))
    g.cost("every", every * 1.0)
    chosen = scg.compile(g, backend="numpy").plan.estimators
    summed = [node.name for node, e in chosen.items() if isinstance(e, scg.Enumeration)]
    assert summed == [f"z{i}" for i in range(8)] + [f"z{i}" for i in range(30, 40)]  # 2^8 = 256
    assert len(calls) < 10
    x = g.sample("x", scg.Normal(t, 1.0))
    g.cost("last", x * 1.0)
    with pytest.raises(scg.EstimatorError, match=r"node 'x' .* Normal has no finite support"):
        scg.compile(g, {"x": scg.Enumeration()}, backend="numpy")


def test_requirements_look_at_each_node_once_for_all_nodes(monkeypatch):
    """LocalExpectation asks of all nodes below a node, and SelfCritical, too."""
    calls = []
    real = requirements.draws_of
    monkeypatch.setattr(requirements, "draws_of", lambda *args: calls.append(1) or real(*args))
    graph = chain(40)
    last = scg.ScoreFunction(scg.baselines.SelfCritical())
    choice = {name: scg.LocalExpectation() for name in graph.stochastic} | {"h39": last}
    scg.compile(graph, choice, backend="numpy")
    assert 0 < len(calls) <= 3 * len(graph.stochastic)


def test_counts_of_thousands_of_digits_are_powers_of_ten():
    g = scg.Graph("many")
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("t", np.zeros(15_000))))
    g.cost("loss", np.sum(z))
    step = scg.compile(g, backend="numpy")
    assert "LeaveOneOut" in str(step.plan) and "LeaveOneOut" in str(step.explain())
    with pytest.raises(scg.EstimatorError, match=r"about 10\^4515 values, more than 1024"):
        scg.compile(g, scg.Enumeration(), backend="numpy")
    for estimator in (scg.RAM(), scg.LocalExpectation(), scg.MeasureValued()):
        with pytest.raises(scg.EstimatorError, match="30000 alternatives, each of one coordinate"):
            scg.compile(g, estimator, backend="numpy")
    for exact in (lambda: scg.exact(g, g.init(0)), lambda: scg.moments(step, g.init(0))):
        with pytest.raises(scg.EnumerationError, match="outcomes"):
            exact()
