"""Simulation: the draws of the compiled step, interventions, shapes, messages."""

import numpy as np
import pytest

import scg
from scg.ir.plate import Plate


def belief_network():
    """Two layers on a plate of data, a global node, a stop, and costs on the plate."""
    g = scg.Graph("network")
    batch = Plate("batch")
    x = g.data("x", shape=(3,), plates=batch)
    w = g.parameter("w", np.array([0.3, -0.8, 0.5]))
    a = g.sample("a", scg.Bernoulli(logits=w[0] * 2.0))
    h = g.sample("h", scg.Bernoulli(logits=x * w + a))
    k = g.sample("k", scg.Categorical(logits=np.array([0.1, 0.2, -0.4])))
    s = g.deterministic("s", np.sum(h * w) + 0.1 * k)
    z = g.sample("z", scg.Normal(s, 0.5))
    g.cost("each", (z - scg.stop_gradient(np.sum(x))) ** 2 + a)
    return g


X = np.array([[0.1, 0.2, 0.3], [1.0, -1.0, 0.5], [0.0, 0.4, 2.0], [-1.0, 0.3, 0.1]])


def test_a_seed_gives_the_draws_of_the_step():
    g = belief_network()
    step = scg.compile(g, scg.ScoreFunction())
    params = g.init(seed=0)
    values, sizes, _ = step.checked(params, {"x": X}, None)
    (out,) = step.each_block(values, sizes, 5, 7)
    drawn = g.simulate(params, nodes=["each", "h", "z"], seed=5, runs=7, data={"x": X})
    assert drawn["each"].shape == (7, 4)
    np.testing.assert_allclose(drawn["each"].mean(axis=1), out[("cost",)], rtol=1e-13)
    # not because all runs were equal
    assert np.ptp(drawn["z"], axis=0).min() > 0.01
    assert set(np.unique(drawn["h"])) == {0.0, 1.0}


def test_the_number_of_runs_does_not_change_a_run(monkeypatch):
    g = belief_network()
    ask = {"nodes": ["each"], "seed": 2, "data": {"x": X}}
    params = g.init(seed=0)
    many = g.simulate(params, runs=9, **ask)["each"]
    monkeypatch.setattr("scg.engine.program.BLOCK_ELEMENTS", 1)
    np.testing.assert_array_equal(many, g.simulate(params, runs=9, **ask)["each"])
    np.testing.assert_array_equal(many[:1], g.simulate(params, **ask)["each"])


def test_shapes_have_runs_then_plates_then_the_event():
    g = belief_network()
    out = g.simulate(
        g.init(seed=0), nodes=["x", "w", "a", "h", "k", "s"], seed=1, runs=5, data={"x": X}
    )
    shapes = {name: array.shape for name, array in out.items()}
    assert shapes == {
        "x": (5, 4, 3),
        "w": (5, 3),
        "a": (5,),
        "h": (5, 4, 3),
        "k": (5,),
        "s": (5, 4),
    }
    np.testing.assert_array_equal(out["x"][2], X)
    assert out["k"].dtype == np.int64
    np.testing.assert_allclose(
        out["s"], out["h"] @ out["w"][0] + 0.1 * out["k"][:, None], rtol=1e-14
    )


def test_nodes_may_be_given_themselves():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(probs=0.5))
    twice = b * 2.0
    g.cost("loss", twice + 1.0)
    assert list(g.simulate({}, nodes=[b, "loss"], seed=1)) == ["b", "loss"]
    with pytest.raises(scg.CallError, match=r"multiply.*not a named node.*deterministic"):
        g.simulate({}, nodes=[twice], seed=1)


def test_an_intervention_replaces_the_node_for_all_that_follows_and_nothing_else():
    g = belief_network()
    ask = {"nodes": ["a", "h", "k", "s", "z"], "seed": 3, "runs": 6, "data": {"x": X}}
    params = g.init(seed=0)
    free = g.simulate(params, **ask)
    held = g.simulate(params, do={"s": 2.0}, **ask)
    for name in ("a", "h", "k"):
        np.testing.assert_array_equal(held[name], free[name])
    np.testing.assert_array_equal(held["s"], np.full((6, 4), 2.0))
    # common random numbers: the same standard normals around another mean
    np.testing.assert_allclose(held["z"] - 2.0, free["z"] - free["s"], rtol=1e-12)


