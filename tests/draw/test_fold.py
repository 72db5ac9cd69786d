"""Folding: what shares a box, and that large graphs are drawn at once."""

import time
from xml.etree import ElementTree

import networkx
import numpy as np
import pytest

import scg
from scg.draw import fold
from scg.draw.graph import identifiers
from scg.models import policy
from tests.draw.pictures import SVG, texts


def chain(length, costs=True):
    g = scg.Graph("chain")
    theta, h = g.parameter("theta", 0.1), None
    for i in range(length):
        h = g.sample(f"h[{i}]", scg.Bernoulli(logits=theta if h is None else theta * h))
        if costs:
            g.cost(f"c[{i}]", h * 1.0)
    if not costs:
        g.cost("c", h * 1.0)
    return g


def deep(layers):
    g, h = scg.Graph("deep"), None
    for i in range(layers):
        with g.scope(f"layer{i}"):
            W, b = g.parameter("W", 0.1), g.parameter("b", 0.1)
            h = g.sample("h", scg.Bernoulli(logits=b if h is None else W * h + b))
    g.cost("loss", h * 1.0)
    return g


def test_parameters_of_a_scope_share_a_box():
    g = scg.Graph()
    x = scg.nn.mlp(g, "q", [3, 2])(g.data("x", shape=4))
    g.cost("loss", np.sum(x) + g.parameter("a", 1.0))
    scene = g.draw(hide="network").scene
    assert list(scene.marks) == ["x", "q/0/{W, b}\nq/1/{W, b}", "a", "loss"]
    assert scene.marks["q/0/{W, b}\nq/1/{W, b}"].members == ("q/0/W", "q/0/b", "q/1/W", "q/1/b")
    unfolded = g.draw(fold=False).scene.marks
    assert list(unfolded) == ["x", "q/0/W", "q/0/b", "q/1/W", "q/1/b", "a", "loss"]


def test_a_large_network_is_one_line():
    g = scg.Graph()
    x = scg.nn.mlp(g, "q", [3] * 9)(g.data("x", shape=4))
    g.cost("loss", np.sum(x))
    assert list(g.draw(hide="network").scene.marks) == ["x", "q/: 18 parameters", "loss"]


def test_scopes_fold_by_pattern():
    g = deep(3)
    scene = g.draw(fold="layer1").scene
    assert "layer1/" in scene.marks and "layer0/h" in scene.marks
    assert [line.text for line in scene.marks["layer1/"].lines] == [
        "layer1/",
        "2 × parameter",
        "1 × stochastic",
    ]
    assert set(g.draw(fold=True).scene.marks) == {"layer0/", "layer1/", "layer2/", "loss"}
    assert set(g.draw(fold="layer?").scene.marks) == {"layer0/", "layer1/", "layer2/", "loss"}
    with pytest.raises(scg.CallError, match=r"'layer\[02\]', which is not a scope"):
        g.draw(fold=["layer[02]", "layer?"])


def test_a_long_chain_folds_in_the_middle_and_runs_to_the_right():
    scene = chain(100).draw().scene
    assert list(scene.marks) == [
        "theta",
        *("h[0]", "c[0]", "h[1]", "c[1]", "h[2..98]", "c[2..98]", "h[99]", "c[99]"),
    ]
    assert scene.rows == [["h[0]", "h[1]", "h[2..98]", "h[99]"]]
    assert scene.marks["h[2..98]"].members == tuple(f"h[{i}]" for i in range(2, 99))
    assert ("muted", "201 nodes in 9 boxes, repetitions folded") in scene.caption
    assert ("h[1]", "h[2..98]") in scene.links and ("h[2..98]", "h[99]") in scene.links


def test_families_that_begin_later_fold_at_the_same_place():
    g = scg.Graph()
    z = g.sample("z0", scg.Bernoulli(probs=0.5))
    for i in range(1, 40):
        z = g.sample(f"z{i}", scg.Bernoulli(probs=0.1 + 0.5 * z))
        g.cost(f"c{i}", z * 1.0)
    assert set(g.draw().scene.marks) == {
        *("z0", "z1", "z2..38", "z39", "c1", "c2..38", "c39"),
    }


def test_layers_run_down_and_fold_with_their_parameters():
    scene = deep(60).draw().scene
    assert scene.rows == []
    assert "layer2..58/{W, b}" in scene.marks and "layer2..58/h" in scene.marks
    assert len(scene.marks) < 12


def test_short_chains_do_not_fold():
    scene = chain(8).draw().scene
    assert len(scene.marks) == 17 and scene.rows == [[f"h[{i}]" for i in range(8)]]


def test_a_grid_folds_both_ways():
    g = scg.Graph()
    for i in range(20):
        for k in range(20):
            g.sample(f"z[{i}][{k}]", scg.Bernoulli(probs=0.5))
    marks = g.draw().scene.marks
    assert "z[2..18][2..18]" in marks and len(marks) == 16
    assert sum(len(mark.members) for mark in marks.values()) == 400


