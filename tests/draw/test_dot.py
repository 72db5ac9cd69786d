"""Drawings: shapes, clusters, notes; names that try to break out of their labels."""

from xml.etree import ElementTree

import numpy as np
import pygraphviz
import pytest

import scg
from scg.draw import boxes, dot

HOSTILE = [
    'quo"te',
    'back\\"slash',
    "end\\",
    "\\N \\G \\n",
    "<b>bold</b>",
    "<",
    "a&lt;b &amp; c",
    "&#945;",
    "];n1->n0[x=y];{",
    "port:n:ne",
    "a -> b -- c",
    "digraph",
    "n1",
    "| { } |",
    "// no comment",
    "% 'x' #",
    "θ ∇ é 漢",
    "  spaces  ",
]


def parse(picture):
    """Read DOT text: labels by identifier, and edges between labels."""
    graph = pygraphviz.AGraph(string=picture.source)
    label = {node: node.attr["label"] or str(node) for node in graph.nodes()}
    notes = {node for node in graph.nodes() if node.endswith("t")}
    pairs = [edge for edge in graph.edges() if edge[1] not in notes]
    ends = {(label[a].split("\\n")[0], label[b].split("\\n")[0]) for a, b in pairs}
    return graph, {name: node for node, name in label.items()}, ends


def texts(picture):
    root = ElementTree.fromstring(picture.render("svg"))
    found = ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]
    return [text.replace("\xa0", " ") for text in found]


def toy():
    g = scg.Graph("toy")
    batch = scg.Plate("batch", length=3)
    x = g.data("x", shape=(2,), plates=batch)
    b = g.sample("b", scg.Bernoulli(logits=np.sum(x) * g.parameter("theta", 0.4)))
    h = g.deterministic("h", b * 2.0)
    g.cost("loss", (h - 0.499) ** 2)
    return g


def test_shapes():
    graph, node, _ = parse(toy().draw())
    shapes = {name.split("\\n")[0]: n.attr["shape"] for name, n in node.items()}
    assert shapes == {
        "theta": "plaintext",
        "x": "box",
        "b": "ellipse",
        "h": "box",
        "loss": "diamond",
    }
    assert node["x\\n(2,)"].attr["style"] == "filled"
    (plate,) = graph.subgraphs()
    assert plate.graph_attr["label"] == "batch: 3"
    assert {graph.get_node(n).attr["label"].split("\\n")[0] for n in plate.nodes()} == {
        "x",
        "b",
        "h",
        "loss",
    }


def test_edges_are_those_of_networkx():
    g = toy()
    assert parse(g.draw())[2] == set(g.to_networkx().edges)
    assert parse(scg.compile(g, scg.MuProp()).draw())[2] == set(g.to_networkx().edges)


def test_a_step_shows_estimators_terms_and_bias():
    g = toy()
    picture = scg.compile(g, scg.LeaveOneOut(samples=3)).draw()
    shown = " ".join(texts(picture))
    assert "LeaveOneOut(samples=3)" in shown and "f(xⱼ)) ∇θ log p(xᵢ; θ)" in shown
    assert "BIASED" not in shown
    biased = scg.compile(g, scg.StraightThrough(allow_biased=True)).draw()
    assert "BIASED" in texts(biased)
    assert dot._BIASED in biased.source


def test_colours_of_edges_and_their_legend():
    g = scg.Graph()
    t = g.parameter("t", 0.1)
    a = g.sample("a", scg.Bernoulli(logits=t))
    g.cost("loss", a + scg.stop_gradient(t))
    picture = scg.compile(g, scg.ScoreFunction()).draw()
    graph, _, _ = parse(picture)
    looks = {
        (a.attr["label"].split("\\n")[0], b.attr["label"].split("\\n")[0]): graph.get_edge(a, b)
        for a, b in ((graph.get_node(a), graph.get_node(b)) for a, b in graph.edges())
    }
    assert looks["t", "a"].attr["color"] == dot._COLORS["derivative"][0]
    assert looks["a", "loss"].attr["color"] == dot._COLORS["score"][0]
    stopped = looks["t", "loss"]
    assert (stopped.attr["color"], stopped.attr["label"]) == (dot._BLOCKED, "stop")
    legend = " ".join(texts(picture))
    assert "derivative" in legend and "score" in legend and "no credit" in legend
    assert "weights" not in legend


def test_contained_plates_nest_and_crossing_ones_are_named():
    g = scg.Graph()
    outer, inner, crossing = (scg.Plate(name, length=2) for name in ("outer", "inner", "crossing"))
    for name, plates in {
        "o": outer,
        "oi": (outer, inner),
        "oi2": (outer, inner),
        "oc": (outer, crossing),
        "c": crossing,
    }.items():
        g.sample(name, scg.Bernoulli(probs=0.5), plates=plates)
    graph, node, _ = parse(g.draw())
    top = {s.graph_attr["label"]: s for s in graph.subgraphs()}
    assert set(top) == {"outer: 2", "crossing: 2"}
    (nested,) = top["outer: 2"].subgraphs()
    assert nested.graph_attr["label"] == "inner: 2"
    assert node["oi\\nBernoulli"] in nested.nodes()
    assert node["o\\nBernoulli"] in top["outer: 2"].nodes()
    assert node["oc\\nBernoulli\\non outer"] in top["crossing: 2"].nodes()