def test_an_intervention_on_a_stochastic_node_follows_the_formula():
    g = belief_network()
    h = np.array([1.0, 0.0, 1.0])
    out = g.simulate(
        g.init(seed=0), nodes=["h", "s"], do={"h": h, "k": 2}, seed=3, runs=2, data={"x": X}
    )
    np.testing.assert_array_equal(out["h"], np.broadcast_to(h, (2, 4, 3)))
    np.testing.assert_allclose(out["s"], np.full((2, 4), h @ [0.3, -0.8, 0.5] + 0.2), rtol=1e-15)


def test_what_no_wanted_node_depends_on_may_be_left_out():
    g = belief_network()
    assert g.simulate({}, nodes=["k"], seed=1).keys() == {"k"}
    # h is held, so that z needs no data but the size of the plate
    out = g.simulate(g.init(seed=0), nodes=["z"], do={"h": 1}, seed=1, data={"x": X})
    assert out["z"].shape == (1, 4)
    with pytest.raises(scg.CallError, match=r"plate 'batch' has no size.*data="):
        g.simulate(g.init(seed=0), nodes=["z"], do={"h": 1}, seed=1)
    with pytest.raises(scg.CallError, match="parameter 'w' is missing"):
        g.simulate({}, nodes=["a"], seed=1)
    with pytest.raises(scg.CallError, match="data 'x' is missing"):
        g.simulate(g.init(seed=0), nodes=["h"], seed=1)


def test_results_can_be_written_to():
    g = scg.Graph()
    g.parameter("w", 1.0)
    out = g.simulate(g.init(seed=0), nodes=["w"], seed=1, runs=3)["w"]
    out[0] = 7.0
    assert out.tolist() == [7.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": ["zz"]}, "no node 'zz'"),
        ({"nodes": "z"}, r"expected a list .* write nodes=\['z'\]"),
        ({"nodes": [3]}, "3 is not a named node"),
        ({"do": {"y": 1.0}}, "no node 'y'"),
        ({"do": {"w": 1.0}}, "'w' is a parameter node; .* give its value in params"),
        ({"do": {"x": 1.0}}, "'x' is a data node; .* give its value in data"),
        ({"do": {"each": 1.0}}, "'each' is a cost node; interventions"),
        ({"do": {"k": 1.5}}, "node 'k' holds values of kind int, got 1.5"),
        ({"do": {"h": "on"}}, "node 'h' holds values of kind float, got 'on'"),
        ({"do": {"h": np.zeros(2)}}, r"node 'h' has shape \(batch, 3\) = \(4, 3\), .* \(2,\)"),
        ({"runs": 0}, "runs must be a positive integer, got 0"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_messages(options, message):
    g = belief_network()
    with pytest.raises(scg.CallError, match=message):
        g.simulate(g.init(seed=0), **{"nodes": ["z"], "seed": 1, "data": {"x": X}, **options})


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("runs", [1, 6])
def test_a_sampler_draws_what_simulate_draws(backend, runs):
    g, nodes, do = belief_network(), ["each", "h", "w", "z", "s"], {"h": [1.0, 0.0, 1.0]}
    params = g.init(seed=0)
    ask = {"nodes": nodes, "do": do, "data": {"x": X}, "runs": runs}
    draw = g.sampler(params, backend=backend, **ask)
    for seed in (3, (4, 1)):
        found, expected = draw(seed), g.simulate(params, seed=seed, **ask)
        assert found.keys() == expected.keys()
        for name in found:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
    params["w"] += 1.0  # which it reads where it lies
    np.testing.assert_allclose(draw(3)["w"], np.broadcast_to(params["w"], (runs, 3)))
    with pytest.raises(scg.CallError, match="a seed is an integer"):
        draw(1.5)


def test_a_sampler_of_what_is_not_drawn():
    g = belief_network()
    draw = g.sampler(g.init(seed=0), nodes=["w"], runs=2)
    np.testing.assert_array_equal(draw(0)["w"], 2 * [[0.3, -0.8, 0.5]])


def test_wrong_arguments_of_a_sampler():
    g = belief_network()
    with pytest.raises(scg.CallError, match=r"g\.sampler has no argument 'seed'; .*runs"):
        g.sampler(g.init(seed=0), nodes=["w"], seed=1)
    with pytest.raises(scg.DeclarationError, match=r"g\.sampler: backend must be one of"):
        g.sampler(g.init(seed=0), nodes=["w"], backend="torch")