def test_what_cannot_repeat_is_folded_by_kind():
    rng, g, nodes = np.random.default_rng(0), scg.Graph(), [0.0]
    words = ["".join(rng.choice(list("abcdefghij"), 12)) for _ in range(300)]
    for word in words:
        parents = [nodes[k] for k in rng.integers(0, len(nodes), 3)]
        nodes.append(
            g.sample(word, scg.Bernoulli(logits=sum(parents) + g.parameter(f"p{word}", 0.1)))
        )
    g.cost("loss", sum(nodes))
    scene = g.draw().scene
    assert len(scene.marks) <= fold.LARGEST
    assert sum(len(mark.members) for mark in scene.marks.values()) == 601


@pytest.mark.parametrize("make", [chain, deep, lambda n: chain(n, costs=False)])
@pytest.mark.parametrize("length", [20, 100, 500])
def test_graphs_of_any_size_are_drawn_within_two_seconds(make, length):
    g = make(length)
    started = time.process_time()
    g.draw().render("svg")
    assert time.process_time() - started < 2.0


def test_a_graph_that_is_too_large_unfolded_says_so():
    with pytest.warns(UserWarning, match="401 nodes and 599 arrows are too many"):
        scene = chain(200).draw(fold=False).scene
    assert len(scene.marks) == 9


def test_eighty_unfolded_nodes_with_a_shared_parameter_are_laid_out():
    g = chain(75, costs=False)
    started = time.process_time()
    assert len(g.draw(fold=False).scene.marks) == 77
    g.draw(fold=False).render("svg")
    assert time.process_time() - started < 2.0


def markov(length):
    g = scg.Graph()
    A, B, z = g.parameter("A", shape=(2, 2)), g.parameter("B", shape=(2, 2)), None
    batch = scg.Plate("batch", length=2)
    for t in range(length):
        logits = np.zeros(2) if z is None else z @ A
        z = g.sample(f"z{t}", scg.OneHotCategorical(logits=logits), plates=batch)
        g.observe(f"x{t}", scg.OneHotCategorical(logits=z @ B), np.array([0.0, 1.0]))
    return g


@pytest.mark.parametrize(
    "make",
    [
        lambda: chain(8),
        lambda: chain(6, costs=False),
        lambda: markov(5),
        lambda: policy().unroll(t=6),
        markov,
    ],
)
def test_time_runs_to_the_right(make):
    picture = (make() if make is not markov else markov(50)).draw()
    root = ElementTree.fromstring(picture.render("svg"))
    middles = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("data-node"):
            middles[group.get("id")] = float(group.find(f"{SVG}text").get("x"))
    (row,) = picture.scene.rows
    places = [middles[picture.scene.ids[key]] for key in row]
    assert len(row) >= 4 and places == sorted(places)


def test_each_name_has_the_identifier_of_its_box_in_each_picture():
    g = chain(60)
    ids, scene = identifiers(g), scg.compile(g, scg.ScoreFunction(), backend="numpy").draw().scene
    assert set(ids) == set(g.roles)
    assert ids == {n: scene.ids[key] for key, mark in scene.marks.items() for n in mark.members}
    assert ids["h[2]"] == ids["h[58]"] != ids["h[59]"]


def random_graph(nodes):
    """Nodes without a repetition in their names, each on two random ones before it."""
    rng = np.random.default_rng(0)
    g = scg.Graph()
    letters = "abcdefghijklmnopqrstuvwxyz"
    every = [g.sample("first", scg.Bernoulli(logits=g.parameter("w", 0.3)))]
    for i in range(nodes):
        a, b = (every[k] for k in rng.integers(len(every), size=2))
        name = "".join(letters[i // 26**k % 26] for k in range(3))
        every.append(g.sample(name, scg.Bernoulli(logits=a - b)))
    g.cost("loss", every[-1] * 1.0)
    return g


@pytest.mark.parametrize("nodes", [20, 100, 1000])
def test_graphs_of_any_size_have_a_readable_number_of_boxes(nodes):
    scene = random_graph(nodes).draw().scene
    assert len(scene.marks) <= 30 and len(scene.links) <= 60
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(list(scene.links)))
    assert sum(len(mark.members) for mark in scene.marks.values()) == nodes + 3


def test_a_long_chain_with_costs_is_small_at_every_level():
    step = scg.compile(chain(300), scg.ScoreFunction(), backend="numpy")
    for level in ("plan", "surrogate", "influence", "program"):
        scene = step.draw(level=level).scene
        assert len(scene.marks) <= 30 and len(scene.links) <= 60


def test_steps_of_nested_scans_are_no_row():
    """Between two of them lie the inner steps."""
    g, outer, inner = scg.Graph(), scg.Time("outer", length=3), scg.Time("inner", length=2)
    w = g.parameter("w", 0.4)

    def step(h):
        def cell(k):
            z = g.sample("z", scg.Bernoulli(logits=w * k + h))
            g.cost("c", (z - k) ** 2)
            return np.tanh(k + z)

        return w * g.scan(cell, init=h, over=inner)[0]

    g.scan(step, init=0.5, over=outer)
    unrolled = g.unroll(outer=3, inner=2)
    assert len(unrolled.stochastic) == 6 and unrolled.draw().scene.rows == []
    assert "= (z − carry)²" in texts(g.draw(labels="formulas"))