def test_plates_nest_to_any_depth():
    g = scg.Graph()
    plates = [scg.Plate(name, length=2) for name in ("inner", "middle", "outer")]
    for i in range(3):
        g.sample(f"x{i}", scg.Bernoulli(probs=0.5), plates=plates[i:])
    root, node, _ = parse(g.draw())
    graph = root
    for i, label in ((2, "outer: 2"), (1, "middle: 2"), (0, "inner: 2")):
        (graph,) = graph.subgraphs()
        assert graph.graph_attr["label"] == label
        inside = {n for sub in graph.subgraphs() for n in sub.nodes()}
        assert set(graph.nodes()) - inside == {node[f"x{i}\\nBernoulli"]}


def test_plates_of_the_same_nodes_nest_in_the_order_of_declaration():
    g = scg.Graph()
    first, second = scg.Plate("first", length=2), scg.Plate("second", length=2)
    g.sample("a", scg.Bernoulli(probs=0.5), plates=(second, first))
    graph, _, _ = parse(g.draw())
    (outer,) = graph.subgraphs()
    (inner,) = outer.subgraphs()
    assert [s.graph_attr["label"] for s in (outer, inner)] == ["first: 2", "second: 2"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_nothing_else(name):
    g = scg.Graph("<i>" + name + "\n\0</i>")
    plate = scg.Plate(name + "\nplate", length=2)
    safe = name.translate(dict.fromkeys(map(ord, "/@#"), "|"))  # reserved in names of nodes
    t = g.parameter(f"<{safe}>", 0.1)  # a label of one line that looks like markup
    a = g.sample(safe, scg.Bernoulli(logits=t), plates=plate)
    g.cost("other " + safe, a * 1.0)
    for picture in (g.draw(), scg.compile(g, scg.ScoreFunction()).draw()):
        graph, _, ends = parse(picture)
        assert len(graph.subgraphs()) == 1 and len(ends) == 2
        shown = [" ".join(text.split()) for text in texts(picture)]
        assert " ".join(safe.split()) in shown
        assert " ".join(f"<{safe}>".split()) in shown
        assert " ".join(f"{name} plate: 2".split()) in shown


def scoped(layers):
    g = scg.Graph("scoped")
    h = 0.0
    for i in range(layers):
        with g.scope(f"layer{i}"), g.scope("sub"):
            for k in range(5):
                h = g.sample(f"z{k}", scg.Bernoulli(logits=g.parameter(f"w{k}", 0.1) + h))
    g.cost("loss", h * 1.0)
    return g


def test_large_graphs_show_scopes_as_clusters():
    g = scoped(5)
    assert boxes.SCOPES_FROM <= len(g.roles) < boxes.COLLAPSE_FROM
    graph, _, _ = parse(g.draw())
    assert [s.graph_attr["label"] for s in graph.subgraphs()] == [f"layer{i}/" for i in range(5)]
    inner = graph.subgraphs()[3].subgraphs()
    assert [s.graph_attr["label"] for s in inner] == ["layer3/sub/"]
    assert {graph.get_node(n).attr["label"] for n in inner[0].nodes()} == {
        *(f"z{k}\\nBernoulli" for k in range(5)),
        *(f"w{k}" for k in range(5)),
    }


def test_very_large_graphs_show_scopes_as_boxes():
    g = scoped(16)
    assert len(g.roles) >= boxes.COLLAPSE_FROM
    _, node, ends = parse(g.draw())
    assert ends == {(f"layer{i}/", f"layer{i + 1}/") for i in range(15)} | {("layer15/", "loss")}
    assert "layer3/\\n5 × parameter\\n5 × stochastic" in node
    step = scg.compile(
        g,
        {"layer0/sub/z0": scg.Enumeration()}
        | {
            f"layer{i}/sub/z{k}": scg.ScoreFunction() for i in range(16) for k in range(5) if i or k
        },
    )
    _, node, _ = parse(step.draw())
    assert any("4 × stochastic: ScoreFunction" in name for name in node if "layer0/" in name)


def test_an_unused_stochastic_node_is_drawn_as_such():
    g = toy()
    g.sample("free", scg.Bernoulli(probs=0.5))
    assert "no cost depends on it" in texts(scg.compile(g, scg.ScoreFunction()).draw())


def test_an_empty_graph():
    assert texts(scg.Graph("").draw()) == []
    assert texts(scg.Graph("nothing").draw()) == ["nothing"]
